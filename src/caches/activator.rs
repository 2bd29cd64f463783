//! Where the activator takes requests: the ready pods behind its Service.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Event, watcher};
use kube::{Api, Client, ResourceExt};

use super::intake::config;
use super::{Caches, Place, locked};
use crate::build::door;
use crate::seen::Activator;

/// Watches where the activator of this namespace takes requests. Its first list is awaited like that of every watch.
pub fn watch(
    caches: &Arc<Caches>,
    client: Client,
    namespace: &str,
    service: &str,
) -> impl Future<Output = ()> + Send + use<> {
    caches.expect_more(1);
    caches.set_activator(Activator::default());
    let api: Api<EndpointSlice> = Api::namespaced(client, namespace);
    let selected = config().labels(&format!("{}={service}", door::OF_SERVICE));
    let caches = caches.clone();
    async move {
        let mut slices = BTreeMap::new();
        let mut arrived = false;
        let mut events = Box::pin(watcher(api, selected).default_backoff());
        while let Some(event) = events.next().await {
            let whole = match event {
                Ok(Event::Init) => {
                    slices.clear();
                    false
                }
                Ok(Event::InitApply(slice)) => {
                    slices.insert(slice.name_any(), slice);
                    false
                }
                Ok(Event::Apply(slice)) => {
                    slices.insert(slice.name_any(), slice);
                    true
                }
                Ok(Event::Delete(slice)) => {
                    slices.remove(&slice.name_any());
                    true
                }
                Ok(Event::InitDone) => true,
                Err(error) => {
                    caches.watch_failed::<EndpointSlice>(&error);
                    false
                }
            };
            if !whole {
                continue;
            }
            caches.set_activator(activator(slices.values()));
            if !std::mem::replace(&mut arrived, true) {
                caches.arrived();
            }
        }
    }
}

impl Caches {
    /// The activator. `None`: there is none.
    pub fn activator(&self) -> Option<Activator> {
        locked(&self.activator).clone()
    }

    /// Each preview that may sleep leads to it.
    fn set_activator(&self, activator: Activator) {
        let before = locked(&self.activator).replace(activator.clone());
        if before == Some(activator) {
            return;
        }
        for environment in self.environments.all() {
            let preview = environment.spec.preview.as_ref();
            if preview.is_some_and(|preview| preview.sleep.is_some()) {
                self.triggers.look(&Place::of(&*environment));
            }
        }
    }
}

/// Of a Service with two families the first one's pods count: they are the same.
fn activator<'a>(slices: impl Iterator<Item = &'a EndpointSlice>) -> Activator {
    let mut found = Activator::default();
    for slice in slices.filter(|slice| slice.address_type != "FQDN") {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let port = ports.iter().find_map(|port| port.port);
        let endpoints = slice.endpoints.iter().flatten();
        let ready = endpoints.filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true)
        });
        let addresses: Vec<String> = ready
            .filter_map(|one| one.addresses.first().cloned())
            .collect();
        let Some(port) = port.filter(|_| !addresses.is_empty()) else {
            continue;
        };
        if found.addresses.is_empty() {
            found.family.clone_from(&slice.address_type);
            found.port = port;
        }
        if (&found.family, found.port) == (&slice.address_type, port) {
            found.addresses.extend(addresses);
        }
    }
    found.addresses.sort();
    found.addresses.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(name: &str, family: &str, ready: &[(&str, bool)]) -> EndpointSlice {
        let endpoints: Vec<_> = ready
            .iter()
            .map(|(address, ready)| json!({"addresses": [address], "conditions": {"ready": ready}}))
            .collect();
        let slice = json!({
            "metadata": {"name": name}, "addressType": family,
            "endpoints": endpoints, "ports": [{"name": "http", "port": 8090}],
        });
        serde_json::from_value(slice).unwrap()
    }

    #[test]
    fn only_ready_pods_of_one_family_take_requests() {
        let slices = [
            slice("a", "IPv4", &[("10.0.0.2", true), ("10.0.0.3", false)]),
            slice("b", "IPv6", &[("fd00::2", true)]),
            slice("c", "IPv4", &[("10.0.0.1", true)]),
        ];
        let found = activator(slices.iter());
        assert_eq!(found.addresses, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!((found.family.as_str(), found.port), ("IPv4", 8090));
    }

    #[test]
    fn an_activator_without_a_ready_pod_has_no_address() {
        let found = activator([slice("a", "IPv4", &[("10.0.0.2", false)])].iter());
        assert!(found.addresses.is_empty());
    }
}
