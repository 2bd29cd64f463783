//! The layer between the controller and the apiserver: it counts requests, and at the n-th something goes wrong.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use crate::run::Run;
use crate::store::{Target, text};

/// What goes wrong at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is not done: 500.
    Fail,
    /// It is done, and its answer is lost.
    Lost,
    /// The process dies before it is sent.
    DieBefore,
    /// It is done, and the process dies before it hears of it.
    DieAfter,
    /// As before, and the next process begins when the cluster has gone on without one.
    DieLong,
}

/// All of them.
pub const MODES: [Mode; 5] = [
    Mode::Fail,
    Mode::Lost,
    Mode::DieBefore,
    Mode::DieAfter,
    Mode::DieLong,
];

/// Those that differ for what only reads.
pub const READ_MODES: [Mode; 2] = [Mode::Fail, Mode::DieBefore];

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let named = MODES.into_iter().find(|mode| format!("{mode:?}") == word);
        named.ok_or_else(|| format!("a mode must be one of {MODES:?}; '{word}' is none"))
    }
}

/// The client of a controller in a run.
pub fn client(inner: Client, run: Arc<Run>) -> Client {
    Client::new(Wire { inner, run }, "default")
}

#[derive(Clone)]
struct Wire {
    inner: Client,
    run: Arc<Run>,
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().pass_on(request))
    }
}

impl Wire {
    async fn pass_on(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let Some(target) = Target::of(request.method(), request.uri().path()) else {
            panic!(
                "no run writes {} {}",
                request.method(),
                request.uri().path()
            );
        };
        let fault = self.run.asked(&format!("{target}{}", posted(&request)));
        match fault {
            Some(Mode::Fail) => return Ok(trouble()),
            Some(Mode::DieBefore) => return self.die().await,
            Some(Mode::Lost | Mode::DieAfter | Mode::DieLong) | None => {}
        }
        let (head, body) = self.inner.send(request).await?.into_parts();
        let body = body.collect_bytes().await?.to_vec();
        self.run
            .controller_was_answered(&target, head.status, &body, fault.is_some());
        match fault {
            Some(Mode::Lost) => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            Some(Mode::DieAfter | Mode::DieLong) => self.die().await,
            _ => Ok(Response::from_parts(head, Body::from(body))),
        }
    }

    async fn die<T>(&self) -> T {
        self.run.died.notify_one();
        pending().await
    }
}

/// The name of what is made is in its body alone.
fn posted(request: &Request<Body>) -> String {
    let body = (request.method() == Method::POST).then(|| request.body().try_clone());
    let body = body.flatten().map(Body::collect_bytes);
    let bytes = body.and_then(|body| body.now_or_never()?.ok());
    let object = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    object.map_or_else(String::new, |object: Value| {
        text(&object, "/metadata/name").to_owned()
    })
}

fn trouble() -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "reason": "InternalError",
        "message": "etcdserver: request timed out",
    });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
