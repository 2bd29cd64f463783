//! The objects of one namespace as the apiserver's answers tell them, and how often each was made and deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, StatusCode};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;
use towpath::api::{App, Environment, Preview};
use towpath::simulate;
use towpath::simulate::store::Stored;

/// A kind that somebody writes in a run.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    root: &'static str,
    plural: &'static str,
}

const fn kind(name: &'static str, root: &'static str, plural: &'static str) -> Kind {
    Kind { name, root, plural }
}

/// Every kind that somebody writes in a run.
pub const KINDS: [Kind; 17] = [
    kind("App", "/apis/towpath.dev/v1alpha1", "towpathapps"),
    kind("Environment", "/apis/towpath.dev/v1alpha1", "environments"),
    kind("Preview", "/apis/towpath.dev/v1alpha1", "previews"),
    kind("ControllerRevision", "/apis/apps/v1", "controllerrevisions"),
    kind("Deployment", "/apis/apps/v1", "deployments"),
    kind("StatefulSet", "/apis/apps/v1", "statefulsets"),
    kind("Job", "/apis/batch/v1", "jobs"),
    kind("Pod", "/api/v1", "pods"),
    kind("Service", "/api/v1", "services"),
    kind("ConfigMap", "/api/v1", "configmaps"),
    kind("Secret", "/api/v1", "secrets"),
    kind("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
    kind(
        "PodDisruptionBudget",
        "/apis/policy/v1",
        "poddisruptionbudgets",
    ),
    kind(
        "EndpointSlice",
        "/apis/discovery.k8s.io/v1",
        "endpointslices",
    ),
    kind("Lease", "/apis/coordination.k8s.io/v1", "leases"),
    kind("Ingress", "/apis/networking.k8s.io/v1", "ingresses"),
    kind(
        "NetworkPolicy",
        "/apis/networking.k8s.io/v1",
        "networkpolicies",
    ),
];

impl Kind {
    /// The kind of that name.
    pub fn of(name: &str) -> Self {
        let found = KINDS.into_iter().find(|kind| kind.name == name);
        found.unwrap_or_else(|| panic!("nobody writes a {name}"))
    }

    /// An object with its type, as the apiserver wants it.
    pub fn typed(self, mut object: Value) -> Value {
        let version = self.root.trim_start_matches("/apis/");
        object["apiVersion"] = version.trim_start_matches("/api/").into();
        object["kind"] = self.name.into();
        object
    }

    /// Where its objects are.
    pub fn path(self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.root, self.plural)
    }
}

/// Kind and name.
pub type Key = (&'static str, String);

/// What a request is about.
#[derive(Clone, Debug)]
pub struct Target {
    /// How it is asked for.
    pub method: Method,
    /// The object; its name is empty when the request is about a collection.
    pub key: Key,
    /// Whether it is about the status alone.
    pub status: bool,
}

impl Target {
    /// Reads a request. `None`: it is about nothing that a run writes.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        let (root, rest) = path.split_once("/namespaces/")?;
        let mut parts = rest.split('/').skip(1);
        let plural = parts.next()?;
        let found = KINDS
            .into_iter()
            .find(|kind| kind.root == root && kind.plural == plural)?;
        let name = parts.next().unwrap_or_default().to_owned();
        Some(Self {
            method: method.clone(),
            key: (found.name, name),
            status: parts.next() == Some("status"),
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name) = &self.key;
        let status = if self.status { "/status" } else { "" };
        write!(formatter, "{} {kind} {name}{status}", self.method)
    }
}

/// How often something was made and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Made.
    pub made: u32,
    /// Deleted.
    pub deleted: u32,
}

/// The objects of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// As the simulation's actors see them, with the time of the run.
    pub seen: simulate::Store,
    objects: BTreeMap<Key, Value>,
    /// Who had which uid, also of what is gone.
    pub uids: BTreeMap<String, String>,
    /// What each pod was of, also of those that are gone.
    pub pods: BTreeMap<String, String>,
    /// How often each object was made and deleted.
    pub counts: BTreeMap<Key, Count>,
    /// The templates that each workload has had pods of.
    templates: BTreeMap<String, Vec<String>>,
}

impl Store {
    /// An object.
    pub fn get(&self, kind: &'static str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// The objects of a kind.
    pub fn all(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        let ours = self.objects.iter().filter(move |(key, _)| key.0 == kind);
        ours.map(|(_, object)| object)
    }

    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter()
    }

    /// The version of every object of a kind.
    pub fn versions(&self, kind: &'static str) -> BTreeMap<String, String> {
        self.all(kind).map(version).collect()
    }

    /// Takes in what the apiserver answered. The object, if it changed or is gone.
    pub fn answered(&mut self, target: &Target, status: StatusCode, body: &[u8]) -> Option<Key> {
        if !status.is_success() || target.method == Method::GET {
            return None;
        }
        let kind = target.key.0;
        let mut object: Value = serde_json::from_slice(body).expect("the apiserver answers JSON");
        // Who has been deleted is gone, too, when the last finalizer is off.
        let deleted = !text(&object, "/metadata/deletionTimestamp").is_empty();
        if (target.method == Method::DELETE || deleted) && !is_leaving(&object) {
            return self.gone((kind, target.key.1.clone()));
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let (name, now) = version(&object);
        let key = (kind, name);
        if status == StatusCode::CREATED {
            self.made(&key, &object);
        }
        let before = self.objects.get(&key).map(|old| version(old).1);
        if before == Some(now) {
            return None;
        }
        self.see(&key, Some(&object));
        self.objects.insert(key.clone(), object);
        Some(key)
    }

    fn made(&mut self, key: &Key, object: &Value) {
        let uid = text(object, "/metadata/uid").to_owned();
        self.uids.insert(uid, format!("{} {}", key.0, key.1));
        if key.0 == "Pod" {
            let owner = text(object, "/metadata/ownerReferences/0/name").to_owned();
            let hash = noted(object, "/metadata/labels", "pod-template-hash").to_owned();
            let known = self.templates.entry(owner.clone()).or_default();
            let place = known.iter().position(|old| *old == hash);
            let place = place.unwrap_or_else(|| {
                known.push(hash);
                known.len() - 1
            });
            self.pods
                .insert(key.1.clone(), format!("{owner} of template {place}"));
        }
        self.counts.entry(self.counted(key)).or_default().made += 1;
    }

    fn gone(&mut self, key: Key) -> Option<Key> {
        self.objects.remove(&key)?;
        self.see(&key, None);
        self.counts.entry(self.counted(&key)).or_default().deleted += 1;
        Some(key)
    }

    /// Pods are counted by what they are of: their names end in chance.
    fn counted(&self, key: &Key) -> Key {
        let of = self.pods.get(&key.1).filter(|_| key.0 == "Pod");
        of.map_or_else(|| key.clone(), |of| (key.0, of.clone()))
    }

    fn see(&mut self, key: &Key, object: Option<&Value>) {
        let seen = &mut self.seen;
        seen.version += 1;
        match key.0 {
            "App" => put::<App>(seen, key, object),
            "Environment" => put::<Environment>(seen, key, object),
            "Preview" => put::<Preview>(seen, key, object),
            "EndpointSlice" => put::<EndpointSlice>(seen, key, object),
            "Lease" => put::<Lease>(seen, key, object),
            "NetworkPolicy" => put::<NetworkPolicy>(seen, key, object),
            "ControllerRevision" => put::<ControllerRevision>(seen, key, object),
            "Deployment" => put::<Deployment>(seen, key, object),
            "StatefulSet" => put::<StatefulSet>(seen, key, object),
            "Job" => put::<Job>(seen, key, object),
            "Pod" => put::<Pod>(seen, key, object),
            "Service" => put::<Service>(seen, key, object),
            "ConfigMap" => put::<ConfigMap>(seen, key, object),
            "Secret" => put::<Secret>(seen, key, object),
            "PersistentVolumeClaim" => put::<PersistentVolumeClaim>(seen, key, object),
            "PodDisruptionBudget" => put::<PodDisruptionBudget>(seen, key, object),
            "Ingress" => put::<Ingress>(seen, key, object),
            kind => panic!("nobody writes a {kind}"),
        }
    }
}

/// Puts an object where the actors see it.
fn put<K: Stored>(seen: &mut simulate::Store, key: &Key, object: Option<&Value>) {
    let now = seen.now;
    let Some(object) = object else {
        K::all_mut(seen).remove(&key.1);
        return;
    };
    let mut object = object.clone();
    // Counters that are 0 are not sent, and actors compare what they tell with what they told.
    if let ("Deployment" | "StatefulSet", Some(status)) = (key.0, object.get_mut("status")) {
        for counter in COUNTERS {
            let missing = status.get(counter).is_none();
            let told = status.get("observedGeneration").is_some();
            if missing && told && (key.0 == "Deployment" || !counter.starts_with("u")) {
                status[counter] = 0.into();
            }
        }
    }
    let mut object: K = serde_json::from_value(object).expect("an object of its kind");
    // The apiserver's clock is another one than the run's.
    if object.meta().deletion_timestamp.is_some() {
        let before = K::all(seen).get(&key.1);
        let before = before.and_then(|before| before.meta().deletion_timestamp.clone());
        object.meta_mut().deletion_timestamp = before.or(Some(Time(now)));
    }
    K::all_mut(seen).insert(key.1.clone(), Arc::new(object));
}

const COUNTERS: [&str; 5] = [
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "unavailableReplicas",
];

/// What has a finalizer, or time to drain, is only on its way out.
fn is_leaving(answer: &Value) -> bool {
    !text(answer, "/metadata/deletionTimestamp").is_empty()
        && (!list(answer, "/metadata/finalizers").is_empty()
            || number(answer, "/metadata/deletionGracePeriodSeconds") > 0)
}

/// Name and version of an object.
pub fn version(object: &Value) -> (String, String) {
    let of = |pointer| text(object, pointer).to_owned();
    (of("/metadata/name"), of("/metadata/resourceVersion"))
}

/// The text at a pointer, or nothing.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The number at a pointer, or 0.
pub fn number(object: &Value, pointer: &str) -> i64 {
    object
        .pointer(pointer)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// The list at a pointer, or an empty one.
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let found = object.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// An annotation or label: their keys hold slashes.
pub fn noted<'a>(object: &'a Value, pointer: &str, key: &str) -> &'a str {
    let map = object.pointer(pointer).and_then(|map| map.get(key));
    map.and_then(Value::as_str).unwrap_or_default()
}
