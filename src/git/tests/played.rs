//! A Git host on a local port that answers as it was told, and notes what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::config::GitProvider;
use crate::git::memory::Memory;
use crate::git::session::{Place, Session};
use crate::git::{Repository, Token, forgejo, github, gitlab};
use crate::outbound;

/// A fixture's text.
macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../tests/fixtures/git/", $path))
    };
}
pub(super) use fixture;

/// What the host was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method, path and query.
    pub line: String,
    pub authorization: String,
    pub accept: String,
    pub etag: String,
    pub agent: String,
    pub body: Value,
}

/// What the host answers.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.to_owned(),
    }
}

impl Answer {
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Default)]
struct Script {
    answers: Vec<(String, Answer)>,
    asked: Vec<Asked>,
}

/// A host that is played.
pub struct Played {
    pub address: String,
    script: Arc<Mutex<Script>>,
    memory: Arc<Memory>,
}

async fn play(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.expect("a body");
    let header = |name: &str| {
        let value = parts.headers.get(name).map(|value| value.to_str());
        value
            .transpose()
            .expect("text")
            .unwrap_or_default()
            .to_owned()
    };
    let line = format!("{} {}", parts.method, parts.uri);
    let mut script = script.lock().expect("one at a time");
    script.asked.push(Asked {
        line: line.clone(),
        authorization: header("authorization"),
        accept: header("accept"),
        etag: header("if-none-match"),
        agent: header("user-agent"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let mut fitting = script.answers.iter().enumerate();
    let first = fitting.find(|(_, (of, _))| *of == line).map(|(at, _)| at);
    let more = fitting.any(|(_, (of, _))| *of == line);
    let Some(at) = first else {
        return said(answer(418, &format!("nothing is played for {line}")), "");
    };
    // The last answer stays.
    let found = if more {
        script.answers.remove(at).1
    } else {
        script.answers[at].1.clone()
    };
    said(found, &header("if-none-match"))
}

fn said(answer: Answer, etag: &str) -> Response<Body> {
    let is_known = |(name, value): &(&str, String)| *name == "etag" && value == etag;
    let same = answer.headers.iter().any(is_known);
    let (status, body) = if same {
        (304, Body::empty())
    } else {
        (answer.status, Body::from(answer.body))
    };
    let mut response = Response::builder().status(status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(body).expect("a response")
}

impl Played {
    pub async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let script = Arc::<Mutex<Script>>::default();
        let app = Router::new().fallback(play).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            script,
            memory: Arc::default(),
        }
    }

    /// Answers a request. The same one again is answered by what was said of it next, if there is more.
    pub fn on(&self, line: &str, answer: Answer) -> &Self {
        let mut script = self.script.lock().expect("one at a time");
        script.answers.push((line.to_owned(), answer));
        self
    }

    /// Answers a request in this way from now on.
    pub fn now_on(&self, line: &str, answer: Answer) {
        let mut script = self.script.lock().expect("one at a time");
        script.answers.retain(|(of, _)| of != line);
        script.answers.push((line.to_owned(), answer));
    }

    /// What was asked since the last time, in order.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().expect("one at a time").asked)
    }

    /// The same, only method and path.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// What was written since the last time.
    pub fn written(&self) -> Vec<(String, Value)> {
        let asked = self.asked().into_iter();
        let asked = asked.filter(|asked| !asked.line.starts_with("GET "));
        asked.map(|asked| (asked.line, asked.body)).collect()
    }

    /// Forgets what the controller remembers, as a restart does.
    pub fn restart(&mut self) {
        self.memory = Arc::default();
    }

    pub fn session(&self, provider: GitProvider) -> Session {
        let http = outbound::http_client(None).expect("settings").build();
        Session {
            place: Arc::new(Place {
                http: http.expect("a client"),
                provider,
                api: self.address.clone(),
                shown: "the host".into(),
                permits: Semaphore::new(4),
                timeout: Duration::from_millis(500),
            }),
            token: Token::new(b"s3cret-token").expect("a token"),
            memory: self.memory.clone(),
            clock: now,
        }
    }

    pub fn github(&self) -> github::GitHub {
        github::GitHub(self.session(GitProvider::GitHub))
    }

    pub fn gitlab(&self) -> gitlab::GitLab {
        gitlab::GitLab(self.session(GitProvider::GitLab))
    }

    pub fn forgejo(&self) -> forgejo::Forgejo {
        forgejo::Forgejo(self.session(GitProvider::Forgejo))
    }
}

/// The time in these tests.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("a time")
}

pub fn shop() -> Repository {
    Repository::parse(GitProvider::GitHub, "acme/shop").expect("a name")
}
