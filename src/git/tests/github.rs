use serde_json::json;

use super::played::{Played, answer, fixture, shop};
use super::*;

const OPEN: &str =
    "GET /repos/acme/shop/pulls?state=open&sort=updated&direction=desc&per_page=50&page=";
const NEXT: &str = r#"<https://api.github.com/repositories/99190/pulls?page=2>; rel="next", <https://api.github.com/repositories/99190/pulls?page=2>; rel="last""#;

async fn played_list() -> Played {
    let played = Played::new().await;
    let first = answer(200, fixture!("github/pulls.json")).with("etag", "W/\"one\"");
    played.on(&format!("{OPEN}1"), first.with("link", NEXT)).on(
        &format!("{OPEN}2"),
        answer(200, fixture!("github/pulls_page_2.json")).with("etag", "\"two\""),
    );
    played
}

#[tokio::test]
async fn open_pull_requests_are_read_page_by_page() {
    let played = played_list().await;
    let listed = played.github().open(&shop()).await.expect("a list");
    assert!(!listed.is_cut);
    let long = format!("🛒{}", "x".repeat(299));
    let numbers = [
        (42, 9, "feat/cart"),
        (43, HOSTILE.len(), HOSTILE),
        (44, 25, "dependabot/pip/celery-5.5"),
        (45, 300, long.as_str()),
    ];
    assert_eq!(branches(&listed), numbers);
    let [own, fork, gone, _] = &listed.pull_requests[..] else {
        panic!("four pull requests");
    };
    assert_eq!(own.head.sha, SHA);
    assert_eq!(
        (own.title.as_str(), own.author.as_str()),
        ("Faster cart", "dev")
    );
    assert_eq!(own.url, "https://github.com/acme/shop/pull/42");
    assert_eq!(own.labels, ["preview", "bug"]);
    assert_eq!(own.updated.to_string(), "2026-11-20T09:12:33Z");
    assert!(own.is_open && !own.is_bot && !own.is_draft && !own.head.is_from_fork);
    assert!(fork.head.is_from_fork);
    assert_eq!(fork.head.repository.as_deref(), Some("stranger/shop"));
    assert!(
        gone.head.is_from_fork && gone.head.repository.is_none(),
        "a fork that is gone"
    );
    assert!(gone.is_bot && gone.is_draft);
    let asked = played.asked();
    assert_eq!(asked[0].authorization, "Bearer s3cret-token");
    assert_eq!(asked[0].accept, "application/vnd.github+json");
    assert!(asked[0].agent.starts_with("towpath/"));
    assert!(asked.iter().all(|asked| !asked.line.contains("s3cret")));
}

#[tokio::test]
async fn an_unchanged_page_is_not_sent_again() {
    let played = played_list().await;
    let host = played.github();
    let listed = host.open(&shop()).await.expect("a list");
    played.asked();
    assert_eq!(host.open(&shop()).await.expect("the same"), listed);
    let etags: Vec<String> = played.asked().into_iter().map(|asked| asked.etag).collect();
    assert_eq!(etags, ["W/\"one\"", "\"two\""]);
}

#[tokio::test]
async fn a_list_without_end_is_cut() {
    let played = Played::new().await;
    for page in 1..=21 {
        let endless = answer(200, fixture!("github/pulls.json")).with("link", NEXT);
        played.on(&format!("{OPEN}{page}"), endless);
    }
    let listed = played.github().open(&shop()).await.expect("a list");
    assert!(listed.is_cut);
    assert_eq!(listed.pull_requests.len(), 3, "each once");
    assert_eq!(played.lines().len(), 20);
}

#[tokio::test]
async fn one_pull_request_is_read_by_its_number() {
    let played = Played::new().await;
    played
        .on(
            "GET /repos/acme/shop/pulls/42",
            answer(200, fixture!("github/pull_merged.json")),
        )
        .on(
            "GET /repos/acme/shop/pulls/9",
            answer(404, fixture!("github/not_found.json")),
        );
    let host = played.github();
    let merged = host.pull_request(&shop(), 42).await.expect("an answer");
    assert!(!merged.expect("it is there").is_open);
    assert_eq!(host.pull_request(&shop(), 9).await, Ok(None));
}

/// A pull request of a fork, with a label of a maintainer.
async fn labelled(permission: &str) -> (Played, PullRequest) {
    let played = Played::new().await;
    let reference = "refs%2Fheads%2F%22%3B%20DROP%20DATABASE%20x%3B%20--";
    played
        .on(
            "GET /repos/acme/shop/pulls/43",
            answer(200, fixture!("github/pull_fork.json")),
        )
        .on(
            "GET /repos/acme/shop/issues/43/events?per_page=100&page=1",
            answer(200, fixture!("github/events.json")),
        )
        .on(
            &format!("GET /repos/stranger/shop/activity?ref={reference}&per_page=100"),
            answer(200, fixture!("github/activity.json")),
        )
        .on(
            "GET /repos/acme/shop/collaborators/maria/permission",
            answer(200, permission),
        );
    let found = played.github().pull_request(&shop(), 43).await;
    let found = found.expect("an answer").expect("it is there");
    (played, found)
}

#[tokio::test]
async fn a_label_is_bound_to_the_commit_that_was_pushed_before_it() {
    let (played, found) = labelled(fixture!("github/permission_write.json")).await;
    let approval = played.github().approval(&shop(), &found, "preview").await;
    let approval = approval.expect("an answer").expect("a label");
    assert_eq!(approval.by, "maria");
    assert_eq!(approval.at.to_string(), "2026-11-20T07:30:00Z");
    assert_eq!(approval.sha.as_deref(), Some(SHB));
    assert!(approval.covers(&found.head.sha) && !approval.covers(SHA));
    let none = played.github().approval(&shop(), &found, "deploy").await;
    assert_eq!(none, Ok(None), "a label that it does not carry");
}

#[tokio::test]
async fn only_who_may_write_is_a_maintainer() {
    let (played, found) = labelled(fixture!("github/permission_read.json")).await;
    let approval = played.github().approval(&shop(), &found, "preview").await;
    let approval = approval.expect("an answer").expect("a label");
    assert!(!approval.is_maintainer && !approval.covers(SHB));
}

#[tokio::test]
async fn pushes_that_cannot_be_read_leave_the_label_unbound() {
    let (played, mut found) = labelled(fixture!("github/permission_write.json")).await;
    found.head.branch = "hidden".into();
    played.on(
        "GET /repos/stranger/shop/activity?ref=refs%2Fheads%2Fhidden&per_page=100",
        answer(404, fixture!("github/not_found.json")),
    );
    let approval = played.github().approval(&shop(), &found, "preview").await;
    let approval = approval.expect("an answer").expect("a label");
    assert!(approval.is_maintainer && !approval.covers(SHB));
    found.head.repository = None;
    let approval = played.github().approval(&shop(), &found, "preview").await;
    assert_eq!(approval.expect("an answer").expect("a label").sha, None);
}

#[tokio::test]
async fn changed_files_are_listed_with_where_they_were() {
    let played = Played::new().await;
    let path = "GET /repos/acme/shop/pulls/42/files?per_page=100&page=";
    played.on(
        &format!("{path}1"),
        answer(200, fixture!("github/files.json")),
    );
    let files = played.github().changed_files(&shop(), 42).await;
    let paths = ["docs/new name 🛒.md", "docs/old.md", "shop/cart.py"];
    assert_eq!(files, Ok(Files::Paths(paths.map(Into::into).to_vec())));
    let many = Played::new().await;
    for page in 1..=10 {
        let endless = answer(200, fixture!("github/files.json")).with("link", NEXT);
        many.on(&format!("{path}{page}"), endless);
    }
    let files = many.github().changed_files(&shop(), 42).await;
    assert_eq!(files, Ok(Files::TooMany));
}

#[tokio::test]
async fn a_status_is_written_once_also_after_a_restart() {
    let mut played = Played::new().await;
    let read = format!("GET /repos/acme/shop/commits/{SHA}/status?per_page=100");
    let write = format!("POST /repos/acme/shop/statuses/{SHA}");
    played
        .on(&read, answer(200, fixture!("github/combined_status.json")))
        .on(&write, answer(201, fixture!("github/status_created.json")));
    let said = played
        .github()
        .set_status(&shop(), &head(false), &waiting())
        .await;
    assert_eq!(
        (said, played.lines()),
        (Ok(()), vec![read]),
        "it is there already"
    );
    let said = played
        .github()
        .set_status(&shop(), &head(false), &ready())
        .await;
    let body = json!({
        "context": "towpath/preview/shop",
        "state": "success",
        "description": "Ready",
        "target_url": "https://shop-pr-42.preview.example.com",
    });
    assert_eq!((said, played.written()), (Ok(()), vec![(write, body)]));
    let said = played
        .github()
        .set_status(&shop(), &head(false), &ready())
        .await;
    assert_eq!((said, played.lines().len()), (Ok(()), 0), "remembered");
    played.restart();
    let said = played
        .github()
        .set_status(&shop(), &head(false), &waiting())
        .await;
    assert_eq!((said, played.written().len()), (Ok(()), 0));
}
