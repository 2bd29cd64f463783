//! What the controller knows of the cluster: one cache per kind, fed by one watch each, and who must look when it changes.

mod activator;
mod afterwards;
mod claims;
mod gateway;
mod intake;
mod named;
mod shelf;
mod triggers;
mod watches;

pub use activator::watch as watch_activator;
pub use intake::config as watch_config;
pub use named::Named;
pub use shelf::{Change, Shelf};
pub use triggers::{NameOf, Triggers};
pub use watches::{Scope, watch};

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::api::{App, Environment, Preview, labels};
use crate::build::http_route::HttpRoute;
use crate::metrics::Metrics;
use crate::revision::Revision;
use crate::seen::Activator;
use claims::Claims;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Names an object of a known kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Place {
    /// Of namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

/// Kind and place of an object.
pub type Subject = (&'static str, Place);

/// A kind that is cached.
pub trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + PartialEq
    + Send
    + Sync
    + 'static
{
    /// What it is found by, besides its name: for a child the name of its Environment.
    fn group(&self) -> String {
        let environment = self
            .meta()
            .labels
            .as_ref()
            .and_then(|all| all.get(labels::ENVIRONMENT));
        environment.cloned().unwrap_or_default()
    }

    /// Drops what nobody reads, before it is kept.
    fn trim(&mut self) {}

    /// Its cache.
    fn shelf(caches: &Caches) -> &Shelf<Self>;
}

macro_rules! kept {
    ($($kind:ident: $field:ident,)+) => {
        $(impl Kept for $kind {
            fn shelf(caches: &Caches) -> &Shelf<Self> {
                &caches.$field
            }
        })+
    };
}

kept! {
    Deployment: deployments,
    StatefulSet: stateful_sets,
    Service: services,
    PodDisruptionBudget: budgets,
    ConfigMap: config_maps,
    Secret: secrets,
    PersistentVolumeClaim: volumes,
    Ingress: ingresses,
    HttpRoute: http_routes,
    NetworkPolicy: network_policies,
    EndpointSlice: endpoint_slices,
    Lease: leases,
}

impl Kept for ControllerRevision {
    fn trim(&mut self) {
        Revision::pack(self);
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.revisions
    }
}

impl Kept for Job {
    /// It is made once; how it goes is in its status.
    fn trim(&mut self) {
        self.spec = None;
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.jobs
    }
}

impl Kept for Pod {
    /// A pod's environment may be large and hold what must not be kept; how it stands is in its status.
    fn trim(&mut self) {
        self.spec = None;
        let Some(status) = &mut self.status else {
            return;
        };
        let containers = status.container_statuses.iter_mut();
        let first = status.init_container_statuses.iter_mut();
        for container in containers.chain(first).flatten() {
            container.allocated_resources = None;
            container.resources = None;
            container.volume_mounts = None;
        }
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.pods
    }
}

impl Kept for App {
    fn group(&self) -> String {
        String::new()
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.apps
    }
}

impl Kept for Environment {
    fn group(&self) -> String {
        self.spec.app_ref.name.clone()
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.environments
    }
}

impl Kept for Preview {
    fn group(&self) -> String {
        self.spec.app_ref.name.clone()
    }

    fn shelf(caches: &Caches) -> &Shelf<Self> {
        &caches.previews
    }
}

/// Everything that is cached.
#[derive(Default)]
pub struct Caches {
    /// By the App that they name.
    pub environments: Shelf<Environment>,
    /// All of them.
    pub apps: Shelf<App>,
    /// Revisions.
    pub revisions: Shelf<ControllerRevision>,
    /// Workloads.
    pub deployments: Shelf<Deployment>,
    /// Databases.
    pub stateful_sets: Shelf<StatefulSet>,
    /// Services.
    pub services: Shelf<Service>,
    /// Disruption budgets.
    pub budgets: Shelf<PodDisruptionBudget>,
    /// Copies of ConfigMaps and records.
    pub config_maps: Shelf<ConfigMap>,
    /// Binding Secrets and credentials.
    pub secrets: Shelf<Secret>,
    /// Volumes.
    pub volumes: Shelf<PersistentVolumeClaim>,
    /// Migrations.
    pub jobs: Shelf<Job>,
    /// Pods.
    pub pods: Shelf<Pod>,
    /// Routes of Ingress controllers.
    pub ingresses: Shelf<Ingress>,
    /// Routes of the Gateway API.
    pub http_routes: Shelf<HttpRoute>,
    /// By the App that they name.
    pub previews: Shelf<Preview>,
    /// Network policies of previews.
    pub network_policies: Shelf<NetworkPolicy>,
    /// Where Services without pods of their own lead.
    pub endpoint_slices: Shelf<EndpointSlice>,
    /// When previews were last asked for.
    pub leases: Shelf<Lease>,
    /// Environments that must be looked at.
    pub triggers: Triggers<Environment>,
    /// Previews that must be looked at.
    pub preview_triggers: Triggers<Preview>,
    /// Apps that must be looked at.
    pub app_triggers: Triggers<App>,
    hosts: Mutex<Claims>,
    databases: Mutex<Claims>,
    activator: Mutex<Option<Activator>>,
    gateway_api: AtomicBool,
    /// Watches whose first list is awaited.
    waiting: AtomicUsize,
    ready: AtomicBool,
    synced: Notify,
    metrics: Metrics,
}

impl Caches {
    /// Empty caches, whose watches count their errors here.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            ..Self::default()
        }
    }

    /// Whether the cluster has the API of HTTPRoutes.
    pub fn has_gateway_api(&self) -> bool {
        self.gateway_api.load(Ordering::Relaxed)
    }

    /// The Environments that name this host.
    pub fn by_host(&self, host: &str) -> BTreeSet<Place> {
        locked(&self.hosts).claimants(host)
    }

    /// The Environments that name this database as theirs.
    pub fn by_database(&self, identity: &str) -> BTreeSet<Place> {
        locked(&self.databases).claimants(identity)
    }

    /// Whether every watch has delivered its first list.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Waits until every watch has delivered its first list.
    pub async fn ready(&self) {
        loop {
            let synced = self.synced.notified();
            if self.is_ready() {
                return;
            }
            synced.await;
        }
    }

    fn set_gateway_api(&self, exists: bool) {
        if self.gateway_api.swap(exists, Ordering::Relaxed) != exists {
            let places = self.environments.places();
            places.iter().for_each(|place| self.triggers.look(place));
        }
    }

    /// An object of one of the kinds that are reconciled must be looked at.
    pub fn look(&self, (kind, place): &Subject) {
        match *kind {
            "App" => self.app_triggers.look(place),
            "Preview" => self.preview_triggers.look(place),
            _ => self.triggers.look(place),
        }
    }

    /// So many more watches will deliver a first list.
    fn expect_more(&self, watches: usize) {
        self.waiting.fetch_add(watches, Ordering::AcqRel);
    }

    /// One watch has delivered its first list.
    fn arrived(&self) {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ready.store(true, Ordering::Release);
            self.synced.notify_waiters();
        }
    }

    fn watch_failed<K: Kept>(&self, error: &watcher::Error) {
        self.metrics.watch_error(K::kind(&()));
        tracing::warn!(kind = %K::kind(&()), %error, "a watch failed; it is tried again");
    }
}

/// An object without what nobody reads.
fn trimmed<K: Kept>(mut object: K) -> K {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
    object.trim();
    // What is read of JSON grows by doubling; a copy has no room to spare.
    object.clone()
}

/// A lock that a panic of another pass does not spoil.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
