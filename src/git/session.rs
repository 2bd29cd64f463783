//! Requests to one host under one token: what is sent, how much is read, and what each status means.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::announcement::description;
use super::memory::Memory;
use super::{Failure, RateLimit, Token, limit};
use crate::config::GitProvider;
use crate::outbound::Fault;

/// More than a page of any list has; a host is not trusted with the controller's memory.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Which of GitHub's APIs is spoken.
const GITHUB_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// A host that may be asked.
pub(super) struct Place {
    pub http: Client,
    pub provider: GitProvider,
    /// Where its API is.
    pub api: String,
    /// Its name in sentences.
    pub shown: String,
    /// How many requests may be under way at once.
    pub permits: Semaphore,
    /// How long one may take.
    pub timeout: Duration,
}

/// A host, asked with one token.
pub(super) struct Session {
    pub place: Arc<Place>,
    pub token: Token,
    pub memory: Arc<Memory>,
    pub clock: fn() -> Timestamp,
}

/// A request.
pub(super) struct Ask<'a> {
    pub method: Method,
    /// Behind the API's address; text of others in it is escaped.
    pub path: &'a str,
    pub body: Option<Value>,
    /// Tag of what is known already.
    pub etag: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            etag: None,
        }
    }

    pub fn send(method: Method, path: &'a str, body: Value) -> Self {
        Self {
            method,
            path,
            body: Some(body),
            etag: None,
        }
    }
}

/// An answer that is neither a limit nor trouble of the host.
pub(super) struct Told {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub content: Vec<u8>,
}

impl Session {
    /// Asks for something that must be there. `purpose` is what the token must be allowed to do for it.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, purpose: &str) -> Result<T, Failure> {
        let told = self.ask(&Ask::get(path)).await?;
        self.read(&told, purpose)
    }

    /// Asks for something that may be missing.
    pub async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        purpose: &str,
    ) -> Result<Option<T>, Failure> {
        let told = self.ask(&Ask::get(path)).await?;
        if told.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(&told, purpose).map(Some)
    }

    /// Writes something; the answer does not matter beyond that it is a yes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Value,
        purpose: &str,
    ) -> Result<(), Failure> {
        let told = self.ask(&Ask::send(method, path, body)).await?;
        self.accepted(&told, purpose)
    }

    /// Sends a request, unless the host has said that it takes none now.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Told, Failure> {
        if let Some(until) = self.memory.closed_until((self.clock)()) {
            return Err(Failure::Limited(until));
        }
        let _permit = self.place.permits.acquire().await;
        let response = self.request(ask)?.send().await;
        let response = response.map_err(|error| self.silent(&Fault::of(&error).to_string()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let content = self.content(response).await?;
        if let Some(limit) = RateLimit::of(&headers) {
            self.memory.keep_limit(limit);
        }
        if let Some(until) = limit::until(status, &headers, &content, (self.clock)()) {
            self.memory.close_until(until);
            return Err(Failure::Limited(until));
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(self.silent(&format!("it answered {}", status.as_u16())));
        }
        Ok(Told {
            status,
            headers,
            content,
        })
    }

    fn request(&self, ask: &Ask<'_>) -> Result<RequestBuilder, Failure> {
        let place = &self.place;
        let url = format!("{}{}", place.api, ask.path);
        let request = place.http.request(ask.method.clone(), url);
        let scheme = match place.provider {
            GitProvider::GitHub | GitProvider::GitLab => "Bearer",
            GitProvider::Forgejo => "token",
        };
        let authorization = self.token.header(scheme);
        let authorization =
            authorization.ok_or_else(|| Failure::Refused("the token must be one word".into()))?;
        let mut request = request
            .timeout(place.timeout)
            .header(AUTHORIZATION, authorization);
        request = match place.provider {
            GitProvider::GitHub => request
                .header(ACCEPT, "application/vnd.github+json")
                .header(HeaderName::from_static(GITHUB_VERSION.0), GITHUB_VERSION.1),
            GitProvider::GitLab | GitProvider::Forgejo => {
                request.header(ACCEPT, "application/json")
            }
        };
        if let Some(etag) = ask.etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        Ok(match &ask.body {
            Some(body) => request.json(body),
            None => request,
        })
    }

    async fn content(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut content = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.silent(&Fault::of(&error).to_string()))?;
            let Some(chunk) = chunk else {
                return Ok(content);
            };
            if content.len() + chunk.len() > MOST_BYTES {
                return Err(self.silent("it sent more than 16 MiB"));
            }
            content.extend_from_slice(&chunk);
        }
    }

    /// Reads an answer that must be a yes.
    pub fn read<T: DeserializeOwned>(&self, told: &Told, purpose: &str) -> Result<T, Failure> {
        self.accepted(told, purpose)?;
        serde_json::from_slice(&told.content)
            .map_err(|_| self.silent("it answered with something else than its API promises"))
    }

    /// Whether the answer is a yes; else what must change.
    pub fn accepted(&self, told: &Told, purpose: &str) -> Result<(), Failure> {
        let (host, code) = (&self.place.shown, told.status.as_u16());
        let sentence = match told.status {
            status if status.is_success() => return Ok(()),
            status if status.is_redirection() => format!(
                "{host} answered {code} when asked to {purpose}: the repository must be named by its present name, and \
                 the host by its own address"
            ),
            StatusCode::UNAUTHORIZED => {
                format!("{host} does not accept the token ({code}): it must be valid there")
            }
            StatusCode::FORBIDDEN => {
                format!("{host} refused ({code}): the token must be allowed to {purpose}")
            }
            StatusCode::NOT_FOUND => format!(
                "{host} knows nothing of it ({code}): it must exist, and the token must be allowed to {purpose}"
            ),
            _ => format!(
                "{host} refused to {purpose} ({code}): the request must be one that it takes; it said {:?}",
                told.message()
            ),
        };
        Err(Failure::Refused(sentence))
    }

    /// No answer, and why.
    pub fn silent(&self, why: &str) -> Failure {
        Failure::Silent(format!("{} gave no answer: {why}", self.place.shown))
    }
}

impl Told {
    /// What the host said beside the status, in one short line.
    pub fn message(&self) -> String {
        let value: Value = serde_json::from_slice(&self.content).unwrap_or_default();
        let said = value.get("message").or_else(|| value.get("error"));
        match said {
            Some(Value::String(text)) => description(text),
            Some(other) => description(&other.to_string()),
            None => "nothing".into(),
        }
    }
}
