//! The objects of one namespace, kept as an apiserver keeps them: uid, resourceVersion, generation, defaults, server-side
//! apply, preconditions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{applied, defaults, merge};
use crate::api::{App, Environment, Preview, labels};
use crate::build::http_route::HttpRoute;
use crate::caches::Kept;

/// The objects of one kind, by name.
pub type Shelf<K> = BTreeMap<String, Arc<K>>;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another object, or another version of it, is there; or it is gone.
    Conflict,
    /// The object cannot be read back in its kind.
    Invalid(String),
}

/// The objects of one namespace.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Name of the namespace.
    pub namespace: String,
    /// The time.
    pub now: Timestamp,
    /// Apps.
    pub apps: Shelf<App>,
    /// Environments.
    pub environments: Shelf<Environment>,
    /// Previews.
    pub previews: Shelf<Preview>,
    /// ConfigMaps.
    pub config_maps: Shelf<ConfigMap>,
    /// Secrets.
    pub secrets: Shelf<Secret>,
    /// Volumes.
    pub volumes: Shelf<PersistentVolumeClaim>,
    /// Revisions.
    pub revisions: Shelf<ControllerRevision>,
    /// Workloads.
    pub deployments: Shelf<Deployment>,
    /// Databases.
    pub stateful_sets: Shelf<StatefulSet>,
    /// Migrations.
    pub jobs: Shelf<Job>,
    /// Pods.
    pub pods: Shelf<Pod>,
    /// Services.
    pub services: Shelf<Service>,
    /// Network policies.
    pub network_policies: Shelf<NetworkPolicy>,
    /// Where Services without pods of their own lead.
    pub endpoint_slices: Shelf<EndpointSlice>,
    /// When previews were last asked for.
    pub leases: Shelf<Lease>,
    /// Disruption budgets.
    pub budgets: Shelf<PodDisruptionBudget>,
    /// Routes of the Gateway API.
    pub http_routes: Shelf<HttpRoute>,
    /// Routes of Ingress controllers.
    pub ingresses: Shelf<Ingress>,
    /// What the field manager applied last, by kind and name.
    applied: BTreeMap<(String, String), Value>,
    /// Counts every write.
    pub version: u64,
    made: u64,
}

/// A kind that the store keeps.
pub trait Stored: Kept {
    /// Where it is kept.
    fn all(store: &Store) -> &Shelf<Self>;
    /// Where it is kept.
    fn all_mut(store: &mut Store) -> &mut Shelf<Self>;
}

macro_rules! stored {
    ($($kind:ident: $field:ident,)+) => {
        $(impl Stored for $kind {
            fn all(store: &Store) -> &Shelf<Self> {
                &store.$field
            }
            fn all_mut(store: &mut Store) -> &mut Shelf<Self> {
                &mut store.$field
            }
        })+

        impl Store {
            /// Kind, name and uid of every object, with the uids of its owners.
            #[must_use]
            pub fn everything(&self) -> Vec<Known> {
                let mut all = Vec::new();
                $(all.extend(self.$field.values().map(|object| Known::of(&**object)));)+
                all
            }

            /// Deletes an object of any kind; a pod drains first.
            pub fn delete_any(&mut self, kind: &str, name: &str, uid: &str) {
                $(if kind == <$kind as kube::Resource>::kind(&()) {
                    self.delete::<$kind>(name, uid);
                })+
            }
        }
    };
}

stored! {
    App: apps,
    Environment: environments,
    Preview: previews,
    ConfigMap: config_maps,
    Secret: secrets,
    PersistentVolumeClaim: volumes,
    ControllerRevision: revisions,
    Deployment: deployments,
    StatefulSet: stateful_sets,
    Job: jobs,
    Pod: pods,
    Service: services,
    NetworkPolicy: network_policies,
    EndpointSlice: endpoint_slices,
    Lease: leases,
    PodDisruptionBudget: budgets,
    HttpRoute: http_routes,
    Ingress: ingresses,
}

/// What is known of an object of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The uids of its owners.
    pub owners: BTreeSet<String>,
    /// Whether it is on its way out.
    pub leaving: bool,
}

impl Known {
    fn of<K: Kept>(object: &K) -> Self {
        let owners = object.owner_references().iter();
        Self {
            kind: K::kind(&()).into_owned(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            owners: owners.map(|owner| owner.uid.clone()).collect(),
            leaving: object.meta().deletion_timestamp.is_some(),
        }
    }
}

impl Store {
    /// The object of that name.
    #[must_use]
    pub fn get<K: Stored>(&self, name: &str) -> Option<Arc<K>> {
        K::all(self).get(name).cloned()
    }

    /// Keeps an object of a real cluster as it is there: with its uid, its age and what the controller applied.
    pub fn load<K: Stored>(&mut self, mut object: K) {
        if let Some(applied) = applied::by(labels::MANAGER, &object) {
            let key = (K::kind(&()).into_owned(), object.name_any());
            self.applied.insert(key, applied);
        }
        object.meta_mut().managed_fields = None;
        self.keep(object);
    }

    /// POST. `None`: the name is taken.
    pub fn create<K: Stored>(&mut self, object: K) -> Option<Arc<K>> {
        let mut object = object;
        let made = self.next_made();
        let metadata = object.meta_mut();
        if let (None, Some(prefix)) = (&metadata.name, &metadata.generate_name) {
            metadata.name = Some(format!("{prefix}{made}"));
        }
        if K::all(self).contains_key(&object.name_any()) {
            return None;
        }
        let metadata = object.meta_mut();
        metadata.uid = Some(format!("uid-{made}"));
        metadata.creation_timestamp = Some(Time(self.now));
        metadata.generation = Some(1);
        metadata.namespace = Some(self.namespace.clone());
        Some(self.keep(object))
    }

    /// Server-side apply of the controller: what it applied before and does not apply now goes, what others added stays.
    pub fn apply<K: Stored>(&mut self, object: &K) -> Result<Arc<K>, Refusal> {
        let name = object.name_any();
        let wanted = plain(object);
        let key = (K::kind(&()).into_owned(), name.clone());
        let Some(live) = self.get::<K>(&name) else {
            if object.uid().is_some() {
                return Err(Refusal::Conflict);
            }
            self.applied.insert(key, wanted);
            return self.create(object.clone()).ok_or(Refusal::Conflict);
        };
        let meant = object.uid().is_none_or(|uid| live.uid() == Some(uid));
        let as_read = object
            .resource_version()
            .is_none_or(|version| live.resource_version() == Some(version));
        if !meant || !as_read {
            return Err(Refusal::Conflict);
        }
        let last = self.applied.get(&key).cloned().unwrap_or(Value::Null);
        let merged = merge::apply(value(&*live), &last, &wanted);
        self.applied.insert(key, wanted);
        self.replace(&*live, merged)
    }

    /// A merge patch.
    pub fn patch<K: Stored>(&mut self, name: &str, patch: &Value) -> Result<Arc<K>, Refusal> {
        let live = self.get::<K>(name).ok_or(Refusal::Conflict)?;
        let uid = patch.pointer("/metadata/uid").and_then(Value::as_str);
        if uid.is_some_and(|uid| live.uid().as_deref() != Some(uid)) {
            return Err(Refusal::Conflict);
        }
        let merged = merge::patch(value(&*live), patch);
        self.replace(&*live, merged)
    }

    /// Puts values in the place of what stands at these pointers.
    pub fn put_at<K: Stored>(
        &mut self,
        name: &str,
        values: &[(&str, Value)],
    ) -> Result<Arc<K>, Refusal> {
        let live = self.get::<K>(name).ok_or(Refusal::Conflict)?;
        let mut changed = value(&*live);
        for (pointer, value) in values {
            if let Some(place) = changed.pointer_mut(pointer) {
                *place = value.clone();
            }
        }
        self.replace(&*live, changed)
    }

    /// Replaces the status; nothing else of the object counts.
    pub fn set_status<K: Stored>(&mut self, object: &K) {
        if let Some(status) = value(object).get("status") {
            let values = json!({ "status": status });
            if let Some(live) = self.get::<K>(&object.name_any()) {
                let mut changed = value(&*live);
                merge::set(&mut changed, &values);
                // What cannot be read back is not kept; actors write what they have read.
                let _ = self.replace(&*live, changed);
            }
        }
    }

    /// DELETE in the background, with the uid that is meant. What is gone is done. A pod drains first, and what has a
    /// finalizer waits for it.
    pub fn delete<K: Stored>(&mut self, name: &str, uid: &str) {
        let Some(live) = self.get::<K>(name) else {
            return;
        };
        if live.uid().as_deref() != Some(uid) || live.meta().deletion_timestamp.is_some() {
            return;
        }
        if K::kind(&()) == "Pod" || !live.finalizers().is_empty() {
            let mut leaving = (*live).clone();
            leaving.meta_mut().deletion_timestamp = Some(Time(self.now));
            self.keep(leaving);
            return;
        }
        self.remove::<K>(name);
    }

    /// The object is gone.
    pub fn remove<K: Stored>(&mut self, name: &str) {
        self.version += 1;
        K::all_mut(self).remove(name);
        self.applied
            .remove(&(K::kind(&()).into_owned(), name.to_owned()));
    }

    /// What a person or another controller writes: `kubectl apply` without memory, by a whole object.
    pub fn declare<K: Stored>(&mut self, object: K) -> Result<Arc<K>, Refusal> {
        match self.get::<K>(&object.name_any()) {
            None => self.create(object).ok_or(Refusal::Conflict),
            Some(live) => {
                let mut wanted = value(&object);
                let identity = ["uid", "resourceVersion", "creationTimestamp", "generation"];
                let present = value(&*live);
                for key in identity {
                    let known = present.pointer(&format!("/metadata/{key}"));
                    merge::set(&mut wanted, &json!({"metadata": {key: known}}));
                }
                if let Some(status) = present.get("status") {
                    merge::set(&mut wanted, &json!({ "status": status }));
                }
                self.replace(&*live, wanted)
            }
        }
    }

    fn replace<K: Stored>(&mut self, live: &K, changed: Value) -> Result<Arc<K>, Refusal> {
        let object: K =
            serde_json::from_value(changed).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if object == *live {
            return self.get::<K>(&live.name_any()).ok_or(Refusal::Conflict);
        }
        let mut object = object;
        let leaves = object.meta().deletion_timestamp.is_some() && K::kind(&()) != "Pod";
        if leaves && object.finalizers().is_empty() {
            self.remove::<K>(&object.name_any());
            return Ok(Arc::new(object));
        }
        if plain(&object) != plain(live) {
            let generation = live.meta().generation.unwrap_or_default();
            object.meta_mut().generation = Some(generation + 1);
        }
        Ok(self.keep(object))
    }

    fn keep<K: Stored>(&mut self, mut object: K) -> Arc<K> {
        self.version += 1;
        object.meta_mut().resource_version = Some(self.version.to_string());
        let object = Arc::new(defaults::fill(object, self));
        K::all_mut(self).insert(object.name_any(), object.clone());
        object
    }

    /// A number that no object has had.
    pub fn next_made(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

/// The object as JSON.
pub fn value<K: Kept>(object: &K) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// What a person declares: without status, and of the metadata only what is said by the writer.
fn plain<K: Kept>(object: &K) -> Value {
    let mut value = value(object);
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in [
                "uid",
                "resourceVersion",
                "generation",
                "creationTimestamp",
                "managedFields",
                "deletionTimestamp",
                "finalizers",
            ] {
                metadata.remove(key);
            }
        }
    }
    value
}
