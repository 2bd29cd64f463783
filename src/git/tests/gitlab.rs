use serde_json::json;

use super::played::{Played, answer, fixture};
use super::*;

const PROJECT: &str = "/projects/acme%2Fteam%2Fshop";
const NEXT: &str = r#"<https://gitlab.com/api/v4/projects/3/merge_requests?page=2>; rel="next""#;

fn team() -> Repository {
    Repository::parse(GitProvider::GitLab, "acme/team/shop").expect("a name")
}

fn of(number: u64, what: &str) -> String {
    format!("GET {PROJECT}/merge_requests/{number}{what}")
}

#[tokio::test]
async fn open_merge_requests_are_read_page_by_page() {
    let played = Played::new().await;
    let open = format!(
        "GET {PROJECT}/merge_requests?state=opened&order_by=updated_at&sort=desc&per_page=20&page="
    );
    let first = answer(200, fixture!("gitlab/merge_requests.json")).with("link", NEXT);
    let second = answer(200, fixture!("gitlab/merge_requests_page_2.json"));
    played
        .on(&format!("{open}1"), first.with("etag", "W/\"one\""))
        .on(&format!("{open}2"), second);
    let host = played.gitlab();
    let listed = host.open(&team()).await.expect("a list");
    let long = format!("🛒{}", "x".repeat(299));
    let numbers = [
        (42, 9, "feat/cart"),
        (43, HOSTILE.len(), HOSTILE),
        (45, 300, &long),
    ];
    assert_eq!(
        branches(&listed),
        numbers,
        "one without a commit is left out"
    );
    let [own, fork, bot] = &listed.pull_requests[..] else {
        panic!("three");
    };
    assert_eq!(
        own.url,
        "https://gitlab.com/acme/team/shop/-/merge_requests/42"
    );
    assert_eq!(own.head.repository.as_deref(), Some("acme/team/shop"));
    assert_eq!(own.labels, ["preview", "bug"]);
    assert!(own.is_open && !own.head.is_from_fork && !own.is_bot && !own.is_draft);
    assert!(fork.head.is_from_fork && fork.head.repository.is_none() && fork.is_draft);
    assert!(bot.is_bot);
    assert_eq!(played.asked()[0].authorization, "Bearer s3cret-token");
    assert_eq!(host.open(&team()).await.expect("again"), listed);
    assert_eq!(played.asked()[0].etag, "W/\"one\"");
}

#[tokio::test]
async fn one_merge_request_is_read_by_its_number() {
    let played = Played::new().await;
    played
        .on(
            &of(42, ""),
            answer(200, fixture!("gitlab/merge_request_merged.json")),
        )
        .on(&of(9, ""), answer(404, fixture!("gitlab/not_found.json")));
    let merged = played.gitlab().pull_request(&team(), 42).await;
    assert!(!merged.expect("an answer").expect("it is there").is_open);
    assert_eq!(played.gitlab().pull_request(&team(), 9).await, Ok(None));
}

async fn approval(versions: &str, member: Option<&str>) -> Approval {
    let played = Played::new().await;
    let member = member.map_or(answer(404, "{}"), |member| answer(200, member));
    played
        .on(
            &of(43, ""),
            answer(200, fixture!("gitlab/merge_request_fork.json")),
        )
        .on(
            &of(43, "/resource_label_events?per_page=100&page=1"),
            answer(200, fixture!("gitlab/resource_label_events.json")),
        )
        .on(
            &of(43, "/versions?per_page=100&page=1"),
            answer(200, versions),
        )
        .on(&format!("GET {PROJECT}/members/all/42"), member);
    let host = played.gitlab();
    let found = host.pull_request(&team(), 43).await.expect("an answer");
    let found = found.expect("it is there");
    assert_eq!(host.approval(&team(), &found, "deploy").await, Ok(None));
    let given = host.approval(&team(), &found, "preview").await;
    given.expect("an answer").expect("a label")
}

#[tokio::test]
async fn a_label_is_bound_to_the_version_before_it() {
    let versions = fixture!("gitlab/versions.json");
    let maintainer = Some(fixture!("gitlab/member_maintainer.json"));
    let given = approval(versions, maintainer).await;
    assert_eq!(given.by, "maria");
    assert_eq!(given.at.to_string(), "2026-11-20T07:30:00Z");
    assert!(given.covers(SHB));
    let later = versions.replace("2026-11-20T07:00:00.500Z", "2026-11-20T07:30:00.001Z");
    assert_eq!(approval(&later, maintainer).await.sha.as_deref(), Some(SHA));
    for other in [
        Some(fixture!("gitlab/member_reporter.json")),
        Some(fixture!("gitlab/member_blocked.json")),
        None,
    ] {
        assert!(!approval(versions, other).await.covers(SHB));
    }
}

#[tokio::test]
async fn changed_files_are_listed_with_where_they_were() {
    let played = Played::new().await;
    let path = of(42, "/diffs?per_page=30&page=");
    played.on(
        &format!("{path}1"),
        answer(200, fixture!("gitlab/diffs.json")),
    );
    let files = played.gitlab().changed_files(&team(), 42).await;
    let paths = ["docs/new name 🛒.md", "docs/old.md", "shop/cart.py"];
    assert_eq!(files, Ok(Files::Paths(paths.map(Into::into).to_vec())));
    let many = Played::new().await;
    for page in 1..=34 {
        let endless = answer(200, fixture!("gitlab/diffs.json")).with("link", NEXT);
        many.on(&format!("{path}{page}"), endless);
    }
    let files = many.gitlab().changed_files(&team(), 42).await;
    assert_eq!(files, Ok(Files::TooMany));
}

fn reading() -> String {
    format!(
        "GET {PROJECT}/repository/commits/{SHA}/statuses?name=towpath%2Fpreview%2Fshop&per_page=100"
    )
}

#[tokio::test]
async fn a_status_is_written_once_on_the_branch_that_it_is_of() {
    let mut played = Played::new().await;
    let write = format!("POST {PROJECT}/statuses/{SHA}");
    played
        .on(&reading(), answer(200, fixture!("gitlab/statuses.json")))
        .on(&write, answer(201, fixture!("gitlab/status_created.json")));
    let said = played
        .gitlab()
        .set_status(&team(), &head(false), &waiting())
        .await;
    assert_eq!(
        (said, played.written().len()),
        (Ok(()), 0),
        "it is there already"
    );
    let said = played
        .gitlab()
        .set_status(&team(), &head(false), &ready())
        .await;
    let body = json!({
        "name": "towpath/preview/shop",
        "state": "success",
        "ref": "feat/cart",
        "description": "Ready",
        "target_url": "https://shop-pr-42.preview.example.com",
    });
    assert_eq!((said, played.written()), (Ok(()), vec![(write, body)]));
    played.restart();
    let failed = status(StatusState::Failure, "Migration failed", None);
    let said = played
        .gitlab()
        .set_status(&team(), &head(true), &failed)
        .await;
    let (_, body) = played.written().pop().expect("it is written");
    assert_eq!(said, Ok(()));
    assert_eq!(
        (&body["state"], &body["ref"]),
        (&json!("failed"), &json!("refs/merge-requests/42/head"))
    );
}

#[tokio::test]
async fn a_state_that_older_versions_have_already_is_no_failure() {
    let played = Played::new().await;
    let write = format!("POST {PROJECT}/statuses/{SHA}");
    let place = status(StatusState::Pending, "Place 3 in the queue", None);
    played
        .on(&reading(), answer(200, fixture!("gitlab/statuses.json")))
        .on(
            &write,
            answer(400, fixture!("gitlab/cannot_transition.json")),
        );
    let said = played
        .gitlab()
        .set_status(&team(), &head(false), &place)
        .await;
    assert_eq!(said, Ok(()));
    let played = Played::new().await;
    played
        .on(&reading(), answer(200, "[]"))
        .on(&write, answer(400, r#"{"message": "state is invalid"}"#));
    let said = played
        .gitlab()
        .set_status(&team(), &head(false), &ready())
        .await;
    let Err(Failure::Refused(why)) = said else {
        panic!("{said:?}");
    };
    assert!(
        why.contains("state is invalid") && why.contains("must"),
        "{why}"
    );
}

#[tokio::test]
async fn the_one_note_is_found_again_and_edited() {
    let played = Played::new().await;
    let notes =
        "/notes?sort=asc&order_by=created_at&activity_filter=only_comments&per_page=100&page=1";
    let edit = format!("PUT {PROJECT}/merge_requests/42/notes/303");
    played
        .on(&of(42, notes), answer(200, fixture!("gitlab/notes.json")))
        .on("GET /user", answer(200, fixture!("gitlab/user.json")))
        .on(&edit, answer(200, "{}"));
    let same = comment("Waiting for the image");
    let said = played.gitlab().set_comment(&team(), 42, &same).await;
    assert_eq!((said, played.written().len()), (Ok(()), 0));
    let said = played
        .gitlab()
        .set_comment(&team(), 42, &comment("Ready"))
        .await;
    let body = json!({"body": comment("Ready").body()});
    assert_eq!((said, played.written()), (Ok(()), vec![(edit, body)]));
}

#[tokio::test]
async fn there_are_no_deployments_to_tell_of() {
    let played = Played::new().await;
    let deployment = Deployment {
        environment: "shop-preview".into(),
        preview: "a".into(),
        state: DeploymentState::Success,
        description: "Ready".into(),
        url: None,
    };
    let host = played.gitlab();
    assert_eq!(host.set_deployment(&team(), SHA, &deployment).await, Ok(()));
    assert_eq!(
        host.end_deployments(&team(), None, "shop-preview", "a")
            .await,
        Ok(())
    );
    assert!(played.lines().is_empty());
}
