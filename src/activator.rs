//! The activator: requests to previews that may sleep pass it. It wakes those that sleep, by the Lease that says when they were
//! last asked for, and passes on what the others are asked.

mod activity;
mod answer;
mod body;
mod headers;
mod idle;
mod peers;
mod proxy;
mod server;
mod stage;
mod table;
mod watch;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

use crate::caches::Scope;
use crate::metrics::Metrics;
use crate::run::{Clients, LogFormat, scope, telemetry, until_told};
use crate::serve::{self, Ready};
use proxy::Proxy;
use server::Patience;
use table::Table;

/// How the activator is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Namespaces to look for previews in, separated by commas. Default: the whole cluster.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub watch_namespaces: Vec<String>,
    /// Where requests to previews are taken.
    #[arg(long, default_value = "0.0.0.0:8090", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where health is served.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub health: SocketAddr,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Runs the activator until it is told to end.
pub async fn run(options: Options) -> anyhow::Result<()> {
    telemetry::start(options.log_format);
    let stop = until_told()?;
    let clients = Clients::connect().await;
    let clients = clients.context("cannot reach the cluster")?;
    let table = Arc::new(Table::default());
    let ready = Ready::default();
    let scope: Scope = scope(&options.watch_namespaces);
    let mut watches = watch::start(&table, &clients.watch, &scope, &ready);
    let keeping = tokio::spawn(activity::keep(table.clone(), clients.api.clone()));
    let health = listen(options.health).await?;
    let healthy = tokio::spawn(serve::serve(health, Metrics::new(), ready, stop.clone()));
    let requests = listen(options.listen).await?;
    let proxy = Arc::new(Proxy::new(table));
    let mut serving = tokio::spawn(server::serve(
        requests,
        proxy,
        Patience::default(),
        stop.clone(),
    ));
    tokio::select! {
        // First: when it is told to end, the others end with it.
        biased;
        () = stop.cancelled() => {}
        ended = &mut serving => bail!("the server ended: {ended:?}"),
        ended = watches.join_next() => bail!("a watch ended: {ended:?}"),
        ended = keeping => bail!("nobody keeps Leases any more: {ended:?}"),
        ended = healthy => bail!("the server of health ended: {ended:?}"),
    }
    tracing::info!("stopping; requests that are open are finished");
    serving.await.context("the server failed")
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}"))
}
