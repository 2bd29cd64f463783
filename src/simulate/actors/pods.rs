//! Pods as controllers look at them.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::ResourceExt;

use crate::caches::Kept;
use crate::plan::health;

/// Label that says which template a pod was made from.
const TEMPLATE: &str = "pod-template-hash";

/// The pods that an object controls.
pub fn owned_by<'a, K: Kept>(pods: &[&'a Pod], owner: &K) -> Vec<&'a Pod> {
    let uid = owner.uid().unwrap_or_default();
    let owned = |pod: &&&Pod| pod.owner_references().iter().any(|owner| owner.uid == uid);
    pods.iter().filter(owned).copied().collect()
}

/// Whether a pod is ready, and not on its way out.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    health::is_ready(pod)
}

/// Whether a pod has been ready for so many seconds.
#[must_use]
pub fn is_available(pod: &Pod, seconds: i64, now: Timestamp) -> bool {
    let since = health::ready_since(pod).filter(|_| is_ready(pod));
    since.is_some_and(|since| now.duration_since(since) >= SignedDuration::from_secs(seconds))
}

/// Whether a pod is on its way out.
#[must_use]
pub fn is_leaving(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// The phase of a pod.
pub(super) fn phase(pod: &Pod) -> &str {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase.unwrap_or("Pending")
}

/// The hash of a template.
pub(super) fn template_hash(template: &PodTemplateSpec) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(template)
        .unwrap_or_default()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The hash of the template that a pod was made from.
#[must_use]
pub fn template_of(pod: &Pod) -> &str {
    pod.labels().get(TEMPLATE).map_or("", String::as_str)
}

/// A pod from a template.
pub(super) fn from_template<K: Kept>(owner: &K, template: &PodTemplateSpec, name: Name) -> Pod {
    let inner = template.metadata.clone().unwrap_or_default();
    let mut labels = inner.labels.unwrap_or_default();
    labels.insert(TEMPLATE.to_owned(), template_hash(template));
    let reference = OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let (name, generate_name) = match name {
        Name::Fixed(name) => (Some(name), None),
        Name::Prefix(prefix) => (None, Some(prefix)),
    };
    Pod {
        metadata: ObjectMeta {
            name,
            generate_name,
            namespace: owner.namespace(),
            labels: Some(labels),
            annotations: inner.annotations,
            owner_references: Some(vec![reference]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// A pod of a real cluster as the controllers here know theirs: by its owner, and by the template it was made from.
#[must_use]
pub fn adopted<K: Kept>(pod: &Pod, owner: &K, template: &PodTemplateSpec) -> Pod {
    let mut pod = pod.clone();
    let made = from_template(owner, template, Name::Fixed(pod.name_any()));
    pod.metadata.owner_references = made.metadata.owner_references;
    let hash = (TEMPLATE.to_owned(), template_hash(template));
    pod.labels_mut().extend([hash]);
    pod
}

/// How a pod is named.
pub(super) enum Name {
    /// Exactly so.
    Fixed(String),
    /// With an ending that nobody has had.
    Prefix(String),
}
