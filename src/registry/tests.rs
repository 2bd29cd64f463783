//! The registry client against a small registry that can answer in every way.

mod played;

use super::*;
use played::{config_of, index, manifest, play, sha256};

fn found(content: &str, key: Option<&str>) -> Answer {
    Answer::Found {
        digest: sha256(content),
        migration_key: key.map(Into::into),
    }
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Refused(why) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_tag_is_resolved_by_one_head_request() {
    let played = play().await;
    assert_eq!(
        played.resolve("shop:1.0", &[], false).await,
        found(&manifest(&config_of("9f2c")), None)
    );
    assert_eq!(played.asked(), ["HEAD shop/manifests/1.0"]);
}

#[tokio::test]
async fn a_registry_that_knows_no_head_or_no_header_is_asked_for_the_content() {
    let played = play().await;
    for image in ["no-head:1.0", "no-header:1.0", "moved:1.0"] {
        assert_eq!(
            played.resolve(image, &[], false).await,
            found(&manifest(&config_of("9f2c")), None),
            "{image}"
        );
    }
}

#[tokio::test]
async fn the_label_is_read_of_the_image_for_linux_amd64() {
    let played = play().await;
    assert_eq!(
        played.resolve("shop:1.0", &[], true).await,
        found(&manifest(&config_of("9f2c")), Some("9f2c"))
    );
    assert_eq!(
        played.resolve("shop:many", &[], true).await,
        found(&index(), Some("9f2c"))
    );
    assert_eq!(
        played.resolve("shop:plain", &[], true).await,
        found(&manifest("{}"), None)
    );
    let refused = refusal(played.resolve("shop:odd-label", &[], true).await);
    assert!(
        refused.contains("the label dev.towpath.migrations must have"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_digest_is_answered_without_asking_unless_the_label_is_wanted() {
    let played = play().await;
    let digest = sha256(&index());
    let image = format!("shop:old-tag@{digest}");
    assert_eq!(
        played.resolve(&image, &[], false).await,
        found(&index(), None)
    );
    assert!(played.asked().is_empty());
    assert_eq!(
        played.resolve(&image, &[], true).await,
        found(&index(), Some("9f2c"))
    );
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_a_registry_in_trouble_is_silent() {
    let played = play().await;
    for image in ["shop:2.0", "gone:1.0"] {
        let answer = played.resolve(image, &[], false).await;
        assert!(
            matches!(&answer, Answer::Missing(why) if why.contains(image)),
            "{answer:?}"
        );
    }
    for image in ["broken:1.0", "busy:1.0", "down:1.0"] {
        let answer = played.resolve(image, &[], false).await;
        assert!(
            matches!(&answer, Answer::Silent(why) if why.contains(image)),
            "{answer:?}"
        );
    }
    assert!(refusal(played.resolve("odd:1.0", &[], false).await).contains("418"));
}

#[tokio::test]
async fn a_registry_that_hangs_or_is_not_there_is_silent() {
    let played = play().await;
    let mut registry = played.registry();
    registry.timeout = Duration::from_millis(200);
    let answer = registry
        .resolve(&format!("{}/hangs:1.0", played.host), &[], false)
        .await;
    assert!(
        matches!(&answer, Answer::Silent(why) if why.contains("the time was up")),
        "{answer:?}"
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let answer = registry
        .resolve(&format!("{closed}/shop:1.0"), &[], false)
        .await;
    assert!(
        matches!(&answer, Answer::Silent(why) if why.contains("refused the connection")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn without_a_pull_secret_that_fits_the_refusal_says_what_must_be_named() {
    let played = play().await;
    for image in ["basic:1.0", "token:1.0"] {
        for secrets in [vec![], vec![played.secret("wrong")]] {
            let refused = refusal(played.resolve(image, &secrets, false).await);
            assert!(
                refused.contains("must name a digest or a pull secret"),
                "{refused}"
            );
            assert!(
                refused.contains(image) && !refused.contains("wrong"),
                "{refused}"
            );
        }
    }
}

#[tokio::test]
async fn a_pull_secret_opens_basic_and_token_registries() {
    let played = play().await;
    for image in ["basic:1.0", "token:1.0"] {
        let secrets = [played.secret("wrong"), played.secret("right")];
        assert_eq!(
            played.resolve(image, &secrets, true).await,
            found(&manifest(&config_of("9f2c")), Some("9f2c")),
            "{image}"
        );
    }
    let token = "TOKEN scope=repository%3Atoken%3Apull&service=played".to_string();
    assert!(played.asked().contains(&token), "{:?}", played.asked());
}

#[tokio::test]
async fn a_login_that_is_let_in_and_finds_nothing_outweighs_one_that_is_refused() {
    let played = play().await;
    let answer = played
        .resolve(
            "hidden:1.0",
            &[played.secret("wrong"), played.secret("right")],
            false,
        )
        .await;
    assert!(matches!(answer, Answer::Missing(_)), "{answer:?}");
}

#[tokio::test]
async fn credentials_of_one_app_are_not_used_for_another() {
    let played = play().await;
    let registry = played.registry();
    let image = format!("{}/basic:1.0", played.host);
    assert!(matches!(
        registry
            .resolve(&image, &[played.secret("right")], false)
            .await,
        Answer::Found { .. }
    ));
    assert!(matches!(
        registry.resolve(&image, &[], false).await,
        Answer::Refused(_)
    ));
}

#[tokio::test]
async fn an_endpoint_is_asked_with_the_controllers_own_credentials() {
    let played = play().await;
    let text = format!(
        "registries: [{{prefix: registry.example.com, endpoint: '{}', plainHTTP: true, authSecret: pull}}]",
        played.host
    );
    let config = Config::parse(&text).expect("a configuration");
    let auth = br#"{"auths": {"registry.example.com": {"username": "shop", "password": "right"}}}"#
        .to_vec();
    let secrets = Secrets::from([(
        "pull".to_string(),
        BTreeMap::from([(".dockerconfigjson".to_string(), auth)]),
    )]);
    let registry = Registry::new(&config, &secrets).expect("a client");
    let answer = registry
        .resolve("registry.example.com/basic:1.0", &[], false)
        .await;
    assert_eq!(answer, found(&manifest(&config_of("9f2c")), None));
    let missing = Registry::new(&config, &Secrets::new())
        .map(|_| ())
        .expect_err("the Secret is not there");
    assert!(
        missing.contains("Secret pull") && missing.contains("must have the key .dockerconfigjson"),
        "{missing}"
    );
}

#[tokio::test]
async fn content_that_is_too_large_or_forged_is_refused() {
    let played = play().await;
    assert!(refusal(played.resolve("no-head:large", &[], false).await).contains("more than 4 MiB"));
    let forged = format!("forged@{}", sha256(&index()));
    assert!(
        refusal(played.resolve(&forged, &[], true).await).contains("does not match its digest")
    );
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_without_asking() {
    let played = play().await;
    assert!(refusal(played.resolve("Shop:1.0", &[], false).await).contains("must be a reference"));
    assert!(played.asked().is_empty());
}
