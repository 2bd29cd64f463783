//! The controller: clients, caches, lease, passes, server; and how all of it ends.

mod clients;
pub(crate) mod telemetry;
mod webhooks;

pub(crate) use clients::Clients;
pub use telemetry::LogFormat;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, ResourceExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::labels;
use crate::caches::{self, Caches, Named, Scope};
use crate::config::Config;
use crate::context::{Context, Failures, HashKey, Memories, Silences, server_secret};
use crate::git::Hosts;
use crate::hints::Leading;
use crate::lease::{self, Held};
use crate::metrics::Metrics;
use crate::postgres::Servers;
use crate::registry::Registry;
use crate::serve::{self, Ready};
use crate::{controllers, probe, sweeper};

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
    /// Where webhooks of Git hosts are taken. Default: nowhere; the hosts are polled.
    #[arg(long, value_name = "ADDRESS")]
    pub listen_webhooks: Option<SocketAddr>,
    /// Whether replicas agree on one that writes.
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true",
        action = clap::ArgAction::Set, value_name = "BOOL")]
    pub leader_elect: bool,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The namespaces that are named; none: all of them.
fn namespaces(names: &[String]) -> BTreeSet<String> {
    let names = names.iter().filter(|name| !name.is_empty());
    names.cloned().collect()
}

/// Where to look, by the namespaces that are named.
pub(crate) fn scope(names: &[String]) -> Scope {
    let names = namespaces(names);
    if names.is_empty() {
        Scope::Cluster
    } else {
        Scope::Namespaces(names)
    }
}

/// Runs the controller until it is told to end.
pub async fn run(options: Options) -> anyhow::Result<()> {
    telemetry::start(options.log_format);
    let stop = until_told()?;
    let metrics = Metrics::new();
    let clients = Clients::connect()
        .await
        .context("cannot reach the cluster")?;
    let config = configuration(&options, &clients.api).await?;
    let caches = Arc::new(Caches::new(metrics.clone()));
    let mut watches = caches::watch(&caches, &clients.watch, &scope(&options.watch_namespaces));
    if let Some(activator) = &config.activator {
        let client = clients.watch.clone();
        watches.spawn(caches::watch_activator(
            &caches,
            client,
            &options.namespace,
            &activator.service,
        ));
    }
    let served = serve(&options, &metrics, caches.clone(), stop.clone()).await?;
    let git = Hosts::connect(&config, &clients.api, &options.namespace).await;
    let git = git.map_err(anyhow::Error::msg)?;
    let hints = Leading::default();
    let hooked = webhooks::serve(options.listen_webhooks, &git, &hints, &stop).await?;
    // A replica that does not lead keeps its caches warm, and can begin at once.
    let Some(held) = lead(&options, &clients, stop.clone()).await else {
        return Ok(());
    };
    metrics.leads(true);
    let ctx = context(
        &options,
        config,
        &clients,
        caches,
        held.clone(),
        metrics,
        git,
    );
    let ctx = Arc::new(ctx.await?);
    let namespaces = namespaces(&options.watch_namespaces);
    tokio::spawn(sweeper::run(ctx.clone(), namespaces, stop.clone()));
    let mut passes = tokio::spawn(controllers::run(ctx.clone(), stop.clone()));
    hints.lead(ctx);
    tokio::select! {
        // First: when it is told to end, the others end with it.
        biased;
        () = stop.cancelled() => {}
        () = held.lost() => bail!("the lease is lost: another replica may write now"),
        ended = watches.join_next() => bail!("a watch ended: {ended:?}"),
        ended = hooked => bail!("the server of webhooks ended: {ended:?}"),
        ended = served => bail!("the server of health and metrics ended: {ended:?}"),
        ended = &mut passes => bail!("the queue ended: {ended:?}"),
    }
    tracing::info!("stopping; passes that run are finished");
    // Who still writes does not let the lease go: it runs out when the process has ended.
    let ended = tokio::time::timeout(GRACE, passes).await;
    ended.context("a pass did not end in time")??;
    held.release().await;
    Ok(())
}

/// Serves health and metrics; ready is who has seen everything once.
async fn serve(
    options: &Options,
    metrics: &Metrics,
    caches: Arc<Caches>,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.listen))?;
    let ready = Ready::default();
    let seen = ready.clone();
    tokio::spawn(async move {
        caches.ready().await;
        seen.set();
    });
    Ok(tokio::spawn(serve::serve(
        listener,
        metrics.clone(),
        ready,
        stop,
    )))
}

/// Waits until this process leads. `None`: it was told to end before.
async fn lead(options: &Options, clients: &Clients, stop: CancellationToken) -> Option<Held> {
    if !options.leader_elect {
        return Some(Held::always());
    }
    let settings = lease::Settings {
        namespace: options.namespace.clone(),
        name: labels::MANAGER.to_owned(),
        identity: identity(),
    };
    lease::acquire(clients.lease.clone(), settings, stop).await
}

/// The pod's name, or one of its own outside of pods.
fn identity() -> String {
    let pod = std::env::var("POD_NAME")
        .ok()
        .filter(|name| !name.is_empty());
    pod.unwrap_or_else(|| format!("{}-{:08x}", labels::MANAGER, rand::random::<u32>()))
}

/// The configuration, with the cluster's name in it.
async fn configuration(options: &Options, client: &Client) -> anyhow::Result<Config> {
    let mut config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    config.namespace.clone_from(&options.namespace);
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
    held: Held,
    metrics: Metrics,
    git: Hosts,
) -> anyhow::Result<Context> {
    let client = &clients.api;
    let namespace = &options.namespace;
    let registry = Registry::connect(&config, client, namespace)
        .await
        .map_err(anyhow::Error::msg)?;
    let hash_key = HashKey::obtain(client, namespace).await?;
    server_secret::generate(client, namespace, &config.postgres).await?;
    let reporter = Reporter {
        controller: labels::MANAGER.to_owned(),
        instance: std::env::var("POD_NAME").ok(),
    };
    Ok(Context {
        config: Arc::new(config),
        namespace: namespace.clone(),
        client: client.clone(),
        named: Named::new(clients.watch.clone(), caches.clone()),
        caches,
        databases: Arc::new(Servers {}),
        registry,
        git: Arc::new(git),
        probes: probe::client().map_err(anyhow::Error::msg)?,
        recorder: Recorder::new(client.clone(), reporter),
        clock: Timestamp::now,
        hash_key,
        held,
        metrics,
        memories: Memories::default(),
        silences: Silences::default(),
        failures: Failures::default(),
    })
}

/// Is cancelled by SIGTERM and SIGINT.
pub(crate) fn until_told() -> anyhow::Result<CancellationToken> {
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
