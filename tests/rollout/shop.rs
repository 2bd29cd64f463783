//! The app of the stories: a web component with two pods and a worker, a database, a migration.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::environment::EnvironmentSpec;
use towpath::api::{App, AppSpec, ConditionType, Environment, labels};
use towpath::revision::Revision;
use towpath::simulate::store::Stored;
use towpath::simulate::{Build, World};

pub const SHOP: &str = "shop";

/// A namespace where nothing is yet, at nine in the morning.
pub fn empty() -> World {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    World::new("shop-staging", now)
}

pub fn app() -> Value {
    json!({
        "apiVersion": "towpath.dev/v1alpha1",
        "kind": "App",
        "metadata": {"name": "shop", "namespace": "shop-staging"},
        "spec": {
            "image": "registry.example.com/shop",
            "components": [
                {"name": "web", "role": "Web", "port": 8000, "replicas": 2, "health": {"path": "/health"}},
                {"name": "worker", "role": "Worker", "command": ["/shop", "worker"], "replicas": 1},
            ],
            "database": {"engine": "Postgres", "urlVariable": "DATABASE_URL", "migrationUrlVariable": "DATABASE_URL_MIGRATION"},
            "migration": {"component": "web", "command": ["/shop", "migrate"], "timeoutSeconds": 120},
        },
    })
}

pub fn environment() -> Value {
    json!({
        "apiVersion": "towpath.dev/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": "shop", "namespace": "shop-staging"},
        "spec": {
            "appRef": {"name": "shop"},
            "release": {"image": "registry.example.com/shop:v1"},
            "hosts": [{"host": "shop.example.com", "routes": [{"path": "/", "component": "web"}]}],
            "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}},
            "strategy": {"type": "RollingUpdate", "progressDeadlineSeconds": 20},
        },
    })
}

/// Writes an object as a person does.
pub fn declare<K: Stored>(world: &mut World, object: Value) -> Arc<K> {
    let object: K = serde_json::from_value(object).expect("an object of its kind");
    world.store.declare(object).expect("a name that is free")
}

/// App and Environment are there; version 1 is not in the registry yet.
pub fn shop() -> World {
    shop_with(|_| {}, |_| {})
}

/// The same with something else about App and Environment.
pub fn shop_with(app: impl Fn(&mut Value), environment: impl Fn(&mut Value)) -> World {
    let mut world = empty();
    let (mut an_app, mut an_environment) = (self::app(), self::environment());
    app(&mut an_app);
    environment(&mut an_environment);
    declare::<App>(&mut world, an_app);
    declare::<Environment>(&mut world, an_environment);
    world
}

/// Pushes the image of a version with the migration key of that name.
pub fn push(world: &mut World, version: &str, build: Build, key: &str) {
    world.push_image(&image(version), build, Some(key));
}

/// Pushes a version that is well.
pub fn push_well(world: &mut World, version: &str, key: &str) {
    push(world, version, Build::default(), key);
}

pub fn image(version: &str) -> String {
    format!("registry.example.com/shop:{version}")
}

/// Names another release.
pub fn release(world: &mut World, version: &str) {
    edit_environment(world, |spec| spec.release.image = Some(image(version)));
}

pub fn edit_environment(world: &mut World, edit: impl FnOnce(&mut EnvironmentSpec)) {
    let mut environment = (*world.environment(SHOP).unwrap()).clone();
    edit(&mut environment.spec);
    world.store.declare(environment).unwrap();
}

pub fn edit_app(world: &mut World, edit: impl FnOnce(&mut AppSpec)) {
    let mut app = (*world.store.get::<App>(SHOP).unwrap()).clone();
    edit(&mut app.spec);
    world.store.declare(app).unwrap();
}

/// Sets a person's trigger.
pub fn trigger(world: &mut World, annotation: &str, rest: &str) {
    let mut environment = (*world.environment(SHOP).unwrap()).clone();
    let token = format!("{}.{rest}", environment.uid().unwrap());
    environment
        .annotations_mut()
        .insert(annotation.to_owned(), token);
    world.store.declare(environment).unwrap();
}

pub fn retry(world: &mut World) {
    trigger(
        world,
        labels::RETRY,
        &format!("{}", world.store.now.as_second()),
    );
}

pub fn config_map(world: &mut World, name: &str, data: &[(&str, &str)]) {
    let object = json!({"metadata": {"name": name}, "data": data.iter().copied().collect::<std::collections::BTreeMap<_, _>>()});
    declare::<ConfigMap>(world, object);
}

pub fn secret(world: &mut World, name: &str, data: &[(&str, &str)]) {
    let mut object = Secret::default();
    object.metadata.name = Some(name.to_owned());
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    object.data = Some(data.collect());
    world.store.declare(object).unwrap();
}

pub fn revisions(world: &World) -> Vec<Revision> {
    match world.environment(SHOP) {
        Some(environment) => world.revisions(&environment),
        None => Vec::new(),
    }
}

pub fn revision(world: &World, number: i64) -> Option<Revision> {
    revisions(world)
        .into_iter()
        .find(|revision| revision.number == number)
}

/// Whether a condition holds, and why.
pub fn condition(world: &World, type_: ConditionType) -> (String, String) {
    let status = world
        .environment(SHOP)
        .and_then(|environment| environment.status.clone())
        .unwrap_or_default();
    let known = status
        .conditions
        .into_iter()
        .find(|known| known.type_ == type_.as_str());
    known
        .map(|known| (known.status, known.reason))
        .unwrap_or_default()
}

pub fn is(world: &World, type_: ConditionType, reason: &str) -> bool {
    condition(world, type_).1 == reason
}

/// The versions of the pods that are available, by component, sorted.
pub fn running(world: &World, component: &str) -> Vec<String> {
    let pods = world.store.pods.values();
    let ours = pods.filter(|pod| {
        pod.labels()
            .get(labels::COMPONENT)
            .is_some_and(|known| known == component)
            && towpath::simulate::actors::is_available(pod, 5, world.store.now)
    });
    let version = |image: &String| {
        let known = world.registry.iter().find(|(_, answer)| match answer {
            towpath::registry::Answer::Found { digest, .. } => image.ends_with(digest),
            _ => false,
        });
        known.map_or(image.clone(), |(tag, _)| {
            tag.rsplit(':').next().unwrap_or_default().to_owned()
        })
    };
    let mut versions: Vec<String> = ours
        .filter_map(|pod| pod.spec.as_ref()?.containers[0].image.as_ref().map(version))
        .collect();
    versions.sort();
    versions
}
