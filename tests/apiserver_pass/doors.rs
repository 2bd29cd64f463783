//! What lets previews sleep, against a real apiserver: doors are written once, and the activator may renew Leases of previews
//! alone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use towpath::build::door;
use towpath::plan::Action;
use towpath::plan::diff::{self, Guarded};
use towpath::seen::Activator;

use crate::support::apiserver::Apiserver;
use crate::world::{World, eventually};

const ACTIVATOR: &str = "towpath-activator";
const ACCOUNT: &str = "system:serviceaccount:towpath-system:towpath-activator";

fn activator(addresses: &[&str]) -> Activator {
    Activator {
        family: "IPv4".to_owned(),
        addresses: addresses
            .iter()
            .map(|address| (*address).to_owned())
            .collect(),
        port: 8090,
    }
}

/// What the activator writes.
fn renewal(at: &str) -> Patch<Value> {
    Patch::Merge(json!({"spec": {"renewTime": at}}))
}

#[tokio::test]
async fn a_door_is_written_once_and_again_when_it_leads_elsewhere() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let two = door::endpoints(&environment, &activator(&["10.0.0.7", "10.0.0.8"]));
    let actions = vec![
        Action::Service(crate::new(door::service(&environment, 80))),
        Action::EndpointSlice(crate::new(two.clone())),
        Action::Lease(crate::new(door::activity(&environment))),
    ];
    let acted = world.act(&environment, actions).await;
    assert_eq!(acted.wrote, 3, "{acted:?}");
    let none = BTreeSet::new();
    let service = world.api::<Service>().get("shop-door").await.unwrap();
    let wanted = door::service(&environment, 80);
    assert!(diff::change(wanted, Some(&service), Guarded::Service, &none).is_none());
    let slices = world.api::<EndpointSlice>();
    let slice = slices.get("shop-door").await.unwrap();
    assert!(diff::change(two, Some(&slice), Guarded::Nothing, &none).is_none());
    let leases = world.api::<Lease>();
    let renewed = renewal("2026-01-01T00:00:00.000000Z");
    leases
        .patch("shop-activity", &PatchParams::default(), &renewed)
        .await
        .unwrap();
    let lease = leases.get("shop-activity").await.unwrap();
    let wanted = door::activity(&environment);
    assert!(diff::change(wanted, Some(&lease), Guarded::Nothing, &none).is_none());

    // One address less is a change, too, and it is written by an apply.
    let one = door::endpoints(&environment, &activator(&["10.0.0.8"]));
    let change = diff::change(one.clone(), Some(&slice), Guarded::Nothing, &none);
    let change = change.expect("a change");
    let acted = world
        .act(&environment, vec![Action::EndpointSlice(change)])
        .await;
    assert_eq!(acted.wrote, 1, "{acted:?}");
    let slice = slices.get("shop-door").await.unwrap();
    assert_eq!(slice.endpoints.as_ref().map(Vec::len), Some(1));
    assert!(diff::change(one, Some(&slice), Guarded::Nothing, &none).is_none());
}

/// What the chart makes for the activator: roles and policies. `None`: there is no Helm here.
fn chart() -> Option<Vec<Value>> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let helm = checkout.join(".cluster/bin/helm");
    if !helm.exists() {
        eprintln!("SKIPPED: there is no .cluster/bin/helm: run `make cluster`");
        return None;
    }
    let rendered = Command::new(helm)
        .args([
            "template",
            "towpath",
            "charts/towpath",
            "--namespace=towpath-system",
        ])
        .args([
            "--set",
            "activator.enabled=true",
            "--show-only",
            "templates/activator/rbac.yaml",
        ])
        .current_dir(checkout)
        .output()
        .expect("helm runs");
    assert!(rendered.status.success(), "{rendered:?}");
    let text = String::from_utf8(rendered.stdout).expect("text");
    let (documents, problems) = towpath::cli::yaml::documents(&text);
    assert!(problems.is_empty(), "{} problems", problems.len());
    let objects = documents.iter().map(|document| document.json());
    let rights = objects.filter(|object| object["kind"] != "ServiceAccount");
    Some(rights.collect())
}

async fn install(client: &Client, object: &Value) {
    let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let types = object.types.clone().expect("a kind");
    let kind = GroupVersionKind::try_from(&types).expect("a kind");
    let plural = match kind.kind.as_str() {
        "ValidatingAdmissionPolicy" => "validatingadmissionpolicies".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    let resource = ApiResource::from_gvk_with_plural(&kind, &plural);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let params = PatchParams::apply("tests").force();
    let applied = api
        .patch(&object.name_any(), &params, &Patch::Apply(&object))
        .await;
    applied.unwrap_or_else(|error| panic!("the apiserver refuses {}: {error}", object.name_any()));
}

#[tokio::test]
async fn the_activator_may_renew_the_leases_of_previews_alone() {
    let (Some(server), Some(objects)) = (Apiserver::shared(), chart()) else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let lease = Action::Lease(crate::new(door::activity(&environment)));
    assert_eq!(world.act(&environment, vec![lease]).await.wrote, 1);
    let other: Lease = serde_json::from_value(json!({
        "metadata": {"name": "kube-scheduler"}, "spec": {"holderIdentity": "a"},
    }))
    .unwrap();
    world
        .api::<Lease>()
        .create(&PostParams::default(), &other)
        .await
        .unwrap();
    for object in &objects {
        assert_eq!(object["metadata"]["name"], ACTIVATOR);
        install(&server.client(), object).await;
    }
    let namespace = environment.namespace().unwrap();
    let leases: Api<Lease> = Api::namespaced(server.client_as(Some(ACCOUNT)), &namespace);
    let by = PatchParams::default();
    let first = renewal("2026-01-01T00:00:00.000000Z");
    eventually("the policy holds", || async {
        let refused = leases
            .patch("kube-scheduler", &by, &first)
            .await
            .err()?
            .to_string();
        refused
            .contains("must renew the Leases of previews alone")
            .then_some(())
    })
    .await;
    let renewed = leases.patch("shop-activity", &by, &first).await;
    let renewed = renewed.expect("it may be renewed").spec.unwrap().renew_time;
    assert!(renewed.is_some());
    for patch in [
        json!({"spec": {"holderIdentity": "me"}}),
        json!({"metadata": {"labels": {"towpath.dev/environment": "other"}}}),
    ] {
        let refused = leases
            .patch("shop-activity", &by, &Patch::Merge(&patch))
            .await;
        assert!(refused.is_err(), "{patch}");
    }
    assert!(
        leases.get("shop-activity").await.is_err(),
        "it has no right to read"
    );
    assert!(leases.create(&PostParams::default(), &other).await.is_err());
    // Everybody else is none of the policy's business.
    let own = world.api::<Lease>();
    own.patch("kube-scheduler", &by, &first).await.unwrap();
}
