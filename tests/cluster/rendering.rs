//! A newer controller renders differently, and restarts no pod.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};
use towpath::api::{ConditionType, Reason};

use crate::harness::database::Database;
use crate::harness::place::part;
use crate::harness::{Controller, Load, Place, Shop, Wanted, alone, seconds};

#[test]
fn a_controller_that_renders_differently_restarts_no_pod() {
    alone("rendering", async |place| {
        let host = place.host();
        let shop = place
            .make(&Wanted::with_database(place).hosts(&[&host]))
            .await;
        shop.until_ready().await;
        release_as_an_earlier_controller_rendered_it(&shop).await;
        let pods = shop.lives("web").await;
        let load = Load::start(&host, 50);

        let controller = Controller::new(place);
        controller.restart().await;
        // What is no part of a release changes, and what was rendered stays as it was.
        shop.edit(json!({"spec": {"components": [{"name": "web", "replicas": 2}]}}))
            .await;
        let other = format!("other-{host}");
        let hosts =
            Wanted::light(place).hosts(&[&host, &other]).environment["spec"]["hosts"].clone();
        shop.edit(json!({"spec": {"hosts": hosts}})).await;
        shop.until_ready().await;
        place
            .never("what runs keeps running", seconds(10), async || {
                let now = shop.lives("web").await;
                let same = now.len() == 2 && pods.iter().all(|pod| now.contains(pod));
                if same {
                    Ok(())
                } else {
                    Err(format!("{now:?} instead of {pods:?} and one more"))
                }
            })
            .await;
        for pod in shop.pods("web").await {
            assert!(
                is_earlier(&part(&pod, "/spec")),
                "{} is rendered anew",
                pod.name_any()
            );
        }

        // The next release is rendered anew.
        shop.set_variable("SHOP_VERSION", "anew").await;
        shop.until_ready().await;
        for pod in shop.pods("web").await {
            assert!(
                !is_earlier(&part(&pod, "/spec")),
                "{} is rendered as before",
                pod.name_any()
            );
        }
        load.stop().assert_none_failed();
    });
}

/// Releases v2 from a revision that another version of the controller has rendered: one variable and a longer grace period
/// that this version does not write, and no spread of pods over nodes, which this version writes.
///
/// A revision is decided before its migration. So while that is held up, and the Environment suspended, the stored
/// rendering is exchanged; everything after it is the controller's own work.
async fn release_as_an_earlier_controller_rendered_it(shop: &Shop<'_>) {
    let place = shop.place;
    let database = Database::connect(place, &shop.name).await;
    database.hold_migrations().await;
    shop.release("v2").await;
    shop.until_migrating(2).await;
    shop.edit(json!({"spec": {"suspend": true}})).await;
    shop.until(ConditionType::Ready, Reason::Suspended).await;
    exchange(place, &format!("{}-2", shop.name)).await;
    shop.edit(json!({"spec": {"suspend": false}})).await;
    database.let_migrations_go().await;
    shop.until_ready().await;
    assert_eq!(shop.serving().await, Some(2));
    for pod in shop.pods("web").await {
        assert!(
            is_earlier(&part(&pod, "/spec")),
            "{} is not as stored",
            pod.name_any()
        );
    }
}

/// What a revision decided cannot be changed, so another one is made in its place.
async fn exchange(place: &Place, name: &str) {
    let mut revision: ControllerRevision = place.get(name).await;
    let data = &mut revision.data.as_mut().expect("what was decided").0;
    let spec = &mut data["components"][0]["template"]["spec"];
    spec["terminationGracePeriodSeconds"] = json!(33);
    spec.as_object_mut()
        .expect("a spec")
        .remove("topologySpreadConstraints");
    let env = spec["containers"][0]["env"]
        .as_array_mut()
        .expect("variables");
    env.push(json!({"name": "RENDERED_BY", "value": "an earlier version"}));
    let metadata = &mut revision.metadata;
    metadata.uid = None;
    metadata.resource_version = None;
    metadata.creation_timestamp = None;
    metadata.managed_fields = None;
    place.delete::<ControllerRevision>(name).await;
    let made = place.api().create(&PostParams::default(), &revision).await;
    made.expect("the revision is made anew");
}

fn is_earlier(spec: &Value) -> bool {
    let variables = spec["containers"][0]["env"].to_string();
    spec["terminationGracePeriodSeconds"] == json!(33) && variables.contains("an earlier version")
}
