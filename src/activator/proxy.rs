//! One request: whom it is for, and what is done with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::activity::Open;
use super::answer::{self, Asker};
use super::body::Held;
use super::headers;
use super::idle::{self, Heard};
use super::peers::Place;
use super::stage::Stage;
use super::table::{Preview, Table};

/// How long a pod may take to take a connection: it is near, or it is not there.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a preview may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(120);
/// Room for the headers of an answer, in bytes.
const HEADERS: usize = 32 * 1024;

/// Passes requests on.
#[derive(Debug)]
pub struct Proxy {
    table: Arc<Table>,
    answer: Duration,
    idle: Duration,
}

/// What is held as long as a request is open.
type Share = (Open, OwnedSemaphorePermit);

/// Why a preview gave no answer.
enum Failure {
    /// It takes no connections.
    Absent,
    /// It did not speak HTTP, or ended the connection.
    Broken,
    /// It did not begin to answer in time.
    Late,
}

impl Proxy {
    /// Of the previews in this table.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            answer: ANSWER,
            idle: idle::LIMIT,
        }
    }

    #[cfg(test)]
    pub fn answering_within(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    #[cfg(test)]
    pub fn ending_after(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Answers a request, by the preview or by itself.
    pub async fn serve(&self, request: Request<Incoming>) -> Response<Body> {
        let asker = Asker::of(request.method(), request.headers());
        let Some(host) = host(&request).filter(|_| request.method() != Method::CONNECT) else {
            let sentence = "The request must name a host, and must not be CONNECT.";
            return answer::said(StatusCode::BAD_REQUEST, asker, sentence);
        };
        let Some(preview) = self.table.find(&host) else {
            let sentence = "There is no preview on this host: its pull request may be closed.";
            return answer::said(StatusCode::NOT_FOUND, asker, sentence);
        };
        let Some(component) = preview.component(&host, request.uri().path()) else {
            let sentence = "Nothing of this preview answers on this path.";
            return answer::said(StatusCode::NOT_FOUND, asker, sentence);
        };
        let Ok(place) = preview.places.clone().try_acquire_owned() else {
            return answer::busy(asker);
        };
        let open = preview.activity.ask(Timestamp::now());
        self.table.asked.notify_one();
        let backend = preview.backend(component);
        let Some(backend) = backend.filter(|_| preview.stage != Stage::Asleep) else {
            return answer::waking(&preview, asker);
        };
        let passed = self.pass(request, backend, (open, place)).await;
        passed.unwrap_or_else(|failure| told(&failure, &preview, asker))
    }

    async fn pass(
        &self,
        mut request: Request<Incoming>,
        backend: &str,
        share: Share,
    ) -> Result<Response<Body>, Failure> {
        let stream = match timeout(CONNECT, TcpStream::connect(backend)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(Failure::Absent),
        };
        // What is sent in small parts arrives in small parts; who cannot be told so is served all the same.
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEADERS);
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|_| Failure::Broken)?;
        // It ends with the answer; how it ended is seen there.
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        let protocol = headers::upgrade(request.headers());
        let upgraded = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let taken = request.extensions_mut().remove::<Arc<Place>>();
        let request = onward(request, protocol);
        let response = match timeout(self.answer, sender.send_request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return Err(Failure::Broken),
            Err(_) => return Err(Failure::Late),
        };
        match (response.status(), upgraded) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(client)) => {
                Ok(join(response, client, self.idle, (share, taken)))
            }
            (StatusCode::SWITCHING_PROTOCOLS, None) => Err(Failure::Broken),
            _ => Ok(back(response, share)),
        }
    }
}

/// The host that is asked for, as hosts are written in Environments.
fn host(request: &Request<Incoming>) -> Option<String> {
    let by_header = || request.headers().get(HOST)?.to_str().ok();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = authority.or_else(by_header)?;
    let authority: http::uri::Authority = authority.parse().ok()?;
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// The request as it is passed on: `X-Forwarded-*` are those of the gateway, which knows whom it serves.
fn onward(mut request: Request<Incoming>, protocol: Option<HeaderValue>) -> Request<Incoming> {
    headers::clean(request.headers_mut());
    if let Some(protocol) = protocol {
        headers::ask_upgrade(request.headers_mut(), protocol);
    }
    let uri = std::mem::take(request.uri_mut());
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let named = authority.and_then(|authority| HeaderValue::from_str(&authority).ok());
    if let Some(named) = named {
        request.headers_mut().insert(HOST, named);
    }
    let path = uri.into_parts().path_and_query;
    *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
    *request.version_mut() = http::Version::HTTP_11;
    request
}

/// The answer as it is passed back.
fn back(mut response: Response<Incoming>, held: Share) -> Response<Body> {
    headers::clean(response.headers_mut());
    *response.version_mut() = http::Version::HTTP_11;
    response.map(|body| Body::new(Held { body, _held: held }))
}

/// Client and preview speak another protocol from now on: what one says is told the other, until both have ended or have said
/// nothing for too long.
fn join(
    mut response: Response<Incoming>,
    client: OnUpgrade,
    idle: Duration,
    held: impl Send + 'static,
) -> Response<Body> {
    let preview = hyper::upgrade::on(&mut response);
    let protocol = headers::upgrade(response.headers());
    headers::clean(response.headers_mut());
    if let Some(protocol) = protocol {
        headers::ask_upgrade(response.headers_mut(), protocol);
    }
    tokio::spawn(async move {
        if let (Ok(client), Ok(preview)) = tokio::join!(client, preview) {
            let (mut client, pulse) = Heard::new(TokioIo::new(client));
            let mut preview = TokioIo::new(preview);
            let said = tokio::io::copy_bidirectional(&mut client, &mut preview);
            // Who ends it tells nobody why.
            tokio::select! { _ = said => {}, () = pulse.stops(idle) => {} }
        }
        drop(held);
    });
    response.map(|_| Body::empty())
}

fn told(failure: &Failure, preview: &Preview, asker: Asker) -> Response<Body> {
    let (status, sentence) = match failure {
        Failure::Absent => return answer::waking(preview, asker),
        Failure::Broken => (
            StatusCode::BAD_GATEWAY,
            "The preview ended the connection before it answered.",
        ),
        Failure::Late => (
            StatusCode::GATEWAY_TIMEOUT,
            "The preview did not begin to answer in time.",
        ),
    };
    answer::said(status, asker, sentence)
}
