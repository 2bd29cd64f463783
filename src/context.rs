//! What all passes share: clients, caches, and memory that may be lost.

mod failures;
mod hash_key;
mod memory;
pub mod refusals;
pub(crate) mod server_secret;
mod silences;

pub use failures::{Failures, Subject};
pub use hash_key::HashKey;
pub use memory::{Memories, Memory};
use refusals::Refusals;
pub use silences::Silences;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::events::Recorder;
use kube::{Api, Client};

use crate::api::Environment;
use crate::caches::{Caches, Kept, Named, locked};
use crate::config::Config;
use crate::error::Error;
use crate::git::GitHosts;
use crate::lease::Held;
use crate::metrics::Metrics;
use crate::postgres::Databases;
use crate::registry::Registry;

/// What all passes share.
pub struct Context {
    /// The controller's configuration; its cluster id is always set.
    pub config: Arc<Config>,
    /// The controller's own namespace.
    pub namespace: String,
    /// Gets, posts, patches and deletes, each with a timeout.
    pub client: Client,
    /// What is known of the cluster.
    pub caches: Arc<Caches>,
    /// What people name.
    pub named: Named,
    /// The database servers.
    pub databases: Arc<dyn Databases>,
    /// The registries.
    pub registry: Registry,
    /// The Git hosts.
    pub git: Arc<dyn GitHosts>,
    /// Asks checks.
    pub probes: reqwest::Client,
    /// Tells people what happened.
    pub recorder: Recorder,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// Hashes values of Secrets.
    pub hash_key: HashKey,
    /// Whether this process may write.
    pub held: Held,
    /// What is counted.
    pub metrics: Metrics,
    /// What is remembered of each Environment, and may be lost.
    pub memories: Memories,
    /// Git hosts that gave no answer.
    pub silences: Silences,
    /// How often each Environment's passes failed in a row.
    pub failures: Failures,
}

impl Context {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What others keep adding to this Environment's children, and is left to them.
    #[must_use]
    pub fn stubborn(&self, environment: &Environment) -> BTreeSet<String> {
        locked(&self.memories.of(environment).foreign).stubborn()
    }

    /// Whether a write of this kind may be sent now; counts it.
    pub fn may_write(&self, kind: &str, verb: &str) -> Result<(), Error> {
        self.held.check()?;
        self.metrics.write(kind.to_owned(), verb.to_owned());
        Ok(())
    }

    /// The API of a kind in a namespace.
    pub fn api<K: Kept>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }
}
