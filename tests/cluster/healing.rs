//! What was deleted or changed by hand comes back; what others own is left alone.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::{ConditionType, Reason};
use towpath::build::http_route::HttpRoute;

use crate::harness::place::part;
use crate::harness::{Place, Wanted, seconds, together};

#[test]
fn every_child_that_may_heal_comes_back() {
    together("healing", async |place| {
        let mut wanted = Wanted::example(place);
        wanted.app["spec"]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        place.apply(&settings("one")).await;
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        let copy = place.list::<ConfigMap>().await;
        let copy = copy
            .iter()
            .find(|map| map.name_any().starts_with("shop-config-"))
            .expect("a copy")
            .name_any();
        let host = part(&shop.see().await, "/spec/hosts/0/host");
        let route = towpath::build::names::route("shop", host.as_str().expect("a host"));
        heals::<Service>(place, "shop-web").await;
        heals::<Service>(place, "shop-web-a").await;
        heals::<Service>(place, "shop-postgres").await;
        heals::<PodDisruptionBudget>(place, "shop-web").await;
        heals::<HttpRoute>(place, &route).await;
        heals::<ConfigMap>(place, &copy).await;
        heals::<StatefulSet>(place, "shop-postgres").await;
        heals::<Deployment>(place, "shop-worker-a").await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(1), "healing is no release");
    });
}

#[test]
fn what_others_add_to_a_template_is_removed() {
    together("additions", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        shop.until_ready().await;
        let addition = json!({"spec": {"template": {
            "metadata": {"annotations": {"somebody": "else"}},
            "spec": {"containers": [{"name": "web", "env": [{"name": "EXTRA", "value": "1"}]}]},
        }}});
        place.edit::<Deployment>("shop-web-a", addition).await;
        place
            .until("the additions are gone", seconds(60), async || {
                let found = shop.deployment("web").await;
                let template = part(&found, "/spec/template").to_string();
                if template.contains("EXTRA") || template.contains("somebody") {
                    Err(template)
                } else {
                    Ok(())
                }
            })
            .await;
        shop.until_ready().await;
    });
}

#[test]
fn a_foreign_namesake_is_not_seized() {
    together("namesake", async |place| {
        let theirs = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop-web"},
            "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 1234}]},
        });
        place.apply(&theirs).await;
        let before: Service = place.get("shop-web").await;
        let shop = place.make(&Wanted::light(place)).await;
        let message = shop
            .until(ConditionType::RolledOut, Reason::NameTaken)
            .await;
        assert!(
            message.contains("Service shop-web") && message.contains("towpath.dev/adopt=shop"),
            "{message}"
        );
        let after: Service = place.get("shop-web").await;
        assert_eq!(
            after.resource_version(),
            before.resource_version(),
            "it was not touched"
        );
        place.delete::<Service>("shop-web").await;
        shop.edit(json!({"metadata": {"annotations": {"looked": "again"}}}))
            .await;
        shop.until_ready().await;
    });
}

#[test]
fn a_config_map_rolls_with_the_release() {
    together("config", async |place| {
        let mut wanted = Wanted::light(place);
        wanted.app["spec"]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
        place.apply(&settings("one")).await;
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        place.apply(&settings("two")).await;
        place
            .until(
                "the change is a revision",
                seconds(60),
                async || match shop.serving().await {
                    Some(2) => Ok(()),
                    other => Err(format!("{other:?} serves")),
                },
            )
            .await;
        shop.until_ready().await;
        assert_eq!(shop.revisions().await.len(), 2);
    });
}

fn settings(value: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"GREETING": value}})
}

/// Deletes an object, and waits until another one of its name is there.
async fn heals<K>(place: &Place, name: &str)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + serde::de::DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let before = place.get::<K>(name).await.uid();
    place.delete::<K>(name).await;
    place
        .until(
            &format!("{} {name} is back", K::kind(&())),
            seconds(90),
            async || match place.find::<K>(name).await {
                Some(found) if found.uid() != before => Ok(()),
                Some(_) => Err("the old one is still there".to_owned()),
                None => Err("it is gone".to_owned()),
            },
        )
        .await;
}
