//! What a person or another program does to children: undone where it may be, told where it may not.

use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use towpath::api::{ConditionType, Reason, labels};
use towpath::build::http_route::HttpRoute;

use crate::harness::database::Database;
use crate::harness::place::part;
use crate::harness::{Place, Shop, Wanted, audit, seconds, together};

/// The example app with a ConfigMap, so that every kind of child is there.
async fn every_kind(place: &Place) -> Wanted {
    place
        .apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"GREETING": "hello"}}))
        .await;
    let mut wanted = Wanted::example(place);
    wanted.app["spec"]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    wanted
}

#[test]
fn every_child_that_may_heal_comes_back() {
    together("healing", async |place| {
        let shop = place.make(&every_kind(place).await).await;
        shop.until_ready().await;
        shop.order().await;
        let route = name_of::<HttpRoute>(place).await;
        let copy = copy_of_settings(place).await;
        let moment = Timestamp::now();

        // Alone: pods that are made while it is away do not know its hash.
        let sixth = comes_back::<Secret>(place, "shop-database", "/data").await;
        let (first, second, third, fourth, fifth) = tokio::join!(
            comes_back::<Deployment>(place, "shop-web-a", "/spec"),
            comes_back::<Deployment>(place, "shop-worker-a", "/spec"),
            comes_back::<PodDisruptionBudget>(place, "shop-web", "/spec"),
            comes_back::<HttpRoute>(place, &route, "/spec"),
            comes_back::<ConfigMap>(place, &copy, "/data"),
        );
        // The apiserver chooses another address.
        for service in ["shop-web", "shop-web-a", "shop-postgres"] {
            comes_back::<Service>(place, service, "/spec/selector").await;
        }
        comes_back::<StatefulSet>(place, "shop-postgres", "/spec").await;
        println!("came back within {first}, {second}, {third}, {fourth}, {fifth} and {sixth} ms");

        // The migration is over: its Job may go, and is not made again.
        place.delete::<Job>("shop-migrate-1").await;
        shop.until_ready().await;
        // The worker may have come back before its database.
        until_packed(&shop).await;
        audit::until_rest(place).await;
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            0,
            "the migration was made again"
        );
        assert_eq!(shop.revisions().await.len(), 1);
    });
}

/// The order of before is in the volume that the database has again.
async fn until_packed(shop: &Shop<'_>) {
    shop.place
        .until("the order is packed", async || {
            match shop.ask("/").await? {
                (200, _, page) if page.contains("id=\"packed\">1<") => Ok(()),
                (status, _, page) => Err(format!("{status}: {page}")),
            }
        })
        .await;
}

/// Deletes an object and waits until another one says the same; returns after how many milliseconds.
async fn comes_back<K>(place: &Place, name: &str, pointer: &str) -> u128
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let before: K = place.get(name).await;
    let begun = std::time::Instant::now();
    place.delete::<K>(name).await;
    let what = format!("{} {name} comes back", K::kind(&()));
    place
        .until(&what, async || {
            let now: K = place.find(name).await.ok_or("it is gone")?;
            if now.uid() == before.uid() {
                return Err("it is on its way out".to_owned());
            }
            same(&part(&before, pointer), &part(&now, pointer))
        })
        .await;
    begun.elapsed().as_millis()
}

fn same(wanted: &Value, found: &Value) -> Result<(), String> {
    if wanted == found {
        Ok(())
    } else {
        Err(format!("it is {found} instead of {wanted}"))
    }
}

async fn name_of<K>(place: &Place) -> String
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let objects = place.list::<K>().await;
    objects.first().expect("an object of this kind").name_any()
}

async fn copy_of_settings(place: &Place) -> String {
    let maps = place.list::<ConfigMap>().await;
    let copy = maps.iter().find(|map| {
        map.labels()
            .get(labels::PURPOSE)
            .is_some_and(|purpose| purpose == "config")
    });
    copy.expect("a copy of the ConfigMap").name_any()
}

#[test]
fn what_is_edited_by_hand_is_put_back() {
    together("edits", async |place| {
        let shop = place.make(&every_kind(place).await).await;
        shop.until_ready().await;
        let route = name_of::<HttpRoute>(place).await;
        let pods = shop.lives("web").await;

        put_back::<Deployment>(place, "shop-web-a", json!({"spec": {"replicas": 3}})).await;
        let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "198.18.0.1:5000/shop:v3"}]}}}});
        put_back::<Deployment>(place, "shop-worker-a", image).await;
        put_back::<Service>(
            place,
            "shop-web",
            json!({"spec": {"selector": {labels::SLOT: "b"}}}),
        )
        .await;
        put_back::<Service>(
            place,
            "shop-web-a",
            json!({"spec": {"ports": [{"port": 8000, "targetPort": 9}]}}),
        )
        .await;
        put_back::<PodDisruptionBudget>(place, "shop-web", json!({"spec": {"maxUnavailable": 2}}))
            .await;
        put_back::<StatefulSet>(
            place,
            "shop-postgres",
            json!({"spec": {"minReadySeconds": 0, "replicas": 0}}),
        )
        .await;
        put_back_route(place, &route).await;

        shop.until_ready().await;
        let now = shop.lives("web").await;
        assert!(
            pods.iter().all(|pod| now.contains(pod)),
            "{now:?} instead of {pods:?}"
        );
        // The database's pod may have gone before the edit was undone.
        shop.until_shown("version", "v1").await;
    });
}

/// Edits an object, and waits until its spec is what it was.
async fn put_back<K>(place: &Place, name: &str, patch: Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let before: K = place.get(name).await;
    let edited: K = place.edit(name, patch.clone()).await;
    assert_ne!(
        part(&edited, "/spec"),
        part(&before, "/spec"),
        "the edit changes something"
    );
    until_as_before(place, &before, &patch).await;
}

async fn until_as_before<K>(place: &Place, before: &K, patch: &Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let name = before.name_any();
    let what = format!("{} {name} is put back after {patch}", K::kind(&()));
    place
        .until(&what, async || {
            let now: K = place.get(&name).await;
            assert_eq!(now.uid(), before.uid());
            same(&part(before, "/spec"), &part(&now, "/spec"))
        })
        .await;
}

/// A route is no kind of Kubernetes' own, so it is edited as a whole.
async fn put_back_route(place: &Place, name: &str) {
    let before: HttpRoute = place.get(name).await;
    let patch = json!({"spec": {"hostnames": ["stolen.localhost"]}});
    let api = place.api::<HttpRoute>();
    let params = kube::api::PatchParams::default();
    api.patch(name, &params, &kube::api::Patch::Merge(&patch))
        .await
        .expect("it is edited");
    until_as_before(place, &before, &patch).await;
}

#[test]
fn what_others_add_to_pods_and_services_is_removed() {
    together("additions", async |place| {
        let shop = place.make(&every_kind(place).await).await;
        shop.until_ready().await;

        let sidecar = json!({"spec": {"template": {"spec": {"containers": [{"name": "miner", "image": "198.18.0.1:5000/shop:v1"}]}}}});
        put_back::<Deployment>(place, "shop-worker-a", sidecar).await;
        let variable = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "web", "env": [{"name": "LD_PRELOAD", "value": "/tmp/x.so"}]}]}}}});
        put_back::<Deployment>(place, "shop-web-a", variable).await;
        let annotation = json!({"spec": {"template": {"metadata": {"annotations": {"example.com/inject": "yes"}}}}});
        put_back::<Deployment>(place, "shop-web-a", annotation).await;
        let network = json!({"spec": {"template": {"spec": {"hostNetwork": true}}}});
        put_back::<Deployment>(place, "shop-worker-a", network).await;
        put_back::<Service>(
            place,
            "shop-web",
            json!({"spec": {"selector": {"example.com/mine": "yes"}}}),
        )
        .await;
        let port =
            json!({"spec": {"ports": [{"name": "debug", "port": 6060, "targetPort": 6060}]}});
        put_back::<Service>(place, "shop-web-a", port).await;
        shop.until_ready().await;
    });
}

#[test]
fn a_restart_by_kubectl_and_labels_of_others_stay() {
    together("theirs", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        let at = "2026-01-01T00:00:00Z";
        let restart = json!({"spec": {"template": {"metadata": {"annotations": {labels::RESTARTED_AT: at}}}}});
        place.edit::<Deployment>("shop-web-a", restart).await;
        place
            .edit::<Deployment>(
                "shop-web-a",
                json!({"metadata": {"labels": {"example.com/team": "blue"}}}),
            )
            .await;
        place
            .until("the pod is replaced", async || {
                let now = shop.lives("web").await;
                let replaced = now.len() == 1 && now != before;
                if replaced {
                    Ok(())
                } else {
                    Err(format!("there are {now:?}"))
                }
            })
            .await;
        shop.until_ready().await;
        let after = shop.lives("web").await;
        place
            .never("a restart is not undone", seconds(10), async || {
                let deployment = shop.deployment("web").await;
                let annotation = part(&deployment, "/spec/template/metadata/annotations");
                same(&json!(at), &annotation[labels::RESTARTED_AT])?;
                same(&json!(after), &json!(shop.lives("web").await))?;
                same(
                    &json!("blue"),
                    &json!(deployment.labels().get("example.com/team")),
                )
            })
            .await;
    });
}

#[test]
fn a_namesake_of_someone_else_is_not_seized() {
    together("namesake", async |place| {
        let theirs = [
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop-web"},
                "spec": {"selector": {"app": "other"}, "ports": [{"port": 80}]}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop-web-a"}, "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": "other"}},
                "template": {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "other", "image": "other"}]}}}}),
        ];
        for object in &theirs {
            place.apply(object).await;
        }
        let service: Service = place.get("shop-web").await;
        let deployment: Deployment = place.get("shop-web-a").await;

        let shop = place.make(&Wanted::light(place)).await;
        let message = shop.until(ConditionType::Ready, Reason::NameTaken).await;
        assert!(
            message.contains("Deployment shop-web-a exists and is not this Environment's"),
            "{message}"
        );
        let now: Deployment = place.get("shop-web-a").await;
        assert_eq!(part(&now, "/spec"), part(&deployment, "/spec"));
        assert_eq!(now.owner_references().len(), 0);
        place.delete::<Deployment>("shop-web-a").await;
        let message = shop
            .until_says(ConditionType::Ready, Reason::NameTaken, "Service shop-web ")
            .await;
        assert!(
            message.contains("kubectl annotate service shop-web towpath.dev/adopt=shop"),
            "{message}"
        );
        place
            .never("it is left alone", seconds(10), async || {
                let now: Service = place.get("shop-web").await;
                same(
                    &json!(service.resource_version()),
                    &json!(now.resource_version()),
                )
            })
            .await;

        // Handed over, it is adopted as it stands.
        place
            .edit::<Service>(
                "shop-web",
                json!({"metadata": {"annotations": {labels::ADOPT: "shop"}}}),
            )
            .await;
        shop.until_ready().await;
        let now: Service = place.get("shop-web").await;
        assert_eq!(now.uid(), service.uid());
        assert_eq!(now.owner_references().len(), 1);
        let selector = part(&now, "/spec/selector");
        assert_eq!(selector[labels::COMPONENT], json!("web"));
        assert_eq!(
            selector.get("app"),
            None,
            "what others had in it is removed"
        );
    });
}

#[test]
fn what_is_not_declared_any_more_goes() {
    together("pruning", async |place| {
        let mut wanted = every_kind(place).await;
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        let copy = copy_of_settings(place).await;

        // No worker, no host, one pod, no ConfigMap.
        wanted.components().truncate(1);
        wanted.component("web")["replicas"] = json!(1);
        wanted.app["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("envFrom");
        wanted.environment["spec"]["hosts"] = json!([]);
        place.make(&wanted).await;
        shop.until_ready().await;
        gone::<Deployment>(place, "shop-worker-a").await;
        gone::<PodDisruptionBudget>(place, "shop-web").await;
        place
            .until("the route is gone", async || {
                let left = place.list::<HttpRoute>().await.len();
                if left == 0 {
                    Ok(())
                } else {
                    Err(format!("{left} are left"))
                }
            })
            .await;

        // The component's port moves to another one, and web is no more.
        let mut renamed = wanted.clone();
        renamed.component("web")["name"] = json!("front");
        renamed.app["spec"]["migration"]["component"] = json!("front");
        place.make(&renamed).await;
        shop.until_ready().await;
        for service in ["shop-web", "shop-web-a"] {
            gone::<Service>(place, service).await;
        }

        // A copy stays as long as a revision that is kept names it; so do revisions, five of them.
        for number in 0..5 {
            shop.set_variable("NUMBER", &number.to_string()).await;
            shop.until_ready().await;
        }
        gone::<ConfigMap>(place, &copy).await;
        place
            .until("five revisions are kept", async || {
                let kept = shop.revisions().await.len();
                if kept == 5 {
                    Ok(())
                } else {
                    Err(format!("{kept} are kept"))
                }
            })
            .await;
        let database = Database::connect(place, "shop").await;
        assert_eq!(
            database.record().await.len(),
            1,
            "nothing was migrated again"
        );
        assert!(
            place.find::<Secret>("shop-database").await.is_some(),
            "data is never cleared away"
        );
    });
}

async fn gone<K>(place: &Place, name: &str)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
{
    place
        .until(
            &format!("{} {name} goes", K::kind(&())),
            async || match place.find::<K>(name).await {
                None => Ok(()),
                Some(_) => Err("it is there".to_owned()),
            },
        )
        .await;
}

#[test]
fn a_suspended_environment_is_left_as_people_leave_it() {
    together("suspended", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        shop.until_ready().await;
        shop.edit(json!({"spec": {"suspend": true}})).await;
        shop.until(ConditionType::Ready, Reason::Suspended).await;
        let moment = Timestamp::now();
        place
            .edit::<Deployment>("shop-web-a", json!({"spec": {"replicas": 2}}))
            .await;
        place.delete::<Service>("shop-web").await;
        shop.set_variable("MORE", "yes").await;
        place
            .never("nothing is put back", seconds(15), async || {
                let replicas = part(&shop.deployment("web").await, "/spec/replicas");
                same(&json!(2), &replicas)?;
                same(
                    &json!(null),
                    &json!(place.find::<Service>("shop-web").await),
                )
            })
            .await;
        let requests = audit::since(moment, &audit::controller_user());
        let wrote = requests.iter().filter(|request| {
            request.is_write()
                && request.object_ref.namespace == place.namespace
                && request.object_ref.subresource != "status"
                && request.object_ref.resource != "events"
        });
        let wrote = audit::lines(wrote);
        assert!(wrote.is_empty(), "{wrote}");
        shop.edit(json!({"spec": {"suspend": false}})).await;
        shop.until_ready().await;
        assert_eq!(
            part(&shop.deployment("web").await, "/spec/replicas"),
            json!(1)
        );
        assert_eq!(
            shop.revisions().await.len(),
            2,
            "the release that was named meanwhile"
        );
    });
}
