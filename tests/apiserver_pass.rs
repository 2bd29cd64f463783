//! What a pass writes, against a real apiserver: nothing foreign is seized, nothing is written twice, and a refusal is an
//! outcome.

#[path = "apiserver_pass/doors.rs"]
mod doors;
#[path = "apiserver_pass/golden.rs"]
mod golden;
#[path = "apiserver_pass/previews.rs"]
mod previews;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use towpath::api::Reason;
use towpath::apply::Acted;
use towpath::caches::Place;
use towpath::plan::Action;
use towpath::plan::action::{Change, Key, Live};
use towpath::plan::diff::{self, Guarded};
use towpath::plan::traffic::{Backend, Published, PublishedRoute};
use towpath::postgres::{Access, Entry, Outcome};

use support::apiserver::Apiserver;
use world::World;

fn service(world: &World, environment: &towpath::api::Environment) -> Service {
    let spec = json!({"spec": {"selector": {"a": "b"}, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]}});
    world.child(environment, "shop-web", spec)
}

fn deployment(world: &World, environment: &towpath::api::Environment) -> Deployment {
    let labels = json!({"towpath.dev/slot": "a"});
    let spec = json!({"spec": {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "registry.example.com/shop:1"}]},
        },
    }});
    world.child(environment, "shop-web-a", spec)
}

fn new<K>(object: K) -> Change<K> {
    Change {
        object: Box::new(object),
        live: None,
    }
}

fn known<K>(object: K, uid: &str, foreign: &[&str]) -> Change<K> {
    let live = Live {
        uid: uid.to_owned(),
        resource_version: None,
        foreign: foreign.iter().map(|path| (*path).to_owned()).collect(),
    };
    Change {
        object: Box::new(object),
        live: Some(live),
    }
}

fn refusal(acted: &Acted) -> Option<(Reason, &str)> {
    let (_, reason, sentence) = acted.refused.as_ref()?;
    Some((*reason, sentence))
}

#[tokio::test]
async fn a_name_that_someone_else_has_is_not_seized() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let theirs: Service = world
        .make(json!({
            "metadata": {"name": "shop-web"},
            "spec": {"ports": [{"port": 9999}]},
        }))
        .await;
    let change = Action::Service(new(service(&world, &environment)));
    let acted = world
        .act(
            &environment,
            vec![
                change,
                Action::Deployment(new(deployment(&world, &environment))),
            ],
        )
        .await;
    let (reason, sentence) = refusal(&acted).expect("a refusal");
    assert_eq!(reason, Reason::NameTaken);
    assert!(
        sentence.contains("kubectl annotate service shop-web towpath.dev/adopt=shop"),
        "{sentence}"
    );
    let after = world.api::<Service>().get("shop-web").await.unwrap();
    assert_eq!(after.resource_version(), theirs.resource_version());
    let later = world
        .api::<Deployment>()
        .get_opt("shop-web-a")
        .await
        .unwrap();
    assert!(later.is_none(), "nothing is sent after a refusal");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_holds_up_nothing_else() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let entry = Entry {
        key: "k1".to_owned(),
        revision: 1,
        outcome: Outcome::Succeeded,
        started: None,
        finished: None,
        note: None,
    };
    let access = Access::parse("postgres://owner:pw@db.example.com:5432/shop").unwrap();
    let actions = vec![
        Action::Enter(access, entry),
        Action::Service(new(service(&world, &environment))),
    ];
    let acted = world.act(&environment, actions).await;
    let (reason, _) = refusal(&acted).expect("a refusal");
    assert_eq!((reason, acted.wrote), (Reason::DatabaseSilent, 1));
    world.api::<Service>().get("shop-web").await.unwrap();
}

#[tokio::test]
async fn what_a_person_hands_over_is_adopted() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let theirs: Service = world
        .make(json!({
            "metadata": {"name": "shop-web", "annotations": {"towpath.dev/adopt": "shop"}},
            "spec": {"ports": [{"name": "http", "port": 80}], "selector": {"theirs": "yes"}},
        }))
        .await;
    let change = Action::Service(new(service(&world, &environment)));
    let acted = world.act(&environment, vec![change]).await;
    assert!(
        acted.refused.is_none() && acted.failed.is_none(),
        "{acted:?}"
    );
    let after = world.api::<Service>().get("shop-web").await.unwrap();
    assert_eq!(after.uid(), theirs.uid());
    assert_eq!(after.owner_references().len(), 1);
    assert_eq!(after.spec.unwrap().selector.unwrap()["a"], "b");
}

#[tokio::test]
async fn what_an_earlier_environment_left_is_waited_for() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let earlier = json!([{"apiVersion": "towpath.dev/v1alpha1", "kind": "Environment", "name": "shop", "uid": "gone", "controller": true}]);
    let _: ConfigMap = world
        .make(json!({"metadata": {"name": "copy", "ownerReferences": earlier}}))
        .await;
    let copy = world.child(&environment, "copy", json!({}));
    let acted = world
        .act(&environment, vec![Action::Copy(Box::new(copy))])
        .await;
    assert_eq!(
        refusal(&acted).map(|(reason, _)| reason),
        Some(Reason::Terminating)
    );
}

#[tokio::test]
async fn own_objects_are_applied_by_uid_whatever_the_cache_knew() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let change = || Action::Service(new(service(&world, &environment)));
    assert_eq!(world.act(&environment, vec![change()]).await.wrote, 1);
    // The cache lags: it is applied as if it were not there.
    assert_eq!(world.act(&environment, vec![change()]).await.wrote, 1);
    let another = known(
        service(&world, &environment),
        "11111111-1111-1111-1111-111111111111",
        &[],
    );
    let acted = world
        .act(&environment, vec![Action::Service(another)])
        .await;
    assert!(
        acted.again && acted.refused.is_none() && acted.failed.is_none(),
        "{acted:?}"
    );
}

#[tokio::test]
async fn a_read_version_that_is_over_is_a_conflict() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    world
        .act(
            &environment,
            vec![Action::Service(new(service(&world, &environment)))],
        )
        .await;
    let made = world.api::<Service>().get("shop-web").await.unwrap();
    let mut change = known(service(&world, &environment), &made.uid().unwrap(), &[]);
    if let Some(live) = &mut change.live {
        live.resource_version = Some("1".to_owned());
    }
    let acted = world.act(&environment, vec![Action::Service(change)]).await;
    assert!(acted.again && acted.failed.is_none(), "{acted:?}");
}

#[tokio::test]
async fn what_others_add_is_removed_once_and_left_when_it_comes_back() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    world
        .act(
            &environment,
            vec![Action::Deployment(new(deployment(&world, &environment)))],
        )
        .await;
    let api = world.api::<Deployment>();
    let uid = api.get("shop-web-a").await.unwrap().uid().unwrap();
    let sidecar = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "spy", "image": "spy:1"}]}}},
    });
    let meddle = || async {
        let params = PatchParams::apply("meddler");
        api.patch("shop-web-a", &params, &Patch::Apply(&sidecar))
            .await
            .unwrap();
    };
    let containers = || async {
        let found = api.get("shop-web-a").await.unwrap();
        found.spec.unwrap().template.spec.unwrap().containers.len()
    };
    let addition = "Deployment/shop-web-a /spec/template/spec/containers/1";
    let change = || Action::Deployment(known(deployment(&world, &environment), &uid, &[addition]));
    meddle().await;
    assert_eq!(containers().await, 2);
    let acted = world.act(&environment, vec![change()]).await;
    assert_eq!((acted.wrote, containers().await), (1, 1), "{acted:?}");
    assert!(world.ctx.stubborn(&environment).is_empty());
    meddle().await;
    world.act(&environment, vec![change()]).await;
    assert_eq!(containers().await, 2, "nobody gains from a fight");
    assert!(world.ctx.stubborn(&environment).contains(addition));
}

#[tokio::test]
async fn ports_and_selectors_that_others_add_go() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    world
        .act(
            &environment,
            vec![Action::Service(new(service(&world, &environment)))],
        )
        .await;
    let api = world.api::<Service>();
    let patch = json!({"spec": {"selector": {"more": "yes"}, "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "spy"}]}});
    let meddled = api
        .patch("shop-web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    let change = known(
        service(&world, &environment),
        &meddled.uid().unwrap(),
        &["Service/shop-web /spec/ports/1"],
    );
    let acted = world.act(&environment, vec![Action::Service(change)]).await;
    assert!(
        acted.failed.is_none() && acted.refused.is_none(),
        "{acted:?}"
    );
    let spec = api.get("shop-web").await.unwrap().spec.unwrap();
    assert_eq!(
        (spec.ports.unwrap().len(), spec.selector.unwrap().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn the_class_of_an_ingress_goes_when_nobody_names_it_any_more() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let backend = Backend {
        service: "shop-web-a".to_owned(),
        port: 80,
        weight: 1,
    };
    let published = Published {
        host: "shop.example.com".to_owned(),
        routes: vec![PublishedRoute {
            path: "/".to_owned(),
            backends: vec![backend],
        }],
    };
    let ingress = |class| towpath::build::ingress::host(&environment, class, &published);
    let acted = world
        .act(
            &environment,
            vec![Action::Ingress(new(ingress(Some("nginx"))))],
        )
        .await;
    assert_eq!(acted.wrote, 1, "{acted:?}");
    let api = world.api::<Ingress>();
    let name = ingress(None).name_any();
    let live = api.get(&name).await.unwrap();
    let change = |class| {
        diff::change(
            ingress(class),
            Some(&live),
            Guarded::Nothing,
            &BTreeSet::new(),
        )
    };
    assert!(change(Some("nginx")).is_none());
    let changed = change(None).expect("a change");
    let acted = world
        .act(&environment, vec![Action::Ingress(changed)])
        .await;
    assert_eq!(acted.wrote, 1, "{acted:?}");
    let live = api.get(&name).await.unwrap();
    assert_eq!(live.spec.as_ref().unwrap().ingress_class_name, None);
    let again = diff::change(
        ingress(None),
        Some(&live),
        Guarded::Nothing,
        &BTreeSet::new(),
    );
    assert!(again.is_none(), "{again:?}");
}

#[tokio::test]
async fn a_delete_means_one_uid() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    world
        .act(
            &environment,
            vec![Action::Service(new(service(&world, &environment)))],
        )
        .await;
    let api = world.api::<Service>();
    let uid = api.get("shop-web").await.unwrap().uid().unwrap();
    let delete = |uid: &str| Action::Delete {
        key: Key {
            kind: "Service",
            name: "shop-web".to_owned(),
        },
        uid: uid.to_owned(),
    };
    let other = world
        .act(
            &environment,
            vec![delete("22222222-2222-2222-2222-222222222222")],
        )
        .await;
    assert!(
        other.failed.is_none() && other.refused.is_none(),
        "{other:?}"
    );
    assert!(api.get_opt("shop-web").await.unwrap().is_some());
    for _ in 0..2 {
        let acted = world.act(&environment, vec![delete(&uid)]).await;
        assert!(
            acted.failed.is_none() && acted.refused.is_none(),
            "{acted:?}"
        );
        assert!(api.get_opt("shop-web").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_revision_that_is_decided_already_ends_the_pass() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let revision: ControllerRevision = world.child(
        &environment,
        "shop-1",
        json!({"revision": 1, "data": {"a": 1}}),
    );
    let mut other = revision.clone();
    other.data = Some(k8s_openapi::apimachinery::pkg::runtime::RawExtension(
        json!({"a": 2}),
    ));
    let first = world
        .act(&environment, vec![Action::Decide(Box::new(revision))])
        .await;
    assert_eq!((first.wrote, first.again), (1, false));
    let later = Action::Service(new(service(&world, &environment)));
    let second = world
        .act(&environment, vec![Action::Decide(Box::new(other)), later])
        .await;
    assert!(
        second.again && second.wrote == 0 && second.refused.is_none(),
        "{second:?}"
    );
    assert!(
        world
            .api::<Service>()
            .get_opt("shop-web")
            .await
            .unwrap()
            .is_none()
    );
    let place = Place::new(&world.namespace, "shop-1");
    let decided = world.ctx.caches.revisions.get(&place).expect("it was read");
    assert_eq!(decided.data.as_ref().unwrap().0, json!(r#"{"a":1}"#));
}

#[tokio::test]
async fn a_quota_is_an_outcome_with_its_sentence() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let hard = json!({"count/services": "0"});
    let _: ResourceQuota = world
        .make(json!({"metadata": {"name": "none"}, "spec": {"hard": hard}}))
        .await;
    // No controller manager runs here: its part is to say how much is used.
    let status: Value = json!({"status": {"hard": hard, "used": {"count/services": "0"}}});
    let quotas = world.api::<ResourceQuota>();
    quotas
        .patch_status("none", &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
    let acted = world::eventually("the quota is enforced", || async {
        let acted = world
            .act(
                &environment,
                vec![Action::Service(new(service(&world, &environment)))],
            )
            .await;
        if acted.refused.is_none() {
            world
                .api::<Service>()
                .delete("shop-web", &DeleteParams::default())
                .await
                .unwrap();
        }
        acted.refused.is_some().then_some(acted)
    })
    .await;
    let (reason, sentence) = refusal(&acted).expect("a refusal");
    assert_eq!(reason, Reason::ObjectRefused);
    assert!(sentence.contains("exceeded quota: none"), "{sentence}");
}

#[tokio::test]
async fn passwords_are_made_once() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let secret: Secret = world.child(&environment, "shop-postgres", json!({"type": "Opaque"}));
    let invent = || Action::Invent {
        secret: Box::new(secret.clone()),
        generate: vec!["admin".to_owned()],
    };
    assert_eq!(world.act(&environment, vec![invent()]).await.wrote, 1);
    let first = world
        .api::<Secret>()
        .get("shop-postgres")
        .await
        .unwrap()
        .data;
    assert_eq!(world.act(&environment, vec![invent()]).await.wrote, 1);
    let second = world
        .api::<Secret>()
        .get("shop-postgres")
        .await
        .unwrap()
        .data;
    assert_eq!(first, second);
    assert_eq!(first.unwrap()["admin"].0.len(), 32);
}

#[tokio::test]
async fn what_was_written_is_seen_at_once() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let environment = world.environment("shop", json!({})).await;
    let place = Place::new(&world.namespace, "shop-web");
    // No watch runs: all that the cache knows are own writes.
    world
        .act(
            &environment,
            vec![Action::Service(new(service(&world, &environment)))],
        )
        .await;
    let held = world
        .ctx
        .caches
        .services
        .get(&place)
        .expect("it was written");
    assert!(held.metadata.managed_fields.is_none());
    let uid = held.uid().unwrap();
    let delete = Action::Delete {
        key: Key {
            kind: "Service",
            name: "shop-web".to_owned(),
        },
        uid,
    };
    world.act(&environment, vec![delete]).await;
    assert!(world.ctx.caches.services.get(&place).is_none());
    // The watch comes late, and brings back nothing.
    let _watches = world.watch().await;
    assert!(world.ctx.caches.services.get(&place).is_none());
    assert!(
        world
            .ctx
            .caches
            .environments
            .get(&Place::new(&world.namespace, "shop"))
            .is_some()
    );
}
