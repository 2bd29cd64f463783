use std::collections::BTreeMap;

use super::played::{Played, answer, fixture, shop};
use super::*;
use crate::config::Config;
use crate::registry::Secrets;

fn hosts(text: &str, secrets: &Secrets) -> Result<Hosts, String> {
    Hosts::new(&Config::parse(text).expect("a configuration"), secrets)
}

fn token(text: &str) -> Token {
    Token::new(text.as_bytes()).expect("a token")
}

fn secret(name: &str, values: &[(&str, &[u8])]) -> Secrets {
    let values = values.iter();
    let data = values.map(|(key, value)| ((*key).to_owned(), value.to_vec()));
    BTreeMap::from([(name.to_owned(), data.collect())])
}

#[tokio::test]
async fn a_configured_host_is_asked_and_its_tokens_remember_apart() {
    let played = Played::new().await;
    let path = "/api/v1/repos/acme/shop/pulls?state=open&sort=recentupdate&limit=50&page=1";
    let said = answer(200, fixture!("forgejo/pulls_page_2.json")).with("etag", "\"one\"");
    played.on(&format!("GET {path}"), said);
    let text = format!(
        "git: {{hosts: [{{provider: Forgejo, url: '{}'}}]}}",
        played.address
    );
    let hosts = hosts(&text, &Secrets::new()).expect("hosts");
    for (secret, etag) in [("one", ""), ("one", "\"one\""), ("two", "")] {
        let host = hosts.host(GitProvider::Forgejo, None, &token(secret));
        let listed = host.expect("a host").open(&shop()).await.expect("a list");
        assert_eq!(listed.pull_requests.len(), 1);
        let asked = played.asked();
        assert_eq!(asked[0].authorization, format!("token {secret}"));
        assert_eq!(asked[0].etag, etag);
    }
}

#[test]
fn only_configured_hosts_may_be_asked() {
    let text = "git: {hosts: [{provider: GitHub}, {name: ghe, provider: GitHub, url: 'https://ghe.example.com/api/v3'}, {provider: GitLab}]}";
    let hosts = hosts(text, &Secrets::new()).expect("hosts");
    for (provider, name) in [
        (GitProvider::GitHub, Some("github")),
        (GitProvider::GitHub, Some("ghe")),
        (GitProvider::GitLab, None),
    ] {
        assert!(hosts.host(provider, name, &token("t")).is_ok(), "{name:?}");
    }
    for (provider, name, part) in [
        (GitProvider::GitHub, None, "the source must name its host"),
        (
            GitProvider::GitLab,
            Some("ghe"),
            "must have a host ghe of provider GitLab",
        ),
        (
            GitProvider::Forgejo,
            None,
            "must have a host of provider Forgejo",
        ),
    ] {
        let refused = hosts.host(provider, name, &token("t")).map(|_| ());
        let Err(Failure::Refused(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn what_the_configuration_names_must_be_there() {
    let ca = "git: {hosts: [{provider: GitHub, caSecret: ca}]}";
    let why = hosts(ca, &Secrets::new())
        .map(|_| ())
        .expect_err("no Secret");
    assert!(
        why.contains("Secret ca") && why.contains("must have the key ca.crt"),
        "{why}"
    );
    let odd = secret("ca", &[("ca.crt", b"hello")]);
    let why = hosts(ca, &odd).map(|_| ()).expect_err("no CA");
    assert!(why.contains("must be certificates in PEM"), "{why}");

    let signed = "git: {hosts: [{provider: GitHub, webhookSecret: hooks}, {provider: GitLab}]}";
    for (secrets, part) in [
        (Secrets::new(), "must have 1 to 4 keys"),
        (secret("hooks", &[("a", b"short")]), "must have 16 bytes"),
    ] {
        let why = hosts(signed, &secrets).map(|_| ()).expect_err("refused");
        assert!(why.contains("Secret hooks") && why.contains(part), "{why}");
    }
    let two = secret("hooks", &[("new", &[b'n'; 32]), ("old", &[b'o'; 32])]);
    let receivers = hosts(signed, &two).expect("hosts").receivers();
    let shown: Vec<_> = receivers
        .iter()
        .map(|receiver| {
            (
                receiver.name.as_str(),
                receiver.provider,
                receiver.secrets.len(),
            )
        })
        .collect();
    let wanted = [
        ("github", GitProvider::GitHub, 2),
        ("gitlab", GitProvider::GitLab, 0),
    ];
    assert_eq!(shown, wanted);
    assert!(!format!("{receivers:?}").contains("nnnn"));
}
