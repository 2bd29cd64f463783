//! Webhooks: whether one was signed by its host, and which pull request it hints at. Pure.
//!
//! An event is only a hint. Of its text nothing is used but repository and number; the state is read from the host.

mod signature;

pub use signature::{Secret, is_signed};

use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Repository;
use crate::config::GitProvider;

/// A pull request that something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hint {
    /// Name of the host in the configuration.
    pub host: String,
    /// Whose API it speaks.
    pub provider: GitProvider,
    /// The repository of the pull request.
    pub repository: Repository,
    /// Its number.
    pub number: u64,
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a pull request.
    Hint(Hint),
    /// The host tries whether it is heard.
    Ping,
    /// Something happened that no preview depends on.
    Ignored,
}

/// Which header names the event.
fn event_of(provider: GitProvider, headers: &HeaderMap) -> Option<&str> {
    let names: &[&str] = match provider {
        GitProvider::GitHub => &["x-github-event"],
        GitProvider::GitLab => &["x-gitlab-event"],
        GitProvider::Forgejo => &["x-forgejo-event", "x-gitea-event"],
    };
    text(headers, names)
}

/// The id under which a host sends the same event again. It is not signed.
pub fn delivery(provider: GitProvider, headers: &HeaderMap) -> Option<&str> {
    let names: &[&str] = match provider {
        GitProvider::GitHub => &["x-github-delivery"],
        GitProvider::GitLab => &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"],
        GitProvider::Forgejo => &["x-forgejo-delivery", "x-gitea-delivery"],
    };
    text(headers, names)
}

/// The first of these headers that is there.
fn text<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    let mut found = names.iter().filter_map(|name| headers.get(*name));
    found.next()?.to_str().ok()
}

#[derive(Deserialize)]
struct PullRequestEvent {
    number: u64,
    repository: Named,
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

#[derive(Deserialize)]
struct MergeRequestEvent {
    object_attributes: Attributes,
    project: Project,
}

#[derive(Deserialize)]
struct Attributes {
    iid: u64,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

/// Reads a webhook whose signature was found right. An `Err` is a sentence for its sender.
pub fn read(
    host: &str,
    provider: GitProvider,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Event, String> {
    let event = event_of(provider, headers)
        .ok_or_else(|| format!("a webhook of {} must name its event", provider.as_str()))?;
    let (repository, number) = match (provider, event) {
        (GitProvider::GitHub, "ping") => return Ok(Event::Ping),
        (GitProvider::GitHub, "pull_request") => pull_request(body)?,
        // Forgejo also tells of labels and pushes by events of their own.
        (GitProvider::Forgejo, event) if event.starts_with("pull_request") => pull_request(body)?,
        (GitProvider::GitLab, "Merge Request Hook") => {
            let event: MergeRequestEvent = json(body)?;
            (
                event.project.path_with_namespace,
                event.object_attributes.iid,
            )
        }
        _ => return Ok(Event::Ignored),
    };
    if number == 0 {
        return Err("the number of a pull request must be 1 or more".into());
    }
    Ok(Event::Hint(Hint {
        host: host.to_owned(),
        provider,
        repository: Repository::parse(provider, &repository)?,
        number,
    }))
}

fn pull_request(body: &[u8]) -> Result<(String, u64), String> {
    let event: PullRequestEvent = json(body)?;
    Ok((event.repository.full_name, event.number))
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|_| "the body must be the JSON of an event of a pull request".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, http::HeaderValue::from_static(value))
            })
            .collect()
    }

    fn github(event: &'static str, body: &str) -> Result<Event, String> {
        let headers = headers(&[("x-github-event", event)]);
        read("github", GitProvider::GitHub, &headers, body.as_bytes())
    }

    fn hint(host: &str, provider: GitProvider, repository: &str, number: u64) -> Event {
        Event::Hint(Hint {
            host: host.into(),
            provider,
            repository: Repository::parse(provider, repository).expect("a name"),
            number,
        })
    }

    #[test]
    fn every_hosts_event_hints_at_its_pull_request() {
        let body = include_str!("../../tests/fixtures/git/github/webhook_pull_request.json");
        let wanted = hint("github", GitProvider::GitHub, "acme/shop", 42);
        assert_eq!(github("pull_request", body), Ok(wanted));

        let body = include_bytes!("../../tests/fixtures/git/forgejo/webhook_pull_request.json");
        let wanted = hint("inner", GitProvider::Forgejo, "acme/shop", 42);
        for (name, event) in [
            ("x-forgejo-event", "pull_request"),
            ("x-gitea-event", "pull_request"),
            ("x-gitea-event", "pull_request_label"),
        ] {
            let headers = headers(&[(name, event)]);
            let event = read("inner", GitProvider::Forgejo, &headers, body);
            assert_eq!(event, Ok(wanted.clone()));
        }

        let body = include_bytes!("../../tests/fixtures/git/gitlab/webhook_merge_request.json");
        let headers = headers(&[("x-gitlab-event", "Merge Request Hook")]);
        let event = read("gitlab", GitProvider::GitLab, &headers, body);
        let wanted = hint("gitlab", GitProvider::GitLab, "acme/team/shop", 42);
        assert_eq!(event, Ok(wanted));
    }

    #[test]
    fn what_no_preview_depends_on_is_not_even_read() {
        assert_eq!(github("ping", "{}"), Ok(Event::Ping));
        assert_eq!(github("star", "no JSON"), Ok(Event::Ignored));
        assert_eq!(github("pull_request_review", "{}"), Ok(Event::Ignored));
        let push = headers(&[("x-gitlab-event", "Push Hook")]);
        let event = read("gitlab", GitProvider::GitLab, &push, b"{}");
        assert_eq!(event, Ok(Event::Ignored));
        let push = headers(&[("x-gitea-event", "push")]);
        let event = read("forgejo", GitProvider::Forgejo, &push, b"{}");
        assert_eq!(event, Ok(Event::Ignored));
    }

    #[test]
    fn what_cannot_be_read_is_answered_by_what_it_must_be() {
        let whole = include_str!("../../tests/fixtures/git/github/webhook_pull_request.json");
        let cut = whole.get(..whole.len() / 2).expect("half of it");
        for (body, part) in [
            (cut, "must be the JSON"),
            ("", "must be the JSON"),
            ("{\"number\": 42}", "must be the JSON"),
            (
                r#"{"number": -1, "repository": {"full_name": "a/b"}}"#,
                "must be the JSON",
            ),
            (
                r#"{"number": 0, "repository": {"full_name": "a/b"}}"#,
                "must be 1 or more",
            ),
            (
                r#"{"number": 1, "repository": {"full_name": "a/../b"}}"#,
                "must be named",
            ),
        ] {
            let refusal = github("pull_request", body).expect_err(body);
            assert!(refusal.contains(part), "{body}: {refusal}");
        }
        let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(github("pull_request", &nested).is_err());
        let none = read("github", GitProvider::GitHub, &HeaderMap::new(), b"{}");
        assert!(none.expect_err("no event").contains("must name its event"));
    }

    #[test]
    fn names_of_branches_do_no_harm() {
        for branch in ["\"; DROP DATABASE x; --", "🛒", &"x".repeat(300)] {
            let body = serde_json::json!({
                "number": 7,
                "pull_request": {"head": {"ref": branch}, "title": branch},
                "repository": {"full_name": "acme/shop"},
            });
            let wanted = hint("github", GitProvider::GitHub, "acme/shop", 7);
            assert_eq!(github("pull_request", &body.to_string()), Ok(wanted));
        }
    }

    #[test]
    fn every_hosts_delivery_has_an_id() {
        for (provider, name) in [
            (GitProvider::GitHub, "x-github-delivery"),
            (GitProvider::GitLab, "idempotency-key"),
            (GitProvider::Forgejo, "x-gitea-delivery"),
        ] {
            let headers = headers(&[(name, "d1")]);
            assert_eq!(delivery(provider, &headers), Some("d1"));
        }
        assert_eq!(delivery(GitProvider::GitHub, &HeaderMap::new()), None);
    }
}
