//! The snapshot that a pass decides on: everything that was looked at, and what could not be looked at. Immutable.

mod source;

pub use source::{Hindrance, KnownPullRequest, SeenApp, SeenSource};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::api::{App, Environment, Preview, Reason};
use crate::build::http_route::HttpRoute;
use crate::config::Config;
use crate::postgres;
use crate::registry;
use crate::revision::Revision;

/// Something that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It is there.
    Found(T),
    /// It is not there.
    Missing,
    /// There was no answer, for this reason.
    Unknown(String),
}

/// Everything that a pass over an Environment decides on.
#[derive(Clone, Debug)]
pub struct SeenEnvironment {
    /// When it was seen; the only clock of a plan.
    pub now: Timestamp,
    /// The Environment itself.
    pub environment: Arc<Environment>,
    /// Its App.
    pub app: Seen<Arc<App>>,
    /// The uid of the Preview of its name, if there is one.
    pub preview: Option<String>,
    /// The controller's configuration.
    pub config: Arc<Config>,
    /// Its revisions, by number.
    pub revisions: Vec<Revision>,
    /// The ConfigMaps that its App and itself name.
    pub config_maps: BTreeMap<String, Seen<Arc<ConfigMap>>>,
    /// The Secrets that its App and itself name.
    pub secrets: BTreeMap<String, Seen<SecretSeen>>,
    /// The binding Secrets of databases that are made here, by name.
    pub bindings: BTreeMap<String, SecretSeen>,
    /// Answers of registries, by image as asked.
    pub images: BTreeMap<String, registry::Answer>,
    /// What it owns, and the data that was kept for it.
    pub children: Children,
    /// Which of its databases was asked: the target's.
    pub incarnation: i64,
    /// The database behind it. `None`: it was not asked.
    pub database: Option<postgres::Answer>,
    /// The passwords of a database that is made here.
    pub credentials: Option<Credentials>,
    /// How the shared server of its database is reached by who may make databases. `None`: nobody asked.
    pub server: Option<Result<postgres::Access, postgres::Failure>>,
    /// Answers of its Web components, by what was asked: consecutive ones for the revision that holds the slots.
    pub checks: BTreeMap<String, Check>,
    /// Hosts that another Environment holds: host -> `namespace/name`.
    pub taken_hosts: BTreeMap<String, String>,
    /// The older Environment with the same database.
    pub database_sharer: Option<String>,
    /// How requests get in.
    pub routing: Routing,
    /// Where requests to previews that may sleep go. `None`: the controller has no activator.
    pub activator: Option<Activator>,
    /// Foreign additions that came back right after they were removed, each as [`addition`] writes it; they are left, and
    /// told.
    pub stubborn: BTreeSet<String>,
}

/// Everything that a pass over a Preview decides on.
#[derive(Clone, Debug)]
pub struct SeenPreview {
    /// When it was seen; the only clock of a plan.
    pub now: Timestamp,
    /// The Preview itself.
    pub preview: Arc<Preview>,
    /// Its App.
    pub app: Seen<Arc<App>>,
    /// The Environment that it owns, also while that is on its way out.
    pub environment: Option<Arc<Environment>>,
    /// The controller's configuration.
    pub config: Arc<Config>,
    /// All Previews that there are, itself among them.
    pub previews: Vec<KnownPreview>,
    /// How many Environments Previews own, by namespace and App.
    pub live: BTreeMap<(String, String), usize>,
    /// What keeps its Git host from being told. `None`: nothing, or the App names no host.
    pub obstacle: Option<Obstacle>,
    /// What was tried to tell it, and is not tried again before its time.
    pub put_off: Vec<PutOff>,
}

/// Something that a Git host could not be told, and when that is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// Why it could not.
    pub obstacle: Obstacle,
    /// When it may be tried again.
    pub until: Timestamp,
    /// The hash of what was refused; absent: nothing at all is told before.
    pub piece: Option<String>,
}

/// Why the Git host of an App cannot be asked at all: a sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Why.
    pub reason: Reason,
    /// What must be.
    pub message: String,
}

/// A Preview, as the others see it.
#[derive(Clone, Debug)]
pub struct KnownPreview {
    /// The Preview.
    pub preview: Arc<Preview>,
    /// Its App.
    pub app: Option<Arc<App>>,
    /// Whether it owns an Environment.
    pub live: bool,
}

/// How a foreign addition is written: in [`Live::foreign`](crate::plan::action::Live::foreign) and where it is remembered.
#[must_use]
pub fn addition(kind: &str, name: &str, path: &str) -> String {
    format!("{kind}/{name} {path}")
}

/// What is known of a Secret: never its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSeen {
    /// Its keys, each with the keyed hash of its value.
    pub keys: BTreeMap<String, String>,
    /// Identifies the key that hashed them.
    pub hashed_by: String,
}

/// What an Environment owns, and the data that was kept for it, by name.
#[derive(Clone, Debug, Default)]
pub struct Children {
    /// Workloads.
    pub deployments: BTreeMap<String, Arc<Deployment>>,
    /// Databases.
    pub stateful_sets: BTreeMap<String, Arc<StatefulSet>>,
    /// Services.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Network policies.
    pub network_policies: BTreeMap<String, Arc<NetworkPolicy>>,
    /// Where Services without pods of their own lead.
    pub endpoint_slices: BTreeMap<String, Arc<EndpointSlice>>,
    /// When previews were last asked for.
    pub leases: BTreeMap<String, Arc<Lease>>,
    /// Disruption budgets.
    pub budgets: BTreeMap<String, Arc<PodDisruptionBudget>>,
    /// Routes of the Gateway API.
    pub http_routes: BTreeMap<String, Arc<HttpRoute>>,
    /// Routes of Ingress controllers.
    pub ingresses: BTreeMap<String, Arc<Ingress>>,
    /// Copies of ConfigMaps, and the record of an external database.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Binding Secrets and credentials.
    pub secrets: BTreeMap<String, Hidden<Arc<Secret>>>,
    /// Volumes.
    pub volumes: BTreeMap<String, Arc<PersistentVolumeClaim>>,
    /// Migrations.
    pub jobs: BTreeMap<String, Arc<Job>>,
    /// Every pod with the Environment's label that an owned object made. Terminated messages in it are masked already.
    pub pods: BTreeMap<String, Arc<Pod>>,
}

/// Consecutive answers to a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// How many answers there were, each a yes, a no or none.
    pub answers: u32,
    /// How often it said yes, one after the other, up to now.
    pub yes_in_a_row: u32,
    /// The last answer that was not yes, in words. A later attempt without an answer takes it back.
    pub last_no: Option<String>,
    /// The last attempt without an answer, in words.
    pub last_unknown: Option<String>,
}

/// How requests from outside get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// By HTTPRoutes on this Gateway.
    Gateway {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The listener; absent: every one that fits.
        section: Option<String>,
    },
    /// By Ingresses of this class; absent: the cluster's default class.
    Ingress(Option<String>),
    /// There is neither; the sentence says what to do.
    Nothing(String),
}

/// The activator: who passes requests on to previews that may sleep, and tells when there was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activator {
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The addresses of its ready pods, sorted.
    pub addresses: Vec<String>,
    /// The port on which they take requests.
    pub port: i32,
}

/// The passwords of a database that is made here.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Of `postgres`, which makes the roles of a dedicated database.
    pub admin: Option<String>,
    /// Of the owner, which migrates.
    pub owner: String,
    /// Of the app's role.
    pub app: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(hidden)")
    }
}

/// Something whose content must not be printed.
#[derive(Clone, PartialEq)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("hidden")
    }
}
