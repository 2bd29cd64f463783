use jiff::SignedDuration;

use super::played::{Answer, Played, answer, fixture, now, shop};
use super::*;

const PULL: &str = "GET /repos/acme/shop/pulls/42";

async fn asked(said: Answer) -> (Played, Failure) {
    let played = Played::new().await;
    played.on(PULL, said);
    let failure = played.github().pull_request(&shop(), 42).await;
    (played, failure.expect_err("a failure"))
}

fn sentence(failure: &Failure) -> &str {
    match failure {
        Failure::Refused(why) | Failure::Silent(why) => why,
        Failure::Limited(until) => panic!("limited until {until}"),
    }
}

#[tokio::test]
async fn a_no_says_what_must_change() {
    let validation = fixture!("github/validation_failed.json");
    for (status, body, part) in [
        (
            401,
            fixture!("github/bad_credentials.json"),
            "the token (401): it must be valid",
        ),
        (
            403,
            fixture!("gitlab/insufficient_scope.json"),
            "must be allowed to read the pull",
        ),
        (
            301,
            fixture!("github/moved.json"),
            "must be named by its present name",
        ),
        (
            422,
            validation,
            "must be one that it takes; it said \"Validation Failed\"",
        ),
        (451, "<html>", "it said \"nothing\""),
    ] {
        let (_, failure) = asked(answer(status, body)).await;
        assert!(
            matches!(failure, Failure::Refused(_)),
            "{status}: {failure:?}"
        );
        let said = sentence(&failure);
        assert!(
            said.contains(part) && !said.contains("s3cret"),
            "{status}: {said}"
        );
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_a_no() {
    let played = Played::new().await;
    let open =
        "GET /repos/acme/shop/pulls?state=open&sort=updated&direction=desc&per_page=50&page=1";
    played.on(open, answer(404, fixture!("github/not_found.json")));
    let failure = played.github().open(&shop()).await.expect_err("a no");
    let said = sentence(&failure);
    assert!(
        said.contains("it must exist, and the token must be allowed"),
        "{said}"
    );
}

#[tokio::test]
async fn trouble_of_the_host_is_no_answer() {
    for (status, body) in [
        (500, "oops"),
        (502, ""),
        (503, ""),
        (408, ""),
        (200, "<html>"),
        (200, "{}"),
    ] {
        let (_, failure) = asked(answer(status, body)).await;
        assert!(
            matches!(failure, Failure::Silent(_)),
            "{status}: {failure:?}"
        );
        assert!(sentence(&failure).starts_with("the host gave no answer: "));
    }
}

#[tokio::test]
async fn more_than_fits_into_memory_is_not_read() {
    let (_, failure) = asked(answer(200, &"x".repeat(17 * 1024 * 1024))).await;
    assert!(
        sentence(&failure).contains("more than 16 MiB"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let elsewhere = Played::new().await;
    let to = format!("{}/repos/acme/shop/pulls/42", elsewhere.address);
    for status in [301, 302, 307, 308] {
        let (_, failure) = asked(answer(status, "").with("location", &to)).await;
        assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_host_that_takes_no_more_is_left_alone_until_then() {
    let none = answer(403, "{}").with("x-ratelimit-remaining", "0");
    let (played, failure) = asked(none.with("x-ratelimit-reset", "1700000120")).await;
    let until = now() + SignedDuration::from_secs(120);
    assert_eq!(failure, Failure::Limited(until));
    assert_eq!(played.lines().len(), 1);
    let again = played
        .github()
        .set_comment(&shop(), 42, &comment("Ready"))
        .await;
    assert_eq!(again, Err(Failure::Limited(until)));
    assert!(played.lines().is_empty(), "it is not asked");
    assert_eq!(
        played.github().rate_limit().map(|limit| limit.remaining),
        Some(0)
    );
    let mut later = played.session(GitProvider::GitHub);
    later.clock = || now() + SignedDuration::from_secs(120);
    let _ = crate::git::github::GitHub(later)
        .pull_request(&shop(), 42)
        .await;
    assert_eq!(played.lines().len(), 1, "it is asked again");
}

#[tokio::test]
async fn too_many_requests_and_secondary_limits_are_limits() {
    let secondary = fixture!("github/secondary_limit.json");
    for (said, seconds) in [
        (answer(429, "").with("retry-after", "30"), 30),
        (answer(403, secondary).with("retry-after", "45"), 45),
        (answer(403, secondary), 60),
    ] {
        let (_, failure) = asked(said).await;
        let until = now() + SignedDuration::from_secs(seconds);
        assert_eq!(failure, Failure::Limited(until));
    }
}

#[tokio::test]
async fn another_token_has_limits_of_its_own() {
    let (mut played, failure) = asked(answer(429, "")).await;
    assert!(matches!(failure, Failure::Limited(_)));
    played.restart();
    played.lines();
    let _ = played.github().pull_request(&shop(), 42).await;
    assert_eq!(played.lines().len(), 1);
}

#[tokio::test]
async fn silence_a_closed_port_and_half_an_answer_are_no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let mut played = Played::new().await;
    played.address = format!("http://{}", listener.local_addr().expect("its address"));
    let failure = played.github().pull_request(&shop(), 42).await;
    let why = "the host gave no answer: it did not answer in time";
    assert_eq!(failure, Err(Failure::Silent(why.into())));
    let half = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        // The first connection is the one that timed out.
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"number\"";
            let _ = connection.write_all(answer).await;
        }
    });
    let failure = played.github().pull_request(&shop(), 42).await;
    assert!(matches!(failure, Err(Failure::Silent(_))), "{failure:?}");
    half.await.expect("it ends");
    let failure = played.github().pull_request(&shop(), 42).await;
    let why = "the host gave no answer: it refused the connection";
    assert_eq!(failure, Err(Failure::Silent(why.into())));
}
