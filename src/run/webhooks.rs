//! Takes webhooks on a port of its own: who may reach it may reach nothing else.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use anyhow::Context as _;
use futures::future;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::git::{Hooks, Hosts};
use crate::hints::Leading;

/// A server that runs; one that was not asked for never ends.
pub(super) type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Takes webhooks of the configured hosts, if an address is given. A replica that does not lead takes none.
pub(super) async fn serve(
    address: Option<SocketAddr>,
    hosts: &Hosts,
    hints: &Leading,
    stop: &CancellationToken,
) -> anyhow::Result<Serving> {
    let Some(address) = address else {
        return Ok(Box::pin(future::pending()));
    };
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    let app = Hooks::new(hosts.receivers(), hints.clone()).router();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(async move { serving.await });
    Ok(Box::pin(
        async move { serving.await.map_err(io::Error::other)? },
    ))
}
