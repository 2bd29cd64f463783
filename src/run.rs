//! The controller: clients, caches, lease, passes, server; and how all of it ends.

mod clients;
mod telemetry;

pub use telemetry::LogFormat;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, ResourceExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::api::labels;
use crate::caches::{self, Caches, Named, Scope};
use crate::config::Config;
use crate::context::{Context, Failures, HashKey, Leadership, Memories};
use crate::postgres::Servers;
use crate::registry::Registry;
use crate::{controllers, probe};
use clients::Clients;

/// How long passes that run may take to end.
const GRACE: Duration = Duration::from_secs(25);

/// How the controller is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// File of the controller's configuration. Default: all its defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Namespace of the controller itself.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub namespace: String,
    /// Namespaces to look in, separated by commas. Default: the whole cluster.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub watch_namespaces: Vec<String>,
    /// Where health and metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Whether replicas agree on one that writes.
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true",
        action = clap::ArgAction::Set, value_name = "BOOL")]
    pub leader_elect: bool,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Options {
    fn scope(&self) -> Scope {
        let names = self.watch_namespaces.iter().filter(|name| !name.is_empty());
        let names: BTreeSet<String> = names.cloned().collect();
        if names.is_empty() {
            Scope::Cluster
        } else {
            Scope::Namespaces(names)
        }
    }
}

/// Runs the controller until it is told to end.
pub async fn run(options: Options) -> anyhow::Result<()> {
    telemetry::start(options.log_format);
    let stop = until_told()?;
    let clients = Clients::connect()
        .await
        .context("cannot reach the cluster")?;
    let config = configuration(&options, &clients.api).await?;
    let caches = Arc::new(Caches::default());
    let watches = caches::watch(&caches, &clients.watch, &options.scope());
    let ctx = context(&options, config, &clients, caches, Leadership::alone()).await?;
    let passes = tokio::spawn(controllers::run(Arc::new(ctx), stop.clone()));
    stop.cancelled().await;
    tracing::info!("stopping; passes that run are finished");
    let ended = tokio::time::timeout(GRACE, passes).await;
    drop(watches);
    ended
        .context("a pass did not end in time")?
        .context("the queue failed")
}

/// The configuration, with the cluster's name in it.
async fn configuration(options: &Options, client: &Client) -> anyhow::Result<Config> {
    let mut config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if config.cluster_id.is_none() {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let system = namespaces.get("kube-system").await.context(
            "cannot read the uid of the namespace kube-system, which names the cluster; clusterId in the configuration \
             must name it where that may not be read",
        )?;
        config.cluster_id = system.uid();
    }
    Ok(config)
}

async fn context(
    options: &Options,
    config: Config,
    clients: &Clients,
    caches: Arc<Caches>,
    leadership: Leadership,
) -> anyhow::Result<Context> {
    let client = &clients.api;
    let namespace = &options.namespace;
    let registry = Registry::connect(&config, client, namespace)
        .await
        .map_err(anyhow::Error::msg)?;
    let hash_key = HashKey::obtain(client, namespace).await?;
    let reporter = Reporter {
        controller: labels::MANAGER.to_owned(),
        instance: std::env::var("POD_NAME").ok(),
    };
    Ok(Context {
        config: Arc::new(config),
        client: client.clone(),
        named: Named::new(clients.watch.clone(), caches.clone()),
        caches,
        databases: Arc::new(Servers::default()),
        registry,
        probes: probe::client().map_err(anyhow::Error::msg)?,
        recorder: Recorder::new(client.clone(), reporter),
        clock: Timestamp::now,
        hash_key,
        leadership,
        memories: Memories::default(),
        failures: Failures::default(),
    })
}

/// Is cancelled by SIGTERM and SIGINT.
fn until_told() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
