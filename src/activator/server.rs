//! Takes connections, so many at once, each with its limits; at the end what is open is finished.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::idle::{self, Heard};
use super::peers::{Peers, Place};
use super::proxy::Proxy;

/// How long a request may take to tell its headers, and a connection to tell its next request: longer than gateways keep one
/// that nobody uses.
const HEADERS_WITHIN: Duration = Duration::from_secs(95);
/// How long a new connection may take to tell the headers of its first request.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// Room for the headers of a request, in bytes.
const HEADERS: usize = 32 * 1024;
/// How long what is open may take to end.
const DRAIN: Duration = Duration::from_secs(20);
/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// How long connections may say nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the headers of the first request are there.
    pub first: Duration,
    /// At any time, in either direction.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: FIRST_WITHIN,
            idle: idle::LIMIT,
        }
    }
}

/// Serves until `stop`, and then what is open.
pub async fn serve(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    patience: Patience,
    stop: CancellationToken,
) {
    let peers = Arc::new(Peers::default());
    let mut open = JoinSet::new();
    while let Some(taken) = stop.run_until_cancelled(next(&listener, &peers)).await {
        match taken {
            Ok(Some((stream, place))) => {
                let (proxy, stop) = (proxy.clone(), stop.clone());
                open.spawn(connection(stream, Arc::new(place), proxy, patience, stop));
            }
            Ok(None) => tracing::debug!("an address has too many connections; one is closed"),
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("connections are still open, and are ended");
    }
}

/// The next connection. `None`: whoever made it has too many.
async fn next(
    listener: &TcpListener,
    peers: &Arc<Peers>,
) -> io::Result<Option<(TcpStream, Place)>> {
    let free = peers.room().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // What is sent in small parts arrives in small parts; who cannot be told so is served all the same.
    let _ = stream.set_nodelay(true);
    let place = peers.enter(peer.ip(), free);
    Ok(place.map(|place| (stream, place)))
}

/// One connection, until it ends or nothing has been said for too long.
async fn connection(
    stream: TcpStream,
    place: Arc<Place>,
    proxy: Arc<Proxy>,
    patience: Patience,
    stop: CancellationToken,
) {
    let (stream, pulse) = Heard::new(stream);
    let first = asked_for_nothing(place.clone(), patience.first);
    tokio::select! {
        ended = requests(stream, place, proxy, stop) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = first => tracing::debug!("a connection asked for nothing, and is ended"),
        () = pulse.stops(patience.idle) => tracing::debug!("a connection was silent, and is ended"),
    }
}

/// Serves its requests; after `stop` the one that is open.
async fn requests(
    stream: Heard<TcpStream>,
    place: Arc<Place>,
    proxy: Arc<Proxy>,
    stop: CancellationToken,
) -> hyper::Result<()> {
    let service = service_fn(move |mut request: Request<Incoming>| {
        place.speaks();
        // A connection that becomes another protocol keeps its place.
        request.extensions_mut().insert(place.clone());
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
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// Ends when a connection has not asked for anything for so long.
async fn asked_for_nothing(place: Arc<Place>, limit: Duration) {
    tokio::time::sleep(limit).await;
    if place.has_spoken() {
        std::future::pending().await
    }
}
