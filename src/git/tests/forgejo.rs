use serde_json::json;

use super::played::{Played, answer, fixture, shop};
use super::*;

const NEXT: &str = r#"<https://git.example.com/api/v1/repos/acme/shop/pulls?page=2>; rel="next""#;

#[tokio::test]
async fn open_pull_requests_are_read_page_by_page() {
    let played = Played::new().await;
    let open = "GET /repos/acme/shop/pulls?state=open&sort=recentupdate&limit=50&page=";
    let first = answer(200, fixture!("forgejo/pulls.json")).with("link", NEXT);
    played.on(&format!("{open}1"), first).on(
        &format!("{open}2"),
        answer(200, fixture!("forgejo/pulls_page_2.json")),
    );
    let listed = played.forgejo().open(&shop()).await.expect("a list");
    let long = format!("🛒{}", "x".repeat(299));
    let numbers = [
        (42, 9, "feat/cart"),
        (43, HOSTILE.len(), HOSTILE),
        (44, 17, "refs/pull/44/head"),
        (45, 300, long.as_str()),
    ];
    assert_eq!(branches(&listed), numbers);
    let [own, fork, gone, _] = &listed.pull_requests[..] else {
        panic!("four");
    };
    assert_eq!(own.updated.to_string(), "2026-11-20T09:12:33Z");
    assert_eq!((own.author.as_str(), own.head.sha.as_str()), ("dev", SHA));
    assert_eq!(own.url, "https://git.example.com/acme/shop/pulls/42");
    assert!(own.is_open && !own.head.is_from_fork && !own.is_bot && !own.is_draft);
    assert!(fork.head.is_from_fork && fork.is_draft);
    assert_eq!(fork.head.repository.as_deref(), Some("stranger/shop"));
    assert!(gone.head.is_from_fork && gone.head.repository.is_none());
    assert!(gone.is_bot && gone.labels.is_empty());
    assert_eq!(played.asked()[0].authorization, "token s3cret-token");
}

#[tokio::test]
async fn one_pull_request_is_read_by_its_number() {
    let played = Played::new().await;
    played
        .on(
            "GET /repos/acme/shop/pulls/42",
            answer(200, fixture!("forgejo/pull_merged.json")),
        )
        .on(
            "GET /repos/acme/shop/pulls/9",
            answer(404, fixture!("forgejo/not_found.json")),
        );
    let merged = played.forgejo().pull_request(&shop(), 42).await;
    assert!(!merged.expect("an answer").expect("it is there").is_open);
    assert_eq!(played.forgejo().pull_request(&shop(), 9).await, Ok(None));
}

async fn approval(timeline: &str, permission: Option<&str>) -> Result<Option<Approval>, Failure> {
    let played = Played::new().await;
    let page = "GET /repos/acme/shop/issues/43/timeline?limit=50&page=";
    let permission = permission.map_or(answer(404, "{}"), |said| answer(200, said));
    played
        .on(
            "GET /repos/acme/shop/pulls/43",
            answer(200, fixture!("forgejo/pull_fork.json")),
        )
        .on(&format!("{page}1"), answer(200, timeline))
        .on(&format!("{page}2"), answer(200, "null"))
        .on(
            "GET /repos/acme/shop/collaborators/maria/permission",
            permission,
        );
    let host = played.forgejo();
    let found = host.pull_request(&shop(), 43).await.expect("an answer");
    let found = found.expect("it is there");
    assert_eq!(host.approval(&shop(), &found, "deploy").await, Ok(None));
    host.approval(&shop(), &found, "preview").await
}

#[tokio::test]
async fn a_label_is_bound_to_the_push_before_it() {
    let timeline = fixture!("forgejo/timeline.json");
    let admin = Some(fixture!("forgejo/permission_admin.json"));
    let given = approval(timeline, admin)
        .await
        .expect("an answer")
        .expect("a label");
    assert_eq!(
        (given.by.as_str(), given.sha.as_deref()),
        ("maria", Some(SHB))
    );
    assert_eq!(given.at.to_string(), "2026-11-20T07:30:00Z");
    assert!(given.covers(SHB));
    let later = timeline.replace("2026-11-20T08:00:00+01:00", "2026-11-20T08:30:00+01:00");
    let given = approval(&later, admin)
        .await
        .expect("an answer")
        .expect("a label");
    assert_eq!(given.sha.as_deref(), Some(SHA), "pushed in the same second");
    for other in [Some(fixture!("forgejo/permission_read.json")), None] {
        let given = approval(timeline, other).await.expect("an answer");
        assert!(!given.expect("a label").is_maintainer);
    }
}

#[tokio::test]
async fn what_is_null_in_a_timeline_is_nothing() {
    assert_eq!(approval("null", None).await, Ok(None));
}

#[tokio::test]
async fn changed_files_are_listed_with_where_they_were() {
    let played = Played::new().await;
    let path = "GET /repos/acme/shop/pulls/42/files?limit=50&page=1";
    played.on(path, answer(200, fixture!("forgejo/files.json")));
    let files = played.forgejo().changed_files(&shop(), 42).await;
    let paths = ["docs/new name 🛒.md", "docs/old.md", "shop/cart.py"];
    assert_eq!(files, Ok(Files::Paths(paths.map(Into::into).to_vec())));
}

#[tokio::test]
async fn a_status_is_written_once_also_where_nothing_was_said() {
    for (said, wanted, times) in [
        (fixture!("forgejo/combined_status.json"), waiting(), 0),
        (fixture!("forgejo/combined_status.json"), ready(), 1),
        ("", ready(), 1),
        (r#"{"state": "", "statuses": null}"#, ready(), 1),
    ] {
        let played = Played::new().await;
        let read = format!("GET /repos/acme/shop/commits/{SHA}/status?limit=50");
        let write = format!("POST /repos/acme/shop/statuses/{SHA}");
        played
            .on(&read, answer(200, said))
            .on(&write, answer(201, fixture!("forgejo/status_created.json")));
        let said = played
            .forgejo()
            .set_status(&shop(), &head(true), &wanted)
            .await;
        let written = played.written();
        assert_eq!((said, written.len()), (Ok(()), times));
        if let Some((line, body)) = written.first() {
            assert_eq!((line, &body["state"]), (&write, &json!("success")));
        }
        let said = played
            .forgejo()
            .set_status(&shop(), &head(true), &wanted)
            .await;
        assert_eq!((said, played.lines().len()), (Ok(()), 0), "remembered");
    }
}

#[tokio::test]
async fn the_one_comment_is_found_again_and_edited() {
    let played = Played::new().await;
    let edit = "PATCH /repos/acme/shop/issues/comments/3";
    let list = "GET /repos/acme/shop/issues/42/comments?limit=50&page=1";
    played
        .on(list, answer(200, fixture!("forgejo/comments.json")))
        .on("GET /user", answer(200, fixture!("forgejo/user.json")))
        .on(edit, answer(200, "{}"));
    let said = played
        .forgejo()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    let body = json!({"body": comment("Ready").body()});
    assert_eq!(
        (said, played.written()),
        (Ok(()), vec![(edit.into(), body)])
    );
}

#[tokio::test]
async fn a_token_that_may_not_read_its_own_user_is_told_so() {
    let played = Played::new().await;
    let list = "GET /repos/acme/shop/issues/42/comments?limit=50&page=1";
    played
        .on(list, answer(200, fixture!("forgejo/comments.json")))
        .on("GET /user", answer(403, fixture!("forgejo/forbidden.json")));
    let said = played
        .forgejo()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    let why = "the host refused (403): the token must be allowed to read whose it is";
    assert_eq!(said, Err(Failure::Refused(why.into())));
}
