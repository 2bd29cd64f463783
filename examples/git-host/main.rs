//! A small Git host for the demo and the tests: pull requests, statuses and comments in memory, as much of the APIs of
//! Forgejo (/api/v1), GitHub (/api/v3) and GitLab (/api/v4) as previews need, webhooks, and a page that shows it all. It holds no
//! code.

mod api;
mod control;
mod page;
mod store;
mod webhook;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::net::TcpListener;

/// What every handler works on.
#[derive(Clone)]
pub struct Host {
    store: Arc<Mutex<store::Store>>,
    hook: Option<webhook::Hook>,
    token: Arc<str>,
    /// Its own address, in links.
    url: Arc<str>,
    /// How often its API was asked for something else than a list of pull requests.
    requests: Arc<AtomicU64>,
}

/// Reads `GIT_HOST_LISTEN` (an address), `GIT_HOST_TOKEN` (of its API) and, for webhooks, `GIT_HOST_HOOK_URL`,
/// `GIT_HOST_HOOK_SECRET` and `GIT_HOST_HOOK_PROVIDER` (`Forgejo`, `GitHub` or `GitLab`, whose way they are sent in; the first).
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let listen: SocketAddr = std::env::var("GIT_HOST_LISTEN")?.parse()?;
    let host = Host {
        store: Arc::default(),
        hook: webhook::Hook::from_environment()?,
        token: std::env::var("GIT_HOST_TOKEN")?.into(),
        url: format!("http://{listen}").into(),
        requests: Arc::default(),
    };
    let listener = TcpListener::bind(listen).await?;
    println!("git host on http://{listen}");
    let router = Router::new()
        .merge(api::router(&host))
        .merge(control::router())
        .merge(page::router());
    axum::serve(listener, router.with_state(host)).await?;
    Ok(())
}
