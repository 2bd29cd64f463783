//! Makes the checks after a rollout, and counts their answers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpStream;

use crate::caches::locked;
use crate::context::Context;
use crate::plan::questions::{self, By, CheckQuestion};
use crate::probe::{self, Answer, Probe};
use crate::seen::{Check, SeenEnvironment};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// One measurement of a key in this time.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// The answers to one check.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    revision: i64,
    check: Check,
    at: Option<Timestamp>,
}

impl Counted {
    /// The answers counted so far, if they are about this revision.
    pub(crate) fn of(known: Option<&Self>, revision: i64) -> Self {
        let known = known.filter(|known| known.revision == revision);
        known.cloned().unwrap_or(Self {
            revision,
            ..Self::default()
        })
    }

    /// Whether it is time for another answer.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_none_or(|at| {
            let age = now.duration_since(at);
            age.is_negative() || age >= APART
        })
    }

    /// What they come to.
    pub(crate) fn check(&self) -> &Check {
        &self.check
    }

    /// Counts one more answer.
    pub(crate) fn count(&mut self, answer: Answer, now: Timestamp) {
        self.at = Some(now);
        let check = &mut self.check;
        check.answers = check.answers.saturating_add(1);
        match answer {
            Answer::Yes => check.yes_in_a_row = check.yes_in_a_row.saturating_add(1),
            Answer::No(why) => {
                check.yes_in_a_row = 0;
                check.last_no = Some(why);
            }
            Answer::Unknown(why) => {
                check.yes_in_a_row = 0;
                check.last_no = None;
                check.last_unknown = Some(why);
            }
        }
    }
}

/// The checks of this pass, made where they are due, and counted.
pub(super) async fn ask(seen: &SeenEnvironment, ctx: &Context) -> BTreeMap<String, Check> {
    let asked = questions::checks(seen);
    let memory = ctx.memories.of(&seen.environment);
    locked(&memory.checks).retain(|key, _| asked.iter().any(|question| question.key == *key));
    let checks = asked.into_iter().map(|question| one(question, seen, ctx));
    join_all(checks).await.into_iter().collect()
}

async fn one(question: CheckQuestion, seen: &SeenEnvironment, ctx: &Context) -> (String, Check) {
    let memory = ctx.memories.of(&seen.environment);
    let known = locked(&memory.checks).get(&question.key).cloned();
    let mut counted = Counted::of(known.as_ref(), question.revision);
    if counted.is_due(seen.now) {
        let answer = measure(&question, ctx).await;
        counted.count(answer, ctx.now());
        locked(&memory.checks).insert(question.key.clone(), counted.clone());
    }
    (question.key, counted.check)
}

async fn measure(question: &CheckQuestion, ctx: &Context) -> Answer {
    match &question.by {
        By::Http(url) => {
            let probe = Probe {
                url: url.clone(),
                host: None,
                timeout: TIMEOUT,
            };
            probe::ask(&ctx.probes, &probe).await
        }
        By::Tcp(address) => connect(address).await,
        By::Host {
            address,
            host,
            path,
        } => by_host(address, host, path).await,
    }
}

/// Through the gateway's address.
async fn by_host(address: &str, host: &str, path: &str) -> Answer {
    let probe = Probe {
        url: url(address, host, path),
        host: Some(host.to_owned()),
        timeout: TIMEOUT,
    };
    match probe::client_through(host, address).await {
        Ok(client) => probe::ask(&client, &probe).await,
        Err(why) => Answer::Unknown(why),
    }
}

/// An address says nothing of TLS but by its port.
fn url(address: &str, host: &str, path: &str) -> String {
    let authority = address.parse::<http::uri::Authority>();
    let port = authority.ok().and_then(|authority| authority.port_u16());
    let scheme = match port {
        Some(443 | 8443) => "https",
        _ => "http",
    };
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    format!("{scheme}://{host}{port}{path}")
}

async fn connect(address: &str) -> Answer {
    match tokio::time::timeout(TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Answer::Yes,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Answer::No("the connection was refused".to_owned())
        }
        Ok(Err(error)) => {
            Answer::Unknown(format!("it could not be connected to: {}", error.kind()))
        }
        Err(_) => Answer::Unknown(format!("it did not answer within {} s", TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(milliseconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(milliseconds)
    }

    #[test]
    fn only_answers_in_a_row_count() {
        let mut counted = Counted::default();
        counted.count(Answer::Yes, after(0));
        counted.count(Answer::Yes, after(1000));
        assert_eq!(counted.check.yes_in_a_row, 2);
        counted.count(Answer::Unknown("late".to_owned()), after(2000));
        assert_eq!(counted.check.yes_in_a_row, 0);
        counted.count(Answer::No("500".to_owned()), after(3000));
        counted.count(Answer::Yes, after(4000));
        let told = (counted.check.yes_in_a_row, counted.check.last_no.as_deref());
        assert_eq!(told, (1, Some("500")));
        assert_eq!(counted.check.last_unknown.as_deref(), Some("late"));
    }

    #[test]
    fn a_no_does_not_outlast_the_silence_after_it() {
        let mut counted = Counted::default();
        counted.count(Answer::No("refused".to_owned()), after(0));
        counted.count(Answer::Unknown("late".to_owned()), after(1000));
        assert_eq!(counted.check.last_no, None);
    }

    #[test]
    fn a_storm_of_passes_measures_once_a_second() {
        let mut counted = Counted::default();
        assert!(counted.is_due(after(0)));
        counted.count(Answer::Yes, after(0));
        assert!(!counted.is_due(after(999)));
        assert!(counted.is_due(after(1000)));
        assert!(counted.is_due(after(-5)));
    }

    #[test]
    fn hosts_are_asked_by_tls_on_its_ports() {
        let asked = |address| url(address, "shop.example.com", "/health");
        assert_eq!(asked("edge"), "http://shop.example.com/health");
        assert_eq!(asked("10.0.0.10:80"), "http://shop.example.com:80/health");
        assert_eq!(asked("[::1]:443"), "https://shop.example.com:443/health");
        assert_eq!(asked("edge:8443"), "https://shop.example.com:8443/health");
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_no() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(connect(&address).await, Answer::Yes);
        drop(listener);
        assert!(matches!(connect(&address).await, Answer::No(_)));
    }
}
