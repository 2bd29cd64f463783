//! Hosts and databases belong to one Environment: the oldest that names them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::api::{Environment, labels};
use crate::caches::{Caches, Place};
use crate::seen::Children;

/// The hosts of this Environment that an older one holds.
pub(super) fn taken(environment: &Environment, caches: &Caches) -> BTreeMap<String, String> {
    let hosts = environment.spec.hosts.iter().map(|named| &named.host);
    let held = hosts.filter_map(|host| {
        let holder = oldest(environment, caches.by_host(host), caches)?;
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
    let mut sharers =
        identities.filter_map(|identity| oldest(environment, caches.by_database(identity), caches));
    sharers
        .next()
        .map(|sharer| format!("{}/{}", sharer.namespace, sharer.name))
}

/// The oldest of the claimants that is older than this Environment.
fn oldest(
    environment: &Environment,
    claimants: impl IntoIterator<Item = Place>,
    caches: &Caches,
) -> Option<Place> {
    let others = claimants
        .into_iter()
        .filter_map(|place| caches.environments.get(&place));
    let oldest = others.map(|other| seniority(&other)).min()?;
    (oldest < seniority(environment)).then_some(oldest.1)
}

/// What decides who is older.
fn seniority(environment: &Environment) -> (Timestamp, Place) {
    let created = environment.meta().creation_timestamp.as_ref();
    let created = created.map_or(Timestamp::MAX, |time| time.0);
    (created, Place::of(environment))
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
        let holder =
            |of: &Environment| oldest(of, claims.clone(), &caches).map(|place| place.namespace);
        assert_eq!(holder(&same), None);
        assert_eq!(holder(&old).as_deref(), Some("a"));
        assert_eq!(holder(&young).as_deref(), Some("a"));
    }

    #[test]
    fn what_is_claimed_for_an_environment_that_is_gone_is_free() {
        let caches = Caches::default();
        let young = environment("a", "young", "2026-02-01T00:00:00Z");
        assert_eq!(oldest(&young, [Place::new("a", "gone")], &caches), None);
    }
}
