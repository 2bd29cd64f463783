//! Which kinds are watched, and whom a change of each concerns.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::task::JoinSet;

use super::intake::{config, keep, keep_guarded, of_environments};
use super::{Caches, Change, Kept, Place, gateway, locked};
use crate::api::{App, Environment, Preview, labels};
use crate::build::{door, environment, names};
use crate::plan::preview::is_refused;

/// Where the controller looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Cluster,
    /// In these namespaces.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// Each part of the scope; `None` is the whole cluster.
    pub fn parts(&self) -> Vec<Option<String>> {
        match self {
            Self::Cluster => vec![None],
            Self::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        }
    }
}

/// The API of a kind in one part of the scope.
pub(super) fn api<K>(client: &Client, part: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match part {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Starts every watch. They run until the set is dropped.
pub fn watch(caches: &Arc<Caches>, client: &Client, scope: &Scope) -> JoinSet<()> {
    let mut tasks = Tasks {
        caches,
        client,
        running: JoinSet::new(),
    };
    let parts = scope.parts();
    // And one more: whether there are HTTPRoutes at all.
    caches.expect_more(KINDS * parts.len() + 1);
    for part in parts {
        tasks.start(part);
    }
    tasks.running.spawn(gateway::watch(
        caches.clone(),
        client.clone(),
        scope.clone(),
    ));
    tasks.running
}

/// How many kinds [`Tasks::start`] watches.
const KINDS: usize = 17;

struct Tasks<'a> {
    caches: &'a Arc<Caches>,
    client: &'a Client,
    running: JoinSet<()>,
}

impl Tasks<'_> {
    fn start(&mut self, part: Option<String>) {
        self.people(part.clone(), environment_changed);
        self.people(part.clone(), app_changed);
        self.people(part.clone(), preview_changed);
        self.children::<k8s_openapi::api::apps::v1::ControllerRevision>(&part);
        self.children::<k8s_openapi::api::apps::v1::Deployment>(&part);
        self.children::<k8s_openapi::api::apps::v1::StatefulSet>(&part);
        self.children::<k8s_openapi::api::core::v1::Service>(&part);
        self.children::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(&part);
        self.children::<k8s_openapi::api::networking::v1::NetworkPolicy>(&part);
        self.children::<k8s_openapi::api::coordination::v1::Lease>(&part);
        self.endpoints(&part);
        self.children::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(&part);
        self.children::<k8s_openapi::api::batch::v1::Job>(&part);
        self.children::<k8s_openapi::api::core::v1::Pod>(&part);
        self.data(part.clone(), route_changed::<Ingress>);
        self.data(part.clone(), holder_changed::<ConfigMap>);
        self.data(part, holder_changed::<Secret>);
    }

    fn people<K: Kept>(&mut self, part: Option<String>, changed: fn(&Caches, &Change<K>)) {
        let api = api(self.client, part.as_deref());
        self.running.spawn(keep_guarded(
            self.caches.clone(),
            api,
            config(),
            part,
            changed,
        ));
    }

    fn children<K: Kept>(&mut self, part: &Option<String>) {
        self.data(part.clone(), child_changed::<K>);
    }

    /// The apiserver's controllers make EndpointSlices for every Service, with its labels; only those that are kept here count.
    fn endpoints(&mut self, part: &Option<String>) {
        let selected = format!(
            "{},{}={}",
            labels::ENVIRONMENT,
            door::KEPT_BY,
            labels::MANAGER
        );
        let api = api(self.client, part.as_deref());
        let changed = child_changed::<EndpointSlice>;
        self.running.spawn(keep(
            self.caches.clone(),
            api,
            config().labels(&selected),
            part.clone(),
            changed,
        ));
    }

    fn data<K: Kept>(&mut self, part: Option<String>, changed: fn(&Caches, &Change<K>)) {
        let api = api(self.client, part.as_deref());
        self.running.spawn(keep(
            self.caches.clone(),
            api,
            of_environments(),
            part,
            changed,
        ));
    }
}

/// The Environment that a child names is looked at, and the one that it named before.
pub(super) fn child_changed<K: Kept>(caches: &Caches, change: &Change<K>) {
    let objects = [&change.old, &change.new];
    let groups: BTreeSet<String> = objects
        .into_iter()
        .flatten()
        .map(|object| object.group())
        .collect();
    for name in groups {
        caches
            .triggers
            .look(&Place::new(&change.place.namespace, name));
    }
}

/// The binding and the record of an Environment. A label alone claims no database: anybody may write one.
fn is_holder<K: Kept>(object: &K) -> bool {
    let environment = object.group();
    let name = object.name_any();
    name == names::record(&environment) || names::incarnation(&environment, &name).is_some()
}

/// Who publishes a host keeps it: that a route came or went concerns everybody who names the hosts of its Environment.
pub(super) fn route_changed<K: Kept>(caches: &Caches, change: &Change<K>) {
    let newest = change.new.as_ref().or(change.old.as_ref());
    let moved = change.own || change.old.is_none() || change.new.is_none();
    if let Some(route) = newest.filter(|_| moved) {
        let place = Place::new(&change.place.namespace, route.group());
        let environment = caches.environments.get(&place);
        let hosts = environment.iter().flat_map(|found| &found.spec.hosts);
        let others: BTreeSet<Place> = hosts.flat_map(|host| caches.by_host(&host.host)).collect();
        let others = others.iter().filter(|other| **other != place);
        others.for_each(|other| caches.triggers.look(other));
    }
    child_changed(caches, change);
}

/// A Secret or a ConfigMap may say which database its Environment has.
fn holder_changed<K: Kept>(caches: &Caches, change: &Change<K>) {
    let newest = change.new.as_ref().or(change.old.as_ref());
    if let Some(object) = newest.filter(|object| is_holder(&***object)) {
        let claimant = Place::new(&change.place.namespace, object.group());
        let identity = change
            .new
            .as_ref()
            .and_then(|new| new.annotations().get(labels::DATABASE_IDENTITY));
        let values = identity.cloned().into_iter().collect();
        let source = Place::new(
            &change.place.namespace,
            format!("{}/{}", K::kind(&()), change.place.name),
        );
        let touched = locked(&caches.databases).set(&source, &claimant, values);
        touched.iter().for_each(|other| caches.triggers.look(other));
    }
    child_changed(caches, change);
}

/// Its own status concerns nobody.
fn app_changed(caches: &Caches, change: &Change<App>) {
    let Place { namespace, name } = &change.place;
    if change.new.is_some() || caches.apps.unreadable(&change.place).is_some() {
        caches.app_triggers.exists(&change.place);
    } else {
        caches.app_triggers.gone(&change.place);
    }
    if change.own {
        return;
    }
    caches.app_triggers.look(&change.place);
    for environment in caches.environments.group(namespace, name).into_keys() {
        caches.triggers.look(&Place::new(namespace, environment));
    }
    for preview in caches.previews.group(namespace, name).into_keys() {
        caches
            .preview_triggers
            .look(&Place::new(namespace, preview));
    }
}

/// Its own status concerns nobody. When one comes or goes, the places of the others in the queue change.
fn preview_changed(caches: &Caches, change: &Change<Preview>) {
    let place = &change.place;
    if change.new.is_some() || caches.previews.unreadable(place).is_some() {
        caches.preview_triggers.exists(place);
    } else {
        caches.preview_triggers.gone(place);
    }
    let leaves = |new: &Arc<Preview>| new.metadata.deletion_timestamp.is_some();
    if change.new.as_ref().is_none_or(leaves) {
        caches.look_at_queued();
        // Who was refused for its sake is not any more.
        let app = change.old.as_ref().map(|old| old.group());
        let siblings = caches
            .previews
            .group(&place.namespace, &app.unwrap_or_default());
        for sibling in siblings.into_keys() {
            caches
                .preview_triggers
                .look(&Place::new(&place.namespace, sibling));
        }
    }
    // Who waits and was not refused goes before it.
    if change.new.as_deref().is_some_and(is_refused) {
        caches.look_at_next();
    }
    if !change.own {
        caches.preview_triggers.look(place);
        let objects = [&change.old, &change.new];
        for preview in objects.into_iter().flatten() {
            caches
                .app_triggers
                .look(&Place::new(&place.namespace, preview.group()));
        }
    }
}

/// Its own status, written by this controller, concerns nobody; its hosts concern who else names them.
fn environment_changed(caches: &Caches, change: &Change<Environment>) {
    let place = &change.place;
    let hosts = change.new.iter().flat_map(|new| &new.spec.hosts);
    let hosts: BTreeSet<String> = hosts.map(|host| host.host.clone()).collect();
    let touched = locked(&caches.hosts).set(place, place, hosts);
    touched.iter().for_each(|other| caches.triggers.look(other));
    if change.new.is_some() || caches.environments.unreadable(place).is_some() {
        caches.triggers.exists(place);
    } else {
        caches.triggers.gone(place);
    }
    if !change.own {
        caches.triggers.look(place);
    }
    let objects = [&change.old, &change.new];
    if let Some(preview) = objects
        .into_iter()
        .flatten()
        .find_map(|one| preview_of(one))
    {
        let preview = Place::new(&place.namespace, preview);
        caches.preview_triggers.look(&preview);
        // Another one may be made in its place.
        if change.new.is_none() {
            caches.look_at_queued();
        }
        // How many are live.
        if change.new.is_none() || change.old.is_none() {
            for environment in objects.into_iter().flatten() {
                caches
                    .app_triggers
                    .look(&Place::new(&place.namespace, environment.group()));
            }
        }
    }
}

/// The Preview that owns an Environment.
fn preview_of(environment: &Environment) -> Option<&str> {
    environment::owner(environment).map(|owner| owner.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Secret {
        let labels = serde_json::json!({(labels::ENVIRONMENT): "shop"});
        let value = serde_json::json!({"metadata": {"name": name, "labels": labels}});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_label_alone_claims_no_database() {
        assert!(is_holder(&secret("shop-database")));
        assert!(!is_holder(&secret("anything")));
    }
}
