//! What the kubelet and Prometheus ask of the controller, over HTTP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How long open connections may take to end after the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(5);

/// Whether the caches are synced. A process that does not lead is ready too: it could lead at once.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// Says that the caches are synced.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether they are.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Answers `/livez`, `/readyz` and `/metrics` on a listener until the shutdown.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    ready: Ready,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let app = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(ready))
        .route("/metrics", get(text).with_state(metrics));
    let serving =
        axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = drained => Ok(()),
    }
}

async fn readyz(State(ready): State<Ready>) -> (StatusCode, &'static str) {
    if ready.is_set() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the caches are not synced yet\n",
        )
    }
}

async fn text(State(metrics): State<Metrics>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe;

    struct Served {
        address: String,
        ready: Ready,
        metrics: Metrics,
        shutdown: CancellationToken,
        ended: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn served() -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let (ready, metrics, shutdown) =
            (Ready::default(), Metrics::new(), CancellationToken::new());
        let ended = tokio::spawn(serve(
            listener,
            metrics.clone(),
            ready.clone(),
            shutdown.clone(),
        ));
        Served {
            address,
            ready,
            metrics,
            shutdown,
            ended,
        }
    }

    async fn asked(served: &Served, path: &str) -> (u16, String) {
        let client = probe::client().expect("a client");
        let response = client
            .get(format!("{}{path}", served.address))
            .send()
            .await
            .expect("an answer");
        (
            response.status().as_u16(),
            response.text().await.expect("its text"),
        )
    }

    #[tokio::test]
    async fn it_lives_at_once_and_is_ready_when_the_caches_are() {
        let served = served().await;
        assert_eq!(asked(&served, "/livez").await, (200, "ok\n".into()));
        assert_eq!(asked(&served, "/readyz").await.0, 503);
        served.ready.set();
        assert_eq!(asked(&served, "/readyz").await, (200, "ok\n".into()));
        assert_eq!(asked(&served, "/other").await.0, 404);
    }

    #[tokio::test]
    async fn metrics_are_what_was_counted() {
        let served = served().await;
        served.metrics.write("Job", "create");
        let (status, text) = asked(&served, "/metrics").await;
        assert_eq!(status, 200);
        assert!(
            text.contains(r#"towpath_writes_total{kind="Job",verb="create"} 1"#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn it_ends_with_the_shutdown_though_a_connection_is_open() {
        let served = served().await;
        let keeping = tokio::net::TcpStream::connect(served.address.trim_start_matches("http://"))
            .await
            .expect("a connection");
        assert_eq!(asked(&served, "/livez").await.0, 200);
        served.shutdown.cancel();
        let ended = tokio::time::timeout(DRAIN * 2, served.ended)
            .await
            .expect("it ends")
            .expect("without a panic");
        assert!(ended.is_ok());
        drop(keeping);
    }
}
