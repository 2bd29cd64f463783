use serde_json::json;

use super::played::{Played, answer, fixture, shop};
use super::*;

const SEARCH: &str = "GET /repos/acme/shop/deployments?environment=shop-preview&sha=0a1b2c3d4e5f60718293a4b5c6d7e8f901234567&per_page=100&page=1";
const ALL: &str = "GET /repos/acme/shop/deployments?environment=shop-preview&per_page=100&page=1";
const MAKE: &str = "POST /repos/acme/shop/deployments";
const PREVIEW: &str = "shop-previews/shop-pr-42";

fn deployment(state: DeploymentState) -> Deployment {
    let url = "https://shop-pr-42.preview.example.com";
    Deployment {
        environment: "shop-preview".into(),
        preview: PREVIEW.into(),
        state,
        description: "Ready".into(),
        url: Some(url.into()),
    }
}

fn statuses(id: u64) -> String {
    format!("/repos/acme/shop/deployments/{id}/statuses")
}

async fn played(found: &str) -> Played {
    let played = Played::new().await;
    played
        .on(SEARCH, answer(200, found))
        .on(ALL, answer(200, found))
        .on(
            MAKE,
            answer(201, fixture!("github/deployment_created.json")),
        );
    for id in [3, 4, 7] {
        let read = format!("GET {}?per_page=1", statuses(id));
        let said = match id {
            3 => fixture!("github/deployment_statuses.json"),
            _ => "[]",
        };
        played
            .on(&read, answer(200, said))
            .on(&format!("POST {}", statuses(id)), answer(201, "{}"));
    }
    played
}

#[tokio::test]
async fn a_deployment_is_made_once_and_merges_nothing() {
    let played = played("[]").await;
    let wanted = deployment(DeploymentState::InProgress);
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    let made = json!({
        "ref": SHA,
        "environment": "shop-preview",
        "description": "Ready",
        "payload": {"preview": PREVIEW},
        "auto_merge": false,
        "required_contexts": [],
        "transient_environment": true,
        "production_environment": false,
    });
    let told = json!({
        "state": "in_progress",
        "description": "Ready",
        "auto_inactive": false,
        "environment_url": "https://shop-pr-42.preview.example.com",
    });
    let written = vec![(MAKE.into(), made), (format!("POST {}", statuses(7)), told)];
    assert_eq!((said, played.written()), (Ok(()), written));
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    assert_eq!((said, played.lines().len()), (Ok(()), 0), "remembered");
}

#[tokio::test]
async fn after_a_restart_the_deployment_is_found_by_commit_and_payload() {
    let played = played(fixture!("github/deployments.json")).await;
    let wanted = deployment(DeploymentState::Success);
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    let lines = vec![SEARCH.to_owned(), format!("GET {}?per_page=1", statuses(4))];
    assert_eq!(said, Ok(()));
    let asked = played.lines();
    assert_eq!(asked[..2], lines, "the newest one of this preview");
    assert!(!asked.contains(&MAKE.to_owned()));
}

#[tokio::test]
async fn what_a_deployment_says_already_is_not_said_again() {
    let found = fixture!("github/deployments.json");
    let mut all: Vec<serde_json::Value> = serde_json::from_str(found).expect("JSON");
    all.remove(0);
    let played = played(&serde_json::to_string(&all).expect("JSON")).await;
    let wanted = deployment(DeploymentState::Success);
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    assert_eq!((said, played.written().len()), (Ok(()), 0));
}

#[tokio::test]
async fn only_this_previews_other_deployments_end() {
    let mut played = played(fixture!("github/deployments.json")).await;
    let end = async |played: &Played, sha| {
        let ended = played.github();
        ended
            .end_deployments(&shop(), sha, "shop-preview", PREVIEW)
            .await
    };
    assert_eq!(end(&played, Some(SHA)).await, Ok(()));
    let written = played.written();
    assert_eq!(written.len(), 1, "{written:?}");
    assert_eq!(written[0].0, format!("POST {}", statuses(4)));
    assert_eq!(written[0].1["state"], "inactive");
    assert_eq!(end(&played, Some(SHA)).await, Ok(()));
    assert_eq!(played.lines().len(), 0, "remembered");
    assert_eq!(end(&played, None).await, Ok(()));
    assert_eq!(played.written().len(), 2, "all of them");
    // Opened anew: neither memory hides that something changed.
    let wanted = deployment(DeploymentState::Success);
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    assert_eq!((said, played.lines().is_empty()), (Ok(()), false));
    assert_eq!(end(&played, None).await, Ok(()));
    assert!(!played.lines().is_empty());
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    assert_eq!((said, played.lines().is_empty()), (Ok(()), false));
    played.restart();
    for id in [3, 4] {
        let inactive = fixture!("github/deployment_status_inactive.json");
        let read = format!("GET {}?per_page=1", statuses(id));
        played.now_on(&read, answer(200, inactive));
    }
    played.asked();
    assert_eq!(end(&played, None).await, Ok(()));
    assert_eq!(played.written().len(), 0, "they have ended");
}

#[tokio::test]
async fn a_deployment_that_never_was_does_not_end() {
    let played = played("[]").await;
    let wanted = deployment(DeploymentState::Inactive);
    let said = played.github().set_deployment(&shop(), SHA, &wanted).await;
    assert_eq!((said, played.written().len()), (Ok(()), 0));
}
