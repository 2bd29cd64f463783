//! Goes on from the objects of a real cluster: pods find their makers, databases are as Secrets and records tell of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, Secret};
use kube::ResourceExt;

use super::actors::adopted;
use super::world::World;
use crate::api::{Environment, labels};
use crate::build::names;
use crate::plan::database;
use crate::plan::questions::Address;
use crate::plan::secrets;
use crate::postgres::{Access, Entry, Outcome};
use crate::revision::Revision;
use crate::seen::SeenEnvironment;

impl World {
    /// Makes this world the one that the loaded objects are from.
    pub fn resume(&mut self) {
        let environments: Vec<Arc<Environment>> =
            self.store.environments.values().cloned().collect();
        for environment in environments {
            let seen = self.seen_without_asking(&environment);
            for deployment in seen.children.deployments.values() {
                self.resume_deployment(&seen, deployment);
            }
            for set in seen.children.stateful_sets.values() {
                let template = set.spec.as_ref().map(|spec| spec.template.clone());
                for pod in seen
                    .children
                    .pods
                    .values()
                    .filter(|pod| is_of(pod, set.uid()))
                {
                    let pod = adopted(pod, &**set, &template.clone().unwrap_or_default());
                    self.store.load(pod);
                }
            }
            let revisions = seen.revisions.iter();
            let mut known: BTreeSet<i64> = revisions
                .map(|revision| revision.decided.incarnation)
                .collect();
            known.insert(0);
            for incarnation in known {
                self.resume_database(&SeenEnvironment {
                    incarnation,
                    ..seen.clone()
                });
            }
        }
    }

    /// Its pods are its own, not a ReplicaSet's, and Secrets are hashed by the key that is used here.
    fn resume_deployment(&mut self, seen: &SeenEnvironment, live: &Deployment) {
        let Some(before) = live.spec.as_ref().map(|spec| spec.template.clone()) else {
            return;
        };
        let mut deployment = live.clone();
        let mut template = before.clone();
        rehash(seen, &mut template);
        if let Some(spec) = &mut deployment.spec {
            spec.template = template.clone();
        }
        let selector = live
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.match_labels.clone());
        let selector = selector.unwrap_or_default();
        for pod in seen.children.pods.values() {
            if !has_all(pod.labels(), &selector) {
                continue;
            }
            if is_over(pod) {
                self.store.remove::<Pod>(&pod.name_any());
                continue;
            }
            // What was made from another template is told apart by any other one.
            let earlier = PodTemplateSpec::default();
            let made_from = if is_from(pod, &before) {
                &template
            } else {
                &earlier
            };
            let pod = adopted(pod, &deployment, made_from);
            self.store.load(pod);
        }
        self.store.load(deployment);
    }

    /// The database that is known answers, and has what kept revisions applied to it.
    fn resume_database(&mut self, seen: &SeenEnvironment) {
        let Some(identity) = database::known(seen).and_then(|known| known.parse().ok()) else {
            return;
        };
        let database = seen.environment.spec.database.as_ref();
        if let Some(server) = database.and_then(|database| database.server.as_ref()) {
            self.databases.resume(&server.name, identity, applied(seen));
            return;
        }
        if let Some(at) = self.database_at(seen) {
            self.databases.restore(&at, identity, applied(seen));
        }
    }

    /// What a database is found by here: the uid of its volume, or its address.
    pub(super) fn database_at(&self, seen: &SeenEnvironment) -> Option<String> {
        if let Some((Address::Secret { name, key }, _)) = database::question(seen) {
            let secret = self.store.get::<Secret>(&name)?;
            let url = secret.data.as_ref()?.get(&key)?;
            let access = Access::parse(std::str::from_utf8(&url.0).ok()?).ok()?;
            return Some(access.address());
        }
        let name = names::postgres(&seen.environment.name_any());
        seen.children.volumes.get(&name)?.uid()
    }
}

/// The hash of Secrets is the one of the present values under the key that is used here.
fn rehash(seen: &SeenEnvironment, template: &mut PodTemplateSpec) {
    let Some(hash) = template
        .spec
        .as_ref()
        .and_then(|spec| secrets::hash(seen, spec))
    else {
        return;
    };
    let annotations = template
        .metadata
        .iter_mut()
        .filter_map(|metadata| metadata.annotations.as_mut());
    for annotations in annotations {
        if let Some(present) = annotations.get_mut(labels::SECRETS) {
            present.clone_from(&hash);
        }
    }
}

/// The entries of a record that cannot be read from here: what kept revisions had applied, and what the status tells.
fn applied(seen: &SeenEnvironment) -> Vec<Entry> {
    let entry = |key: &str, revision: i64| Entry {
        key: key.to_owned(),
        revision,
        outcome: Outcome::Succeeded,
        started: None,
        finished: None,
        note: None,
    };
    let migrated = seen
        .revisions
        .iter()
        .filter(|revision| revision.decided.incarnation == seen.incarnation)
        .filter(|revision| Revision::was_migrated(revision));
    let mut entries: Vec<Entry> = migrated
        .filter_map(|revision| {
            Some(entry(
                &revision.decided.migration.as_ref()?.key,
                revision.number,
            ))
        })
        .collect();
    let status = seen.environment.status.as_ref();
    let elsewhere = |number: i64| {
        let mut revisions = seen.revisions.iter();
        let made = revisions.find(|revision| revision.number == number);
        made.is_some_and(|made| made.decided.incarnation != seen.incarnation)
    };
    if let Some(newest) = status.and_then(|status| status.migration.as_ref())
        && !elsewhere(newest.revision)
        && !entries.iter().any(|known| known.key == newest.key)
    {
        entries.insert(0, entry(&newest.key, newest.revision));
    }
    entries
}

fn annotations(template: &PodTemplateSpec) -> BTreeMap<String, String> {
    let metadata = template.metadata.as_ref();
    metadata
        .and_then(|metadata| metadata.annotations.clone())
        .unwrap_or_default()
}

/// Whether a pod was made from this template: it has all of its labels and annotations.
fn is_from(pod: &Pod, template: &PodTemplateSpec) -> bool {
    let metadata = template.metadata.as_ref();
    let labels = metadata
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    has_all(pod.labels(), &labels) && has_all(pod.annotations(), &annotations(template))
}

fn has_all(present: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(key, value)| present.get(key) == Some(value))
}

fn is_of(pod: &Pod, uid: Option<String>) -> bool {
    pod.owner_references()
        .iter()
        .any(|owner| Some(&owner.uid) == uid.as_ref())
}

/// An evicted pod is kept for people; nothing runs in it.
fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
