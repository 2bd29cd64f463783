use http::{HeaderName, HeaderValue};

use super::*;

const BODY: &[u8] = b"Hello, World!";
/// The example in GitHub's own documentation of its webhooks.
const TEXT: &[u8] = b"It's a Secret to Everybody";
const CODE: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn secret(value: &[u8]) -> Secret {
    Secret::new(value).expect("a secret")
}

fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (HeaderName::from_static(name), value)
        })
        .collect()
}

fn signed(provider: GitProvider, pairs: &[(&'static str, String)], body: &[u8]) -> bool {
    let secrets = [secret(b"another secret of before"), secret(TEXT)];
    is_signed(provider, &headers(pairs), body, &secrets, at(0))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

#[test]
fn githubs_own_example_is_signed() {
    let right = [("x-hub-signature-256", format!("sha256={CODE}"))];
    assert!(signed(GitProvider::GitHub, &right, BODY));
    assert!(!signed(GitProvider::GitHub, &right, b"Hello, World?"));
    let wrong = [
        String::new(),
        "sha256=".into(),
        CODE.into(),
        format!("sha1={CODE}"),
        format!("sha256={}", CODE.replace('7', "8")),
        format!("sha256={}", &CODE[..62]),
        format!("sha256={CODE}00"),
        format!("sha256={}", CODE.replace('7', "é")),
        format!("sha256={}", "0".repeat(64)),
    ];
    for code in wrong {
        let pairs = [("x-hub-signature-256", code.clone())];
        assert!(!signed(GitProvider::GitHub, &pairs, BODY), "{code}");
    }
    assert!(!signed(GitProvider::GitHub, &[], BODY));
    let old = [("x-hub-signature", format!("sha256={CODE}"))];
    assert!(!signed(GitProvider::GitHub, &old, BODY), "SHA-1's header");
}

#[test]
fn forgejo_and_gitea_sign_without_a_prefix() {
    for name in ["x-forgejo-signature", "x-gitea-signature"] {
        assert!(signed(GitProvider::Forgejo, &[(name, CODE.into())], BODY));
        let prefixed = [(name, format!("sha256={CODE}"))];
        assert!(!signed(GitProvider::Forgejo, &prefixed, BODY));
    }
    let github = [("x-hub-signature-256", format!("sha256={CODE}"))];
    assert!(!signed(GitProvider::Forgejo, &github, BODY));
}

#[test]
fn gitlabs_token_is_the_secret_itself() {
    let text = String::from_utf8(TEXT.to_vec()).expect("text");
    assert!(signed(
        GitProvider::GitLab,
        &[("x-gitlab-token", text.clone())],
        BODY
    ));
    for wrong in [
        String::new(),
        text.to_lowercase(),
        format!("{text}."),
        text[1..].into(),
    ] {
        assert!(!signed(
            GitProvider::GitLab,
            &[("x-gitlab-token", wrong)],
            BODY
        ));
    }
    assert!(!signed(GitProvider::GitLab, &[], BODY));
}

#[test]
fn gitlabs_signing_token_signs_id_time_and_body() {
    let raw = [7_u8; 32];
    let token = format!("whsec_{}", STANDARD.encode(raw));
    let secrets = [secret(token.as_bytes())];
    let key = hmac::Key::new(hmac::HMAC_SHA256, &raw);
    let time = at(0).as_second().to_string();
    let code = hmac::sign(&key, format!("d1.{time}.Hello, World!").as_bytes());
    let code = format!("v1,{}", STANDARD.encode(code.as_ref()));
    let right = [
        ("webhook-id", "d1".to_owned()),
        ("webhook-timestamp", time),
        ("webhook-signature", format!("v2,else {code}")),
    ];
    let check = |pairs: &[(&'static str, String)], body, now| {
        is_signed(GitProvider::GitLab, &headers(pairs), body, &secrets, now)
    };
    assert!(check(&right, BODY, at(299)));
    assert!(!check(&right, BODY, at(301)), "too old");
    assert!(!check(&right, BODY, at(-301)), "from the future");
    assert!(!check(&right, b"Hello", at(0)));
    for (position, value) in [
        (0, "d2"),
        (1, "1700000001"),
        (1, "soon"),
        (2, "v1,AAAA"),
        (2, ""),
    ] {
        let mut wrong = right.clone();
        wrong[position].1 = value.to_owned();
        assert!(!check(&wrong, BODY, at(0)), "{value}");
        assert!(!check(&right[..position], BODY, at(0)));
    }
    assert!(
        !check(&[("x-gitlab-token", token)], BODY, at(0)),
        "never in clear"
    );
}

#[test]
fn a_secret_is_long_enough_and_never_shown() {
    assert_eq!(format!("{:?}", secret(TEXT)), "Secret(..)");
    assert!(
        Secret::new(b"short")
            .expect_err("short")
            .contains("must have 16 bytes")
    );
    assert!(
        Secret::new(b"                \n").is_err(),
        "space is no secret"
    );
    let odd = Secret::new(b"whsec_not base64 at all!").expect_err("not base64");
    assert!(odd.contains("must be base64"));
    let with_line_end = [TEXT, b"\n"].concat();
    assert!(secret(&with_line_end).is(TEXT));
}

#[test]
fn without_secrets_nothing_is_signed() {
    let pairs = headers(&[("x-hub-signature-256", format!("sha256={CODE}"))]);
    assert!(!is_signed(GitProvider::GitHub, &pairs, BODY, &[], at(0)));
}
