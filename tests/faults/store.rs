//! The objects of one namespace as the apiserver's answers tell them, and how often each was made and deleted.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use serde_json::Value;

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
pub const KINDS: [Kind; 13] = [
    kind("App", "/apis/towpath.dev/v1alpha1", "towpathapps"),
    kind("Environment", "/apis/towpath.dev/v1alpha1", "environments"),
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
    kind("Ingress", "/apis/networking.k8s.io/v1", "ingresses"),
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
    objects: BTreeMap<Key, Value>,
    /// Who had which uid, also of what is gone.
    pub uids: BTreeMap<String, String>,
    /// How often each object was made and deleted.
    pub counts: BTreeMap<Key, Count>,
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

    /// Takes in what the apiserver answered. The object, if it changed or is gone.
    pub fn answered(&mut self, target: &Target, status: StatusCode, body: &[u8]) -> Option<Key> {
        if !status.is_success() || target.method == Method::GET {
            return None;
        }
        let kind = target.key.0;
        let object: Value = serde_json::from_slice(body).expect("the apiserver answers JSON");
        // What has a finalizer is only on its way out.
        if target.method == Method::DELETE && list(&object, "/metadata/finalizers").is_empty() {
            return self.gone((kind, target.key.1.clone()));
        }
        let key = (kind, text(&object, "/metadata/name").to_owned());
        if status == StatusCode::CREATED {
            self.counts.entry(counted(&key)).or_default().made += 1;
            let uid = text(&object, "/metadata/uid").to_owned();
            self.uids.insert(uid, format!("{kind} {}", key.1));
        }
        let version = |object: &Value| text(object, "/metadata/resourceVersion").to_owned();
        let before = self.objects.get(&key).map(version);
        let changed = before != Some(version(&object));
        self.objects.insert(key.clone(), object);
        changed.then_some(key)
    }

    fn gone(&mut self, key: Key) -> Option<Key> {
        self.objects.remove(&key)?;
        self.counts.entry(counted(&key)).or_default().deleted += 1;
        Some(key)
    }

    /// The objects that no longer have an owner.
    pub fn orphans(&self) -> Vec<Key> {
        let present: BTreeSet<&str> = self
            .objects
            .values()
            .map(|object| text(object, "/metadata/uid"))
            .collect();
        let orphaned = |object: &&Value| {
            let owners = list(object, "/metadata/ownerReferences");
            !owners.is_empty()
                && owners
                    .iter()
                    .all(|owner| !present.contains(text(owner, "/uid")))
        };
        let orphans = self.objects.iter().filter(|(_, object)| orphaned(object));
        orphans.map(|(key, _)| key.clone()).collect()
    }
}

/// Pods are counted by what they are of, not by their number.
fn counted(key: &Key) -> Key {
    match key.1.rsplit_once('-') {
        Some((of, _)) if key.0 == "Pod" => (key.0, of.to_owned()),
        _ => key.clone(),
    }
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
