use serde_json::json;

use super::played::{Played, answer, fixture, shop};
use super::*;

async fn played_comments(body: &str) -> Played {
    let played = Played::new().await;
    played
        .on(
            "GET /repos/acme/shop/issues/42/comments?per_page=100&page=1",
            answer(200, body),
        )
        .on("GET /user", answer(200, fixture!("github/user.json")))
        .on(
            "PATCH /repos/acme/shop/issues/comments/3",
            answer(200, "{}"),
        )
        .on(
            "POST /repos/acme/shop/issues/42/comments",
            answer(201, "{}"),
        );
    played
}

#[tokio::test]
async fn the_one_comment_is_found_again_and_edited() {
    let mut played = played_comments(fixture!("github/comments.json")).await;
    let same = comment("Waiting for the image");
    let said = played.github().set_comment(&shop(), 42, &same).await;
    assert_eq!(
        (said, played.written().len()),
        (Ok(()), 0),
        "it says so already"
    );
    let said = played
        .github()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    let edit = "PATCH /repos/acme/shop/issues/comments/3".to_owned();
    let body = json!({"body": comment("Ready").body()});
    assert_eq!((said, played.written()), (Ok(()), vec![(edit, body)]));
    let said = played
        .github()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    assert_eq!((said, played.lines().len()), (Ok(()), 0), "remembered");
    played.restart();
    let said = played.github().set_comment(&shop(), 42, &same).await;
    assert_eq!((said, played.written().len()), (Ok(()), 0), "nothing twice");
}

#[tokio::test]
async fn a_comment_that_is_not_there_is_written() {
    let played = played_comments("[]").await;
    let said = played
        .github()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    let lines = [
        "GET /repos/acme/shop/issues/42/comments?per_page=100&page=1",
        "POST /repos/acme/shop/issues/42/comments",
    ];
    assert_eq!(
        (said, played.lines()),
        (Ok(()), lines.map(Into::into).to_vec())
    );
}

#[tokio::test]
async fn an_app_that_cannot_ask_its_name_edits_a_programs_comment_only() {
    let played = Played::new().await;
    let by_bot = fixture!("github/comments.json").replacen(
        r#""login": "towpath-acme""#,
        r#""login": "towpath-acme[bot]""#,
        1,
    );
    played
        .on(
            "GET /repos/acme/shop/issues/42/comments?per_page=100&page=1",
            answer(200, &by_bot),
        )
        .on(
            "GET /user",
            answer(403, fixture!("github/app_refused.json")),
        )
        .on(
            "PATCH /repos/acme/shop/issues/comments/3",
            answer(200, "{}"),
        );
    let said = played
        .github()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    assert_eq!((said, played.written().len()), (Ok(()), 1));
}
