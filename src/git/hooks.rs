//! Takes webhooks over HTTP: `POST /hooks/git/{host}`. What comes is not trusted before its signature is checked, and
//! never more of it is held than 1 MiB each.

mod body;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::Receiver;
use super::deliveries::{Deliveries, key};
use super::webhook::{self, Event, Hint, is_signed};
use sources::Sources;

/// Who acts on hints.
pub trait Hints: Send + Sync {
    /// Takes a hint. `false`: there is no room now, or nobody who would act on it.
    fn take(&self, hint: Hint) -> bool;
}

impl Hints for mpsc::Sender<Hint> {
    fn take(&self, hint: Hint) -> bool {
        self.try_send(hint).is_ok()
    }
}

/// Takes the webhooks of the configured hosts. Cheap to clone.
#[derive(Clone)]
pub struct Hooks(Arc<Taking>);

struct Taking {
    receivers: Vec<Receiver>,
    hints: Box<dyn Hints>,
    deliveries: Deliveries,
    sources: Sources,
}

/// Why a webhook is not taken, as a sentence for its sender.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, sentence) = self;
        let mut response = (status, format!("{sentence}\n")).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let later = axum::http::HeaderValue::from_static("5");
            response.headers_mut().insert(RETRY_AFTER, later);
        }
        response
    }
}

impl Hooks {
    /// Takes webhooks for these hosts, and passes on what they hint at.
    pub fn new(receivers: Vec<Receiver>, hints: impl Hints + 'static) -> Self {
        Self(Arc::new(Taking {
            receivers,
            hints: Box::new(hints),
            deliveries: Deliveries::default(),
            sources: Sources::default(),
        }))
    }

    /// The route, to be merged into the server. Where that knows its clients' addresses (`ConnectInfo<SocketAddr>`), no
    /// client takes all the room.
    pub fn router(&self) -> Router {
        let route = post(receive).with_state(self.clone());
        Router::new().route("/hooks/git/{host}", route)
    }
}

async fn receive(
    State(hooks): State<Hooks>,
    Path(host): Path<String>,
    request: Request,
) -> Result<(StatusCode, &'static str), Refusal> {
    let taking = &hooks.0;
    let receiver = taking.receiver(&host)?;
    must_be_json(request.headers())?;
    body::must_fit(request.headers())?;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    let Some(_place) = taking.sources.enter(peer).await else {
        return Err(busy("too many webhooks are being taken"));
    };
    let (parts, content) = request.into_parts();
    let content = body::read(content).await?;
    taking.hear(receiver, &parts.headers, &content)
}

impl Taking {
    fn receiver(&self, host: &str) -> Result<&Receiver, Refusal> {
        let mut receivers = self.receivers.iter();
        let receiver = receivers.find(|receiver| receiver.name == host);
        let receiver = receiver.ok_or_else(|| {
            let sentence = "the path must end with the name of a host in git.hosts";
            Refusal(StatusCode::NOT_FOUND, sentence.into())
        })?;
        if receiver.secrets.is_empty() {
            let sentence = format!("the host {host} must have a webhookSecret in git.hosts");
            return Err(Refusal(StatusCode::FORBIDDEN, sentence));
        }
        Ok(receiver)
    }

    /// Checks, reads and passes on.
    fn hear(
        &self,
        receiver: &Receiver,
        headers: &HeaderMap,
        content: &[u8],
    ) -> Result<(StatusCode, &'static str), Refusal> {
        let (host, provider) = (receiver.name.as_str(), receiver.provider);
        let now = Timestamp::now();
        if !is_signed(provider, headers, content, &receiver.secrets, now) {
            tracing::debug!(host, "a webhook without the right signature was refused");
            let sentence = "the webhook must be signed with the host's secret";
            return Err(Refusal(StatusCode::UNAUTHORIZED, sentence.into()));
        }
        let event = webhook::read(host, provider, headers, content);
        let hint = match event.map_err(|why| Refusal(StatusCode::BAD_REQUEST, why))? {
            Event::Ping => return Ok((StatusCode::ACCEPTED, "heard\n")),
            Event::Ignored => return Ok((StatusCode::ACCEPTED, "ignored\n")),
            Event::Hint(hint) => hint,
        };
        let id = webhook::delivery(provider, headers).unwrap_or_default();
        let key = key(host, id, content);
        if !self.deliveries.take(&key, Instant::now()) {
            return Ok((StatusCode::ACCEPTED, "taken already\n"));
        }
        if !self.hints.take(hint) {
            self.deliveries.give_back(&key);
            return Err(busy("no more pull requests can be looked at now"));
        }
        Ok((StatusCode::ACCEPTED, "accepted\n"))
    }
}

fn busy(why: &str) -> Refusal {
    let sentence = format!("{why}: it must be sent again");
    Refusal(StatusCode::SERVICE_UNAVAILABLE, sentence)
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = headers
        .get(CONTENT_TYPE)
        .and_then(|said| said.to_str().ok());
    let kind = said.and_then(|said| said.split(';').next()).map(str::trim);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    let sentence = "the webhook must be sent as application/json";
    Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence.into()))
}

#[cfg(test)]
mod tests;
