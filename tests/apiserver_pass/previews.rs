//! What a Preview stamps, against a real apiserver: a person's edits are put back, and a fight is none.

use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use towpath::api::{App, ConditionType, Environment, Preview, PreviewStatus, Reason};
use towpath::apply::{self, Acted};
use towpath::build::environment;
use towpath::plan::{Action, Gate, Plan, Step};
use towpath::status;

use crate::support::apiserver::Apiserver;
use crate::world::World;

fn app(world: &World) -> App {
    let preview = json!({
        "hosts": [{"host": "pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}},
    });
    let app = json!({
        "metadata": {"name": "shop", "namespace": world.namespace},
        "spec": {"components": [{"name": "web", "role": "Web", "port": 8000}], "preview": preview},
    });
    serde_json::from_value(app).expect("an App")
}

async fn stamp(world: &World, preview: &Preview, action: Action) -> Acted {
    let step = Step {
        stage: ConditionType::Deployed,
        action,
    };
    let plan: Plan<PreviewStatus> = Plan {
        steps: vec![step],
        ..Plan::default()
    };
    apply::run(&plan, preview, &world.ctx).await
}

#[tokio::test]
async fn what_a_person_edits_again_and_again_is_put_back() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let preview: Preview = world
        .make(json!({
            "metadata": {"name": "shop-pr-7"},
            "spec": {"appRef": {"name": "shop"}, "pullRequest": {"number": 7}, "release": {"image": "shop:1"}},
        }))
        .await;
    let wanted = environment::of_preview(&preview, &app(&world), None).expect("a section");
    let acted = stamp(
        &world,
        &preview,
        Action::Environment(crate::new(wanted.clone())),
    )
    .await;
    assert_eq!(acted.wrote, 1, "{acted:?}");
    let api = world.api::<Environment>();
    let uid = api.get("shop-pr-7").await.unwrap().uid().unwrap();
    for time in 1..=4 {
        let edit = json!({"spec": {
            "hosts": [], "env": [{"name": "TIME", "value": time.to_string()}],
            "database": {"dedicated": {"resources": {"requests": {"cpu": "2"}}}},
        }});
        let params = PatchParams::default();
        api.patch("shop-pr-7", &params, &Patch::Merge(edit))
            .await
            .unwrap();
        let change = Action::Environment(crate::known(wanted.clone(), &uid, &[]));
        let acted = stamp(&world, &preview, change).await;
        let there = api.get("shop-pr-7").await.unwrap();
        if time < 4 {
            assert_eq!(there.spec, wanted.spec, "{time}: {acted:?}");
            continue;
        }
        // Nobody types that fast.
        let (reason, sentence) = crate::refusal(&acted).expect("a pause");
        assert_eq!(reason, Reason::ObjectRefused);
        assert!(
            sentence.starts_with("Environment shop-pr-7 is changed each time"),
            "{sentence}"
        );
        assert!(there.spec.hosts.is_empty());
    }
}

/// A Preview that goes in this very pass has no status any more; that its host was not told is told all the same.
#[tokio::test]
async fn who_goes_without_a_word_is_told_of() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let made: Preview = world
        .make(json!({
            "metadata": {"name": "shop-pr-7", "finalizers": ["towpath.dev/announcement"]},
            "spec": {"appRef": {"name": "shop"}, "pullRequest": {"number": 7}, "release": {"image": "shop:1"}},
        }))
        .await;
    let api = world.api::<Preview>();
    api.delete(&made.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let leaving = api.get("shop-pr-7").await.unwrap();
    let gate = Gate::new(Reason::NotTold, "The Git host was not told");
    let plan: Plan<PreviewStatus> = Plan {
        steps: vec![Step {
            stage: ConditionType::Announced,
            action: Action::hold("Preview", &leaving.metadata, Vec::new()),
        }],
        gates: vec![(ConditionType::Announced, gate)],
        ..Plan::default()
    };
    let acted = apply::run(&plan, &leaving, &world.ctx).await;
    assert_eq!(acted.wrote, 1, "{acted:?}");
    assert!(api.get_opt("shop-pr-7").await.unwrap().is_none());
    status::report(&leaving, &plan, &acted, &world.ctx)
        .await
        .unwrap();
    let events = world.api::<Event>().list(&ListParams::default()).await;
    let events = events.unwrap().items;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].reason.as_deref(), Some("NotTold"));
    assert_eq!(events[0].regarding.as_ref().unwrap().uid, leaving.uid());
}
