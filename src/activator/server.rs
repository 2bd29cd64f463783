//! Takes connections, so many at once, each with its limits; at the end what is open is finished.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::proxy::Proxy;

/// Connections at once; the others wait to be taken.
const CONNECTIONS: usize = 2048;
/// How long a request may take to tell its headers, and a connection to tell its next request: longer than gateways keep one
/// that nobody uses.
const HEADERS_WITHIN: Duration = Duration::from_secs(95);
/// Room for the headers of a request, in bytes.
const HEADERS: usize = 32 * 1024;
/// How long what is open may take to end.
const DRAIN: Duration = Duration::from_secs(20);
/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, and then what is open.
pub async fn serve(listener: TcpListener, proxy: Arc<Proxy>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    while let Some(stream) = stop.run_until_cancelled(next(&listener, &places)).await {
        let Some((stream, place)) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (proxy, stop) = (proxy.clone(), stop.clone());
        open.spawn(async move {
            connection(stream, proxy, stop).await;
            drop(place);
        });
        while open.try_join_next().is_some() {}
    }
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("connections are still open, and are ended");
    }
}

/// `None`: there was an error.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    // What is sent in small parts arrives in small parts; who cannot be told so is served all the same.
    let _ = stream.set_nodelay(true);
    Some((stream, place))
}

async fn connection(stream: TcpStream, proxy: Arc<Proxy>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.serve(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
