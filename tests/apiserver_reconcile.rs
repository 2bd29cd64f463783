//! Whole passes against a real apiserver: from watches to status, and silence after.

mod support;
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath::api::{App, Environment};
use towpath::build::http_route::HttpRoute;
use towpath::caches::{Place, Scope};
use towpath::controllers;

use support::apiserver::Apiserver;
use world::{World, eventually};

/// A controller that runs, and ends with the test.
struct Running {
    world: World,
    stop: CancellationToken,
    passes: tokio::task::JoinHandle<()>,
    _watches: JoinSet<()>,
}

impl Running {
    async fn start(server: &Apiserver) -> Self {
        let world = World::new(server).await;
        let watches = world.watch().await;
        let stop = CancellationToken::new();
        let passes = tokio::spawn(controllers::run(Arc::clone(&world.ctx), stop.clone()));
        Self {
            world,
            stop,
            passes,
            _watches: watches,
        }
    }

    async fn app(&self, spec: serde_json::Value) -> App {
        let mut whole = json!({
            "image": "registry.example.com/shop",
            "components": [{"name": "web", "role": "Web", "port": 8000, "replicas": 1}],
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        self.world
            .make(json!({"metadata": {"name": "shop"}, "spec": whole}))
            .await
    }

    /// Waits until a condition has this reason; its message.
    async fn told(&self, environment: &str, type_: &str, reason: &str) -> String {
        let api = self.world.api::<Environment>();
        eventually(&format!("{type_} is {reason}"), || async {
            let status = api.get(environment).await.unwrap().status?;
            let found = status
                .conditions
                .into_iter()
                .find(|known| known.type_ == type_)?;
            (found.reason == reason).then_some(found.message)
        })
        .await
    }

    /// How many requests changed something.
    fn writes(&self) -> u64 {
        let text = self.world.ctx.metrics.text().unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("towpath_writes_total"));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Waits until nothing has been written for a while: as long as the look after own writes is put off, and a little more.
    async fn quiet(&self) {
        for _ in 0..100 {
            let before = self.writes();
            tokio::time::sleep(Duration::from_secs(7)).await;
            if self.writes() == before {
                return;
            }
        }
        panic!("it never comes to rest");
    }
}

#[tokio::test]
async fn a_release_comes_to_a_rollout_and_then_nothing_is_written() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    let world = &running.world;
    world.environment("shop", json!({})).await;
    running.told("shop", "Accepted", "AppMissing").await;
    running.app(json!({})).await;
    running.told("shop", "RolledOut", "RollingOut").await;
    let deployments = world
        .api::<Deployment>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(deployments.items.len(), 1);
    let revisions = world
        .api::<ControllerRevision>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(revisions.items.len(), 1);
    running.quiet().await;
    let (before, version) = (
        running.writes(),
        world
            .api::<Environment>()
            .get("shop")
            .await
            .unwrap()
            .resource_version(),
    );
    for key in ["a", "b"] {
        // Nothing that decides anything changed: the pass finds that out by looking.
        let patch = json!({"metadata": {"labels": {"example.com/look": key}}});
        let name = deployments.items[0].name_any();
        world
            .api::<Deployment>()
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(running.writes(), before);
    assert_eq!(
        world
            .api::<Environment>()
            .get("shop")
            .await
            .unwrap()
            .resource_version(),
        version
    );
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(60), running.passes)
        .await
        .expect("it stops")
        .unwrap();
}

#[tokio::test]
async fn a_secret_that_is_named_is_waited_for_and_seen_when_it_comes() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    running
        .app(json!({"env": [{"name": "KEY", "secretRef": {"name": "stripe", "key": "api-key"}}]}))
        .await;
    running.world.environment("shop", json!({})).await;
    let message = running.told("shop", "Configured", "ReferenceMissing").await;
    assert!(message.contains("stripe"), "{message}");
    let _: Secret = running
        .world
        .make(json!({"metadata": {"name": "stripe"}, "stringData": {"other": "x"}}))
        .await;
    running.told("shop", "Configured", "KeyMissing").await;
    let patch = json!({"stringData": {"api-key": "sk_test"}});
    let secrets = running.world.api::<Secret>();
    secrets
        .patch("stripe", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    running.told("shop", "Configured", "Configured").await;
}

#[tokio::test]
async fn the_oldest_keeps_a_host_and_hands_it_on() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    running.app(json!({})).await;
    let hosts = json!({"hosts": [{"host": "shop.example.com", "routes": [{"path": "/", "component": "web"}]}]});
    running.world.environment("first", hosts.clone()).await;
    running.told("first", "Accepted", "Accepted").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    running.world.environment("second", hosts).await;
    let message = running.told("second", "Accepted", "HostTaken").await;
    assert!(message.contains("/first"), "{message}");
    running
        .world
        .api::<Environment>()
        .delete("first", &DeleteParams::default())
        .await
        .unwrap();
    running.told("second", "Accepted", "Accepted").await;
}

#[tokio::test]
async fn a_panic_is_told_on_its_object_and_stops_nobody_else() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    running
        .app(json!({"database": {"engine": "Postgres"}}))
        .await;
    let _: Secret = running
        .world
        .make(json!({
            "metadata": {"name": "db"}, "stringData": {"url": "postgres://u:p@db.example.com/app"},
        }))
        .await;
    let database =
        json!({"database": {"provider": "External", "external": {"secretRef": {"name": "db"}}}});
    running.world.environment("broken", database).await;
    running.told("broken", "Ready", "InternalError").await;
    running.world.environment("well", json!({})).await;
    running.told("well", "Accepted", "SpecInvalid").await;
}

#[tokio::test]
async fn a_url_that_hides_the_connections_of_a_migration_is_refused() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    let migration = json!({"component": "web", "command": ["/shop", "migrate"]});
    running
        .app(json!({"database": {"engine": "Postgres"}, "migration": migration}))
        .await;
    let _: Secret = running
        .world
        .make(json!({
            "metadata": {"name": "db"},
            "stringData": {"url": "postgres://u:S3cret@db.example.com/app?application_name=shop"},
        }))
        .await;
    // No registry is asked for the key of its migration.
    let image = format!("registry.example.com/shop@sha256:{}", "a".repeat(64));
    let environment = json!({
        "release": {"image": image, "migrationKey": "k1"},
        "database": {"provider": "External", "external": {"secretRef": {"name": "db"}}},
    });
    running.world.environment("shop", environment).await;
    let message = running
        .told("shop", "DatabaseReady", "DatabaseRefused")
        .await;
    assert!(
        message.starts_with("Key url of Secret db must hold a URL without application_name"),
        "{message}"
    );
    assert!(!message.contains("S3cret"), "{message}");
}

#[tokio::test]
async fn an_environment_on_its_way_out_is_left_alone() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    running.app(json!({})).await;
    running.world.environment("shop", json!({})).await;
    running.told("shop", "RolledOut", "RollingOut").await;
    let api = running.world.api::<Environment>();
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    api.patch("shop", &PatchParams::default(), &Patch::Merge(held))
        .await
        .unwrap();
    running.quiet().await;
    api.delete("shop", &DeleteParams::default()).await.unwrap();
    let before = running.writes();
    let deployments = running.world.api::<Deployment>();
    let name = deployments
        .list(&ListParams::default())
        .await
        .unwrap()
        .items[0]
        .name_any();
    deployments
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(running.writes(), before);
    assert!(
        deployments.get_opt(&name).await.unwrap().is_none(),
        "nothing is made again"
    );
    let free = json!({"metadata": {"finalizers": null}});
    api.patch("shop", &PatchParams::default(), &Patch::Merge(free))
        .await
        .unwrap();
}

#[tokio::test]
async fn in_a_namespace_on_its_way_out_nothing_is_written_over_and_over() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    let world = &running.world;
    running.app(json!({})).await;
    world.environment("shop", json!({})).await;
    running.told("shop", "RolledOut", "RollingOut").await;
    running.quiet().await;
    // Nobody clears it here, so that it stays on its way out as long as the test looks.
    Api::<Namespace>::all(world.client.clone())
        .delete(&world.namespace, &DeleteParams::default())
        .await
        .unwrap();
    let deployments = world.api::<Deployment>();
    let there = deployments.list(&ListParams::default()).await.unwrap();
    let name = there.items[0].name_any();
    deployments
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    let message = running.told("shop", "RolledOut", "Terminating").await;
    assert!(message.contains("namespace"), "{message}");
    let before = running.writes();
    let services = world.api::<Service>();
    for service in services.list(&ListParams::default()).await.unwrap() {
        services
            .delete(&service.name_any(), &DeleteParams::default())
            .await
            .unwrap();
    }
    // Longer than a refusal is let rest.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(running.writes(), before);
    let failures = running
        .world
        .ctx
        .failures
        .count(&("Environment", Place::new(&world.namespace, "shop")));
    assert_eq!(failures, 0);
}

/// The CRD of Environments as a newer version of Towpath might have it.
async fn teach_a_newer_strategy(world: &World) {
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    // The apiserver writes their status meanwhile.
    eventually("the newer schema is taken", || async {
        let read = api.get("environments.towpath.dev").await.unwrap();
        let mut crd = serde_json::to_value(read).unwrap();
        let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/strategy/properties/type/enum";
        let known = crd.pointer_mut(path).unwrap().as_array_mut().unwrap();
        known.push(json!("Canary"));
        let crd = serde_json::from_value(crd).unwrap();
        api.replace("environments.towpath.dev", &PostParams::default(), &crd)
            .await
            .ok()
    })
    .await;
}

#[tokio::test]
async fn an_environment_of_a_newer_version_hurts_itself_alone() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let running = Running::start(server).await;
    teach_a_newer_strategy(&running.world).await;
    let resource = ApiResource::erase::<Environment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(
        running.world.client.clone(),
        &running.world.namespace,
        &resource,
    );
    let newer: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "towpath.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "newer"},
        "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}, "strategy": {"type": "Canary"}},
    }))
    .unwrap();
    eventually("the newer schema is served", || async {
        api.create(&PostParams::default(), &newer).await.ok()
    })
    .await;
    let told = eventually("it is told", || async {
        let found = api.get("newer").await.unwrap();
        let conditions = found
            .data
            .pointer("/status/conditions")?
            .as_array()?
            .clone();
        conditions
            .into_iter()
            .find(|known| known["type"] == "Ready")
    })
    .await;
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!("False"), &json!("SpecInvalid"))
    );
    assert!(
        told["message"].as_str().unwrap().contains("Canary"),
        "{told}"
    );
    running.app(json!({})).await;
    running.world.environment("shop", json!({})).await;
    running.told("shop", "RolledOut", "RollingOut").await;
    running.quiet().await;
    let readable = json!({"spec": {"strategy": {"type": "RollingUpdate"}, "release": {"image": "registry.example.com/other:1"}}});
    api.patch("newer", &PatchParams::default(), &Patch::Merge(readable))
        .await
        .unwrap();
    running.told("newer", "Accepted", "ReleaseInvalid").await;
    let status = running
        .world
        .api::<Environment>()
        .get("newer")
        .await
        .unwrap()
        .status
        .unwrap();
    let types: Vec<&str> = status
        .conditions
        .iter()
        .map(|known| known.type_.as_str())
        .collect();
    assert_eq!(types.iter().filter(|type_| **type_ == "Stalled").count(), 1);
    running.quiet().await;
}

#[tokio::test]
async fn the_gateway_api_is_picked_up_when_it_comes_and_dropped_when_it_goes() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let caches = &world.ctx.caches;
    let _watches = towpath::caches::watch(caches, &world.client, &Scope::Cluster);
    tokio::time::timeout(Duration::from_secs(120), caches.ready())
        .await
        .expect("ready without the Gateway API");
    assert!(!caches.has_gateway_api());
    let crd: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    }))
    .unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    crds.create(&PostParams::default(), &crd).await.unwrap();
    eventually("it is there", || async {
        caches.has_gateway_api().then_some(())
    })
    .await;
    let route: HttpRoute = serde_json::from_value(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "r", "labels": {"towpath.dev/environment": "shop"}}, "spec": {},
    }))
    .unwrap();
    world
        .api()
        .create(&PostParams::default(), &route)
        .await
        .unwrap();
    let place = Place::new(&world.namespace, "r");
    eventually("its route is seen", || async {
        caches.http_routes.get(&place)
    })
    .await;
    crds.delete(
        "httproutes.gateway.networking.k8s.io",
        &DeleteParams::default(),
    )
    .await
    .unwrap();
    eventually("it is gone", || async {
        (!caches.has_gateway_api()).then_some(())
    })
    .await;
    assert!(caches.http_routes.get(&place).is_none());
}
