//! What an Environment owns, and the data that was kept for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;

use crate::api::{Environment, labels};
use crate::caches::{Caches, Kept, Shelf};
use crate::seen::{Children, Hidden};

/// The children of this Environment.
pub(super) fn of(environment: &Environment, caches: &Caches) -> Children {
    let secrets = owned(&caches.secrets, environment).into_iter();
    Children {
        deployments: owned(&caches.deployments, environment),
        stateful_sets: owned(&caches.stateful_sets, environment),
        services: owned(&caches.services, environment),
        network_policies: owned(&caches.network_policies, environment),
        endpoint_slices: owned(&caches.endpoint_slices, environment),
        leases: owned(&caches.leases, environment),
        budgets: owned(&caches.budgets, environment),
        http_routes: owned(&caches.http_routes, environment),
        ingresses: owned(&caches.ingresses, environment),
        config_maps: owned(&caches.config_maps, environment),
        secrets: secrets
            .map(|(name, secret)| (name, Hidden(secret)))
            .collect(),
        volumes: owned(&caches.volumes, environment),
        jobs: owned(&caches.jobs, environment),
        pods: pods(environment, caches),
    }
}

/// The objects of one kind that are this Environment's.
pub(super) fn owned<K: Kept>(
    shelf: &Shelf<K>,
    environment: &Environment,
) -> BTreeMap<String, Arc<K>> {
    let namespace = environment.namespace().unwrap_or_default();
    let mut group = shelf.group(&namespace, &environment.name_any());
    group.retain(|_, object| belongs(&**object, environment));
    group
}

/// Whether an object is this Environment's: owned by it, or data that was kept for an Environment of its name.
pub(crate) fn belongs<K: Kept>(object: &K, environment: &Environment) -> bool {
    match controller(object) {
        Some(owner) => environment.metadata.uid.as_ref() == Some(&owner.uid),
        None => {
            object.labels().contains_key(labels::DATA) && object.group() == environment.name_any()
        }
    }
}

/// The object that controls another one.
pub(crate) fn controller<K: Kept>(object: &K) -> Option<&OwnerReference> {
    let mut owners = object.owner_references().iter();
    owners.find(|owner| owner.controller == Some(true))
}

/// Pods are made by what an Environment owns. One may outlive its maker, and its Environment, on its way out; it still runs
/// then, and a migration must know.
fn pods(environment: &Environment, caches: &Caches) -> BTreeMap<String, Arc<Pod>> {
    let name = environment.name_any();
    let prefix = format!("{name}-");
    let mut pods = caches
        .pods
        .group(&environment.namespace().unwrap_or_default(), &name);
    pods.retain(|_, pod| controller(&**pod).is_some_and(|maker| maker.name.starts_with(&prefix)));
    pods
}
