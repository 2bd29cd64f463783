//! Three clients of the apiserver, because their requests may take differently long.

use std::time::Duration;

use kube::{Client, Config};

/// How long a request that is no watch may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a request for the lease may take: it must not outlive the lease.
const LEASE_ANSWER: Duration = Duration::from_secs(5);

/// The clients.
pub(crate) struct Clients {
    /// Watches, which end themselves.
    pub watch: Client,
    /// Gets, posts, patches, deletes.
    pub api: Client,
    /// The lease alone.
    pub lease: Client,
}

impl Clients {
    /// By the pod's own account, or by the kubeconfig of the environment.
    pub async fn connect() -> anyhow::Result<Self> {
        let mut config = Config::infer().await?;
        let watch = Client::try_from(config.clone())?;
        // What fails is tried again by the pass, with its own patience.
        config.default_retry = false;
        config.read_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        let api = Client::try_from(config.clone())?;
        config.read_timeout = Some(LEASE_ANSWER);
        config.connect_timeout = Some(LEASE_ANSWER);
        let lease = Client::try_from(config)?;
        Ok(Self { watch, api, lease })
    }
}
