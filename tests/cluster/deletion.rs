//! What goes and what stays when an Environment is deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use kube::api::{DynamicObject, ListParams};
use kube::discovery::{Scope, verbs};
use kube::{Api, Discovery, ResourceExt};
use serde_json::json;
use tokio::time::Instant;
use towpath::api::{App, ConditionType, Reason};

use crate::harness::database::Database;
use crate::harness::{Load, Place, Wanted, audit, seconds, together};

/// The example app with a volume, so that every kind of data is there.
fn with_a_volume(place: &Place) -> Wanted {
    let mut wanted = Wanted::example(place);
    let worker = wanted.component("worker");
    worker["update"] = json!("Recreate");
    worker["volumes"] = json!([{"name": "files", "path": "/data", "size": "1Gi"}]);
    wanted
}

#[test]
fn with_delete_nothing_is_left() {
    together("delete", async |place| {
        let mut wanted = with_a_volume(place);
        wanted.environment["spec"]["deletionPolicy"] = json!("Delete");
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        assert!(
            objects(place).await.len() > 15,
            "{:?}",
            objects(place).await
        );
        assert_eq!(volumes(place).await.len(), 2);

        audit::until_rest(place).await;
        let moment = Timestamp::now();
        shop.delete().await;
        until_no_pod_is_left(place).await;
        let took = until_left(place, &BTreeSet::new()).await;
        println!(
            "nothing is left {:.1} s after the last pod's end",
            took.as_secs_f64()
        );
        place
            .until("no volume of the node is left", async || {
                let left = volumes(place).await;
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(format!("left: {left:?}"))
                }
            })
            .await;
        assert_nothing_was_made_since(place, moment);
    });
}

#[test]
fn with_retain_exactly_the_data_stays_and_is_adopted_on_return() {
    together("retain", async |place| {
        let wanted = with_a_volume(place);
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        shop.order().await;

        audit::until_rest(place).await;
        let moment = Timestamp::now();
        shop.delete().await;
        until_no_pod_is_left(place).await;
        let data = [
            "PersistentVolumeClaim/shop-postgres",
            "PersistentVolumeClaim/shop-worker-files",
            "Secret/shop-database",
            "Secret/shop-postgres",
        ];
        let data: BTreeSet<String> = data.map(str::to_owned).into();
        until_left(place, &data).await;
        assert_nothing_was_made_since(place, moment);
        // Not on its way out either.
        place
            .never("the data stays", seconds(5), async || {
                let left = objects(place).await;
                if left == data {
                    Ok(())
                } else {
                    Err(format!("left: {left:?}"))
                }
            })
            .await;
        let uids = data_uids(place).await;

        let moment = Timestamp::now();
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        assert_eq!(
            data_uids(place).await,
            uids,
            "the data is the same as before"
        );
        let database = Database::connect(place, "shop").await;
        assert_eq!(
            database.count("SELECT count(*) FROM orders").await,
            1,
            "the order is still there"
        );
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            0,
            "what was migrated is not migrated again"
        );
    });
}

#[test]
fn a_policy_that_changes_moves_the_data_with_it() {
    together("policy", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        assert_eq!(owners(place).await, [0, 0, 0]);
        shop.edit(json!({"spec": {"deletionPolicy": "Delete"}}))
            .await;
        until_owners(place, [1, 1, 1]).await;
        shop.edit(json!({"spec": {"deletionPolicy": "Retain"}}))
            .await;
        until_owners(place, [0, 0, 0]).await;
        shop.until_ready().await;
    });
}

#[test]
fn an_environment_serves_on_without_its_app() {
    together("no-app", async |place| {
        let host = place.host();
        let wanted = Wanted::light(place).hosts(&[&host]);
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        let lives = shop.lives("web").await;
        let load = Load::on_health(&host, 20);
        place.delete::<App>("shop").await;
        shop.until(ConditionType::Ready, Reason::AppMissing).await;
        place
            .never("the pods serve on", seconds(10), async || {
                let now = shop.lives("web").await;
                if now == lives {
                    Ok(())
                } else {
                    Err(format!("{now:?} instead of {lives:?}"))
                }
            })
            .await;
        load.stop().assert_none_failed();
        shop.until_status(ConditionType::Available, "True").await;
        place.apply(&wanted.app).await;
        shop.until_ready().await;
        assert_eq!(
            shop.lives("web").await,
            lives,
            "the App that came back is the same release"
        );
    });
}

async fn owners(place: &Place) -> [usize; 3] {
    let claim: PersistentVolumeClaim = place.get("shop-postgres").await;
    let credentials: Secret = place.get("shop-postgres").await;
    let binding: Secret = place.get("shop-database").await;
    [
        claim.owner_references().len(),
        credentials.owner_references().len(),
        binding.owner_references().len(),
    ]
}

async fn until_owners(place: &Place, wanted: [usize; 3]) {
    place
        .until(
            "volume, passwords and binding have their owners",
            async || {
                let now = owners(place).await;
                if now == wanted {
                    Ok(())
                } else {
                    Err(format!("they have {now:?} instead of {wanted:?}"))
                }
            },
        )
        .await;
}

async fn until_no_pod_is_left(place: &Place) {
    place
        .until("no pod is left", async || {
            let left: Vec<String> = place
                .list::<Pod>()
                .await
                .iter()
                .map(ResourceExt::name_any)
                .collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("left: {left:?}"))
            }
        })
        .await;
}

async fn until_left(place: &Place, wanted: &BTreeSet<String>) -> Duration {
    let begun = Instant::now();
    place
        .until("exactly this is left", async || {
            let left = objects(place).await;
            if left == *wanted {
                Ok(())
            } else {
                Err(format!("left: {left:?}, wanted: {wanted:?}"))
            }
        })
        .await;
    begun.elapsed()
}

/// Everything in the namespace, of every kind that the apiserver serves, but for what is not the Environment's: what the test
/// declared, and what Kubernetes puts into every namespace.
async fn objects(place: &Place) -> BTreeSet<String> {
    let discovery = Discovery::new(place.client.clone())
        .run()
        .await
        .expect("the kinds of the cluster");
    let mut found = BTreeSet::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            // Events end by themselves.
            if resource.kind == "Event"
                || capabilities.scope != Scope::Namespaced
                || !capabilities.supports_operation(verbs::LIST)
            {
                continue;
            }
            let api: Api<DynamicObject> =
                Api::namespaced_with(place.client.clone(), &place.namespace, &resource);
            let listed = api.list(&ListParams::default()).await;
            let listed = listed
                .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", resource.kind));
            found.extend(
                listed
                    .iter()
                    .map(|object| format!("{}/{}", resource.kind, object.name_any())),
            );
        }
    }
    for given in [
        "App/shop",
        "ConfigMap/kube-root-ca.crt",
        "ServiceAccount/default",
    ] {
        found.remove(given);
    }
    found
}

/// Volumes of the node that are bound to claims of the namespace.
async fn volumes(place: &Place) -> Vec<String> {
    let api: Api<PersistentVolume> = Api::all(place.client.clone());
    let listed = api.list(&ListParams::default()).await.expect("the volumes");
    let ours = listed.iter().filter(|volume| {
        let claim = volume
            .spec
            .as_ref()
            .and_then(|spec| spec.claim_ref.as_ref());
        claim.is_some_and(|claim| claim.namespace.as_deref() == Some(&place.namespace))
    });
    ours.map(ResourceExt::name_any).collect()
}

async fn data_uids(place: &Place) -> Vec<Option<String>> {
    let mut uids = Vec::new();
    for name in ["shop-postgres", "shop-worker-files"] {
        uids.push(place.get::<PersistentVolumeClaim>(name).await.uid());
    }
    for name in ["shop-database", "shop-postgres"] {
        uids.push(place.get::<Secret>(name).await.uid());
    }
    uids
}

/// Deletion of the Environment is the end: the controller made nothing after it.
fn assert_nothing_was_made_since(place: &Place, moment: Timestamp) {
    let requests = audit::since(moment, &audit::controller_user());
    let made: Vec<_> = requests
        .iter()
        .filter(|request| request.is_write() && request.object_ref.namespace == place.namespace)
        // The pass that was under way may still tell what it saw.
        .filter(|request| {
            !matches!(
                request.object_ref.resource.as_str(),
                "environments" | "events"
            )
        })
        .collect();
    assert!(
        made.is_empty(),
        "written after the deletion:\n{}",
        audit::lines(made)
    );
}
