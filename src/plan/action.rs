//! What a plan asks for, object by object. A new kind does not compile until apply and the tests know it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::announcement::Announcement;
use crate::api::{ConditionType, Environment, Preview};
use crate::build::http_route::HttpRoute;
use crate::postgres;
use crate::seen::Hidden;

/// One action, and the stage that asks for it: when the apiserver refuses it, that stage says so.
#[derive(Clone, Debug)]
pub struct Step {
    /// The stage that asks.
    pub stage: ConditionType,
    /// What it asks for.
    pub action: Action,
}

/// What is written, and how.
#[derive(Clone, Debug)]
pub enum Action {
    /// POST: decided once. 409: it is decided already; the pass ends and the next one reads it.
    Decide(Box<ControllerRevision>),
    /// Merge patch of annotations on a revision, bound to its uid.
    Record(Fact),
    /// Merge patch of annotations on a Preview, bound to its uid.
    Note(Fact),
    /// POST: an immutable copy of a ConfigMap, named by content. 409 on ours: done.
    Copy(Box<ConfigMap>),
    /// POST: a migration, from the stored rendering. 409 on ours: done.
    Migrate(Box<Job>),
    /// POST: a Secret whose passwords are made up while it is written. 409 on ours: done. The keys of `generate` are
    /// filled with random passwords.
    Invent {
        /// The Secret without passwords.
        secret: Box<Secret>,
        /// The keys that get one.
        generate: Vec<String>,
    },
    /// Server-side apply of a Deployment.
    Deployment(Change<Deployment>),
    /// Server-side apply of a StatefulSet.
    StatefulSet(Change<StatefulSet>),
    /// Server-side apply of a Service.
    Service(Change<Service>),
    /// Server-side apply of where a Service without pods of its own leads.
    EndpointSlice(Change<EndpointSlice>),
    /// Server-side apply of the Lease that knows when a preview was last asked for.
    Lease(Change<Lease>),
    /// Server-side apply of a disruption budget.
    Budget(Change<PodDisruptionBudget>),
    /// Server-side apply of a network policy.
    NetworkPolicy(Change<NetworkPolicy>),
    /// What a Preview makes its Environment; one that is there is replaced.
    Environment(Change<Environment>),
    /// POST of a Preview for a pull request, 409 on ours: done; of one that is there, release and pull request are replaced.
    Preview(Change<Preview>),
    /// Server-side apply of a route of the Gateway API.
    HttpRoute(Change<HttpRoute>),
    /// Server-side apply of a route of an Ingress controller.
    Ingress(Change<Ingress>),
    /// Server-side apply of a volume.
    Volume(Change<PersistentVolumeClaim>),
    /// Server-side apply of a record that is kept like data.
    ConfigMap(Change<ConfigMap>),
    /// Server-side apply of a binding Secret.
    Binding(Hidden<Change<Secret>>),
    /// Merge patch of the owner references of data, when the deletion policy changed.
    Own {
        /// Which object: `Secret` only, what else is data is applied.
        key: Key,
        /// Its uid.
        uid: String,
        /// The whole owner references as they shall be.
        owners: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference>,
    },
    /// Merge patch of the finalizers of the owner, bound to the version that was read.
    Hold {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// The version that was read.
        resource_version: Option<String>,
        /// All of its finalizers as they shall be.
        finalizers: Vec<String>,
    },
    /// Makes a database and its roles.
    Provide(postgres::Access, Box<postgres::Wanted>),
    /// Drops databases, and their roles, if they are ours.
    Drop(postgres::Access, Box<postgres::Unwanted>),
    /// Writes a row into the record beside the data, as the migration role.
    Enter(postgres::Access, postgres::Entry),
    /// Tells the Git host, and notes on the Preview what it was told. What it was told already is not told again there.
    Announce(Box<Announcement>),
    /// DELETE with the uid it means, in the background.
    Delete {
        /// Which object.
        key: Key,
        /// Its uid.
        uid: String,
    },
}

impl Key {
    /// Names an object.
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl Action {
    /// Sets the finalizers of an Environment or a Preview.
    #[must_use]
    pub fn hold(kind: &'static str, owner: &ObjectMeta, finalizers: Vec<String>) -> Self {
        Self::Hold {
            kind,
            name: owner.name.clone().unwrap_or_default(),
            uid: owner.uid.clone().unwrap_or_default(),
            resource_version: owner.resource_version.clone(),
            finalizers,
        }
    }

    /// Whether nothing later in a plan depends on it. What is made or written in a database is believed by the pass that sees it
    /// there: what serves is kept whatever a database says. And one pull request is not another one's matter.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        matches!(
            self,
            Self::Provide(..) | Self::Enter(..) | Self::Preview(..)
        )
    }

    /// The object that it writes; `None` for what is no object of the apiserver.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        let key = match self {
            Self::Decide(object) => Key::new("ControllerRevision", object.name_any()),
            Self::Record(fact) => Key::new("ControllerRevision", &fact.name),
            Self::Note(fact) => Key::new("Preview", &fact.name),
            Self::Copy(object) => Key::new("ConfigMap", object.name_any()),
            Self::Migrate(object) => Key::new("Job", object.name_any()),
            Self::Invent { secret, .. } => Key::new("Secret", secret.name_any()),
            Self::Deployment(change) => Key::new("Deployment", change.object.name_any()),
            Self::StatefulSet(change) => Key::new("StatefulSet", change.object.name_any()),
            Self::Service(change) => Key::new("Service", change.object.name_any()),
            Self::EndpointSlice(change) => Key::new("EndpointSlice", change.object.name_any()),
            Self::Lease(change) => Key::new("Lease", change.object.name_any()),
            Self::Budget(change) => Key::new("PodDisruptionBudget", change.object.name_any()),
            Self::NetworkPolicy(change) => Key::new("NetworkPolicy", change.object.name_any()),
            Self::Environment(change) => Key::new("Environment", change.object.name_any()),
            Self::Preview(change) => Key::new("Preview", change.object.name_any()),
            Self::HttpRoute(change) => Key::new("HTTPRoute", change.object.name_any()),
            Self::Ingress(change) => Key::new("Ingress", change.object.name_any()),
            Self::Volume(change) => Key::new("PersistentVolumeClaim", change.object.name_any()),
            Self::ConfigMap(change) => Key::new("ConfigMap", change.object.name_any()),
            Self::Binding(Hidden(change)) => Key::new("Secret", change.object.name_any()),
            Self::Own { key, .. } | Self::Delete { key, .. } => key.clone(),
            Self::Hold { kind, name, .. } => Key::new(kind, name),
            Self::Provide(..) | Self::Drop(..) | Self::Enter(..) | Self::Announce(_) => {
                return None;
            }
        };
        Some(key)
    }
}

/// An object as it shall be, and what is there now.
#[derive(Clone, Debug)]
pub struct Change<K> {
    /// The object to apply.
    pub object: Box<K>,
    /// What is there and ours. `None`: nothing was seen; a live read must say that the name is free.
    pub live: Option<Live>,
}

/// Which object an apply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its uid: an object of another uid is not touched.
    pub uid: String,
    /// Set when the apply depends on what was read (replicas as read, a record that grows): another version is a conflict.
    pub resource_version: Option<String>,
    /// Foreign additions to `spec` (pod template or Service) were seen: they are removed by replacing `/spec/template`, or
    /// the lists of a Service's spec. Each as [`addition`](crate::seen::addition) writes it.
    pub foreign: Vec<String>,
}

/// Names an object of the Environment's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// New annotations of a revision or a Preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What becomes known.
    pub annotations: BTreeMap<String, String>,
}
