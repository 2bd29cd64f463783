//! Hosts and databases belong to one Environment: a host to the one that publishes it, else to the oldest that names it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::belongs;
use crate::api::{Environment, labels};
use crate::build::names;
use crate::caches::{Caches, Kept, Place};
use crate::seen::Children;

/// The hosts of this Environment that another one holds: who publishes a host keeps it, whoever else names it later.
pub(super) fn taken(environment: &Environment, caches: &Caches) -> BTreeMap<String, String> {
    let hosts = environment.spec.hosts.iter().map(|named| &named.host);
    let held = hosts.filter_map(|host| {
        let claimants = caches.by_host(host);
        let since = |other: &Environment| published(other, host, caches);
        let holder = oldest(environment, claimants, caches, since)?;
        Some((
            host.clone(),
            format!("{}/{}", holder.namespace, holder.name),
        ))
    });
    held.collect()
}

/// The older Environment that has the same database.
pub(super) fn database_sharer(
    environment: &Environment,
    children: &Children,
    caches: &Caches,
) -> Option<String> {
    let secrets = children
        .secrets
        .values()
        .map(|secret| secret.0.annotations());
    let records = children.config_maps.values().map(|map| map.annotations());
    let identities = secrets
        .chain(records)
        .filter_map(|all| all.get(labels::DATABASE_IDENTITY));
    let never = |_: &Environment| None;
    let mut sharers = identities
        .filter_map(|identity| oldest(environment, caches.by_database(identity), caches, never));
    sharers
        .next()
        .map(|sharer| format!("{}/{}", sharer.namespace, sharer.name))
}

/// Since when an Environment publishes a host, if it does.
fn published(environment: &Environment, host: &str, caches: &Caches) -> Option<Timestamp> {
    let name = names::route(&environment.name_any(), host);
    let place = Place::new(environment.namespace().unwrap_or_default(), name);
    let route = caches.http_routes.get(&place);
    let ingress = caches.ingresses.get(&place);
    let since = [
        route.and_then(|route| stands(&*route, environment)),
        ingress.and_then(|ingress| stands(&*ingress, environment)),
    ];
    since.into_iter().flatten().min()
}

fn stands<K: Kept>(object: &K, environment: &Environment) -> Option<Timestamp> {
    let stays = object.meta().deletion_timestamp.is_none() && belongs(object, environment);
    let created = object.meta().creation_timestamp.as_ref()?;
    stays.then_some(created.0)
}

/// The claimant that comes before this Environment and all others: who has had the claim `since` the earliest, then the
/// oldest.
fn oldest(
    environment: &Environment,
    claimants: impl IntoIterator<Item = Place>,
    caches: &Caches,
    since: impl Fn(&Environment) -> Option<Timestamp>,
) -> Option<Place> {
    let seniority = |claimant: &Environment| {
        let since = since(claimant).unwrap_or(Timestamp::MAX);
        let created = claimant.meta().creation_timestamp.as_ref();
        let created = created.map_or(Timestamp::MAX, |time| time.0);
        (since, created, Place::of(claimant))
    };
    let others = claimants
        .into_iter()
        .filter_map(|place| caches.environments.get(&place));
    let oldest = others.map(|other| seniority(&other)).min()?;
    (oldest < seniority(environment)).then_some(oldest.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment(namespace: &str, name: &str, created: &str) -> Environment {
        let value = json!({
            "metadata": {"namespace": namespace, "name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": created},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}, "hosts": [{"host": "shop.example.com", "routes": []}]},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_oldest_keeps_the_host_and_names_break_a_tie() {
        let caches = Caches::default();
        let old = environment("b", "shop", "2026-01-01T00:00:00Z");
        let same = environment("a", "shop", "2026-01-01T00:00:00Z");
        let young = environment("a", "young", "2026-02-01T00:00:00Z");
        for known in [&old, &same, &young] {
            caches.environments.applied(Ok(known.clone()));
        }
        let claims = [&old, &same, &young].map(Place::of);
        let holder = |of: &Environment| {
            oldest(of, claims.clone(), &caches, |_| None).map(|place| place.namespace)
        };
        assert_eq!(holder(&same), None);
        assert_eq!(holder(&old).as_deref(), Some("a"));
        assert_eq!(holder(&young).as_deref(), Some("a"));
    }

    #[test]
    fn what_is_claimed_for_an_environment_that_is_gone_is_free() {
        let caches = Caches::default();
        let young = environment("a", "young", "2026-02-01T00:00:00Z");
        assert_eq!(
            oldest(&young, [Place::new("a", "gone")], &caches, |_| None),
            None
        );
    }

    #[test]
    fn who_publishes_a_host_keeps_it_from_an_older_one_that_names_it_later() {
        let caches = Caches::default();
        let old = environment("staging", "shop", "2026-01-01T00:00:00Z");
        let serving = environment("production", "live", "2026-02-01T00:00:00Z");
        for known in [&old, &serving] {
            caches.environments.applied(Ok(known.clone()));
        }
        let host = "shop.example.com";
        let claims = [&old, &serving].map(Place::of);
        let holder = |of: &Environment| {
            let since = |other: &Environment| published(other, host, &caches);
            oldest(of, claims.clone(), &caches, since).map(|place| place.namespace)
        };
        assert_eq!(holder(&serving).as_deref(), Some("staging"));
        let owner = json!({"apiVersion": "towpath.dev/v1alpha1", "kind": "Environment", "name": "live", "uid": "live", "controller": true});
        let route = json!({"metadata": {
            "namespace": "production", "name": names::route("live", host), "uid": "r", "resourceVersion": "2",
            "creationTimestamp": "2026-03-01T00:00:00Z", "ownerReferences": [owner], "labels": {labels::ENVIRONMENT: "live"},
        }});
        caches
            .ingresses
            .applied(Ok(serde_json::from_value(route).unwrap()));
        assert_eq!(holder(&serving), None);
        assert_eq!(holder(&old).as_deref(), Some("production"));
    }
}
