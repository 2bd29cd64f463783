//! What the objects of one Environment weigh in the caches. `cargo test --test weight -- --ignored --nocapture` says it.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::{App, Environment};
use towpath::caches::Caches;
use towpath::simulate::store::Stored;
use towpath::simulate::{Build, World};

/// So many of each, so that pages of the heap do not count.
const COPIES: usize = 2000;

/// A release of an app with two components, a database and a migration, after it was verified.
fn world() -> World {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let mut world = World::new("shop", now);
    world.push_image("registry.example.com/shop:1", Build::default(), Some("1"));
    let app: App = serde_json::from_value(json!({"metadata": {"name": "shop", "namespace": "shop"}, "spec": {
        "image": "registry.example.com/shop",
        "components": [
            {"name": "web", "role": "Web", "port": 8000, "replicas": 2, "health": {"path": "/health"}},
            {"name": "worker", "role": "Worker", "command": ["/shop", "worker"], "replicas": 1},
        ],
        "database": {"engine": "Postgres"},
        "migration": {"component": "web", "command": ["/shop", "migrate"]},
    }}))
    .unwrap();
    let environment: Environment = serde_json::from_value(
        json!({"metadata": {"name": "shop", "namespace": "shop"}, "spec": {
            "appRef": {"name": "shop"},
            "release": {"image": "registry.example.com/shop:1"},
            "hosts": [{"host": "shop.example.com", "routes": [{"path": "/", "component": "web"}]}],
            "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}},
        }}),
    )
    .unwrap();
    world.store.declare(app).unwrap();
    world.store.declare(environment).unwrap();
    assert!(world.settle(60, &mut |_, _| {}), "it comes to rest");
    world
}

/// What this process has on its heap, in bytes.
fn heap() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kibibytes.unwrap().trim().parse::<usize>().unwrap() * 1024
}

/// Keeps many copies of the objects of a kind; what all of one Environment weigh, in bytes.
fn weigh<K: Stored>(world: &World, caches: &Caches) -> usize {
    let texts: Vec<Vec<u8>> = K::all(&world.store)
        .values()
        .map(|object| serde_json::to_vec(&**object).unwrap())
        .collect();
    let keep = |text: &[u8], namespace: String| {
        // As it comes from a watch.
        let mut object: K = serde_json::from_slice(text).unwrap();
        object.meta_mut().namespace = Some(namespace);
        let name = object.name_any();
        K::shelf(caches).wrote(object);
        name
    };
    for text in &texts {
        keep(text, "warm".to_owned());
    }
    let before = heap();
    for copy in 0..COPIES {
        for text in &texts {
            keep(text, format!("shop-{copy}"));
        }
    }
    let each = heap().saturating_sub(before) / COPIES;
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let kind = K::kind(&());
    println!(
        "{kind:>22}: {} of {bytes:>6} bytes as JSON weigh {each:>6}",
        texts.len()
    );
    each
}

#[test]
#[ignore = "measures; proves nothing"]
fn what_an_environment_weighs() {
    use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
    use k8s_openapi::api::networking::v1::Ingress;
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;
    let (world, caches) = (world(), Caches::default());
    let all = [
        weigh::<ControllerRevision>(&world, &caches),
        weigh::<Deployment>(&world, &caches),
        weigh::<Pod>(&world, &caches),
        weigh::<StatefulSet>(&world, &caches),
        weigh::<Job>(&world, &caches),
        weigh::<Service>(&world, &caches),
        weigh::<Secret>(&world, &caches),
        weigh::<ConfigMap>(&world, &caches),
        weigh::<PersistentVolumeClaim>(&world, &caches),
        weigh::<PodDisruptionBudget>(&world, &caches),
        weigh::<Ingress>(&world, &caches),
        weigh::<Environment>(&world, &caches),
        weigh::<App>(&world, &caches),
    ];
    println!("{:>22}: {} bytes", "together", all.iter().sum::<usize>());
}
