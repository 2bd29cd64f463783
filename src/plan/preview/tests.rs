mod announced;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::api::environment::Provider;
use crate::api::shared::Resources;
use crate::api::{App, Environment, Preview, Reason, labels};
use crate::build::environment;
use crate::config::Config;
use crate::plan::Action;
use crate::seen::{KnownPreview, Seen};

fn app(template: &Value) -> Arc<App> {
    let mut preview = json!({
        "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "ttlSeconds": 1000,
    });
    let fields = template.as_object().unwrap();
    preview.as_object_mut().unwrap().extend(fields.clone());
    let app = json!({
        "metadata": {"namespace": "previews", "name": "shop"},
        "spec": {
            "components": [
                {"name": "web", "role": "Web", "port": 8000, "replicas": 3, "resources": {"requests": {"cpu": "1"}}},
                {"name": "mails", "role": "Worker", "replicas": 2},
            ],
            "preview": preview,
        },
    });
    Arc::new(serde_json::from_value(app).unwrap())
}

fn preview(number: i64) -> Preview {
    let preview = json!({
        "metadata": {
            "namespace": "previews", "name": format!("shop-pr-{number}"), "uid": format!("uid-{number}"),
            "creationTimestamp": Timestamp::from_second(number).unwrap().to_string(),
        },
        "spec": {
            "appRef": {"name": "shop"},
            "pullRequest": {"number": number},
            "release": {"image": "shop:1", "commit": {"sha": "0a1b2c3"}},
        },
    });
    serde_json::from_value(preview).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// What is seen of the first of these previews; those of `live` own an Environment.
fn seen(previews: &[Preview], live: &[i64], template: &Value) -> SeenPreview {
    let app = app(template);
    let is_live = |preview: &Preview| live.contains(&preview.spec.pull_request.number);
    let own = previews.first().unwrap();
    let known = previews.iter().map(|preview| KnownPreview {
        preview: Arc::new(preview.clone()),
        app: Some(app.clone()),
        live: is_live(preview),
    });
    SeenPreview {
        now: at(0),
        preview: Arc::new(own.clone()),
        app: Seen::Found(app.clone()),
        environment: is_live(own).then(|| Arc::new(made(own, &app))),
        config: Arc::new(Config::default()),
        previews: known.collect(),
        live: BTreeMap::from([(("previews".to_owned(), "shop".to_owned()), live.len())]),
        obstacle: None,
        put_off: Vec::new(),
    }
}

fn made(preview: &Preview, app: &App) -> Environment {
    let mut environment = environment::of_preview(preview, app, None).unwrap();
    environment.metadata.uid = Some(format!("environment-{}", preview.name_any()));
    environment.metadata.generation = Some(1);
    environment
}

fn noted(preview: &mut Preview, plan: &Plan<PreviewStatus>) {
    for step in &plan.steps {
        if let Action::Note(fact) = &step.action {
            preview.annotations_mut().extend(fact.annotations.clone());
        }
    }
}

/// A preview whose push was noted at this second.
fn pushed(number: i64, second: i64) -> Preview {
    let mut preview = preview(number);
    let mut first = seen(&[preview.clone()], &[], &json!({}));
    first.now = at(second);
    noted(&mut preview, &plan(&first));
    preview
}

/// A preview whose time was over a second ago.
fn expired(number: i64) -> Preview {
    let mut preview = pushed(number, -1001);
    let over = seen(&[preview.clone()], &[number], &json!({}));
    noted(&mut preview, &plan(&over));
    preview
}

/// A preview whose Environment the apiserver did not take.
fn refused(number: i64, reason: Reason) -> Preview {
    let mut preview = preview(number);
    let condition = json!({
        "type": "Deployed", "status": "False", "reason": reason.as_str(), "message": "no",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    preview.status = serde_json::from_value(json!({"conditions": [condition]})).unwrap();
    preview
}

fn accepted(plan: &Plan<PreviewStatus>) -> (Reason, &str) {
    let gate = plan.gate(ConditionType::Accepted).unwrap();
    (gate.reason, gate.message.as_str())
}

fn deletes(plan: &Plan<PreviewStatus>) -> usize {
    let deletes = |step: &&crate::plan::Step| matches!(step.action, Action::Delete { .. });
    plan.steps.iter().filter(deletes).count()
}

#[test]
fn a_push_is_noted_before_its_environment_is_made() {
    let plan = plan(&seen(&[preview(7)], &[], &json!({})));
    let [note, make] = plan.steps.as_slice() else {
        panic!("{:?}", plan.steps);
    };
    assert!(
        matches!(&note.action, Action::Note(fact) if fact.annotations.contains_key(labels::PUSHED))
    );
    let Action::Environment(change) = &make.action else {
        panic!("{make:?}");
    };
    let made = &change.object;
    assert_eq!(made.name_any(), "shop-pr-7");
    assert_eq!(made.owner_references()[0].uid, "uid-7");
    assert_eq!(made.spec.hosts[0].host, "shop-pr-7.example.com");
    let replicas: Vec<_> = made.spec.components.iter().map(|c| c.replicas).collect();
    assert_eq!(replicas, [Some(1), Some(1)], "one pod each");
    let told: Vec<String> = made
        .spec
        .env
        .iter()
        .map(|v| format!("{}={}", v.name, v.value.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            "TOWPATH_PREVIEW=true",
            "TOWPATH_PREVIEW_NUMBER=7",
            "TOWPATH_PREVIEW_URL=http://shop-pr-7.example.com",
            "TOWPATH_COMMIT=0a1b2c3"
        ]
    );
}

#[test]
fn nothing_is_written_when_all_is_as_it_shall_be() {
    let plan = plan(&seen(&[pushed(7, 0)], &[7], &json!({})));
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(
        plan.gate(ConditionType::Deployed).unwrap().reason,
        Reason::Deploying
    );
}

#[test]
fn the_time_to_live_is_counted_from_the_last_push() {
    let old = pushed(7, -1001);
    let over = plan(&seen(std::slice::from_ref(&old), &[7], &json!({})));
    assert_eq!(accepted(&over).0, Reason::Expired);
    assert_eq!(deletes(&over), 1);
    // What is gone already is not deleted again, and nothing is made.
    let mut old = old;
    noted(&mut old, &over);
    let gone = plan(&seen(std::slice::from_ref(&old), &[], &json!({})));
    assert_eq!(accepted(&gone).0, Reason::Expired);
    assert!(gone.steps.is_empty(), "{:?}", gone.steps);
    let mut again = old;
    again.spec.release.commit.as_mut().unwrap().sha = "1234567".to_owned();
    let revived = plan(&seen(&[again], &[], &json!({})));
    assert_eq!(accepted(&revived).0, Reason::Accepted);
    assert_eq!(revived.status.expires_time, None, "it is not live yet");
}

#[test]
fn it_is_warned_of_before_it_ends() {
    let seen = seen(&[pushed(7, -950)], &[7], &json!({}));
    let warned = plan(&seen);
    let (reason, message) = accepted(&warned);
    assert_eq!(reason, Reason::ExpiresSoon);
    assert!(message.contains(&at(50).to_string()), "{message}");
    assert_eq!(warned.next, Some(at(50)));
    assert!(warned.steps.is_empty());
}

#[test]
fn a_persons_word_lets_it_live_on_once() {
    let mut kept = expired(7);
    kept.annotations_mut()
        .insert(labels::EXTEND.to_owned(), "uid-7.1".to_owned());
    let extended = plan(&seen(&[kept.clone()], &[], &json!({})));
    assert_eq!(accepted(&extended).0, Reason::Accepted);
    noted(&mut kept, &extended);
    // The same word does not count again later, also not when it is taken back.
    for forgotten in [false, true] {
        if forgotten {
            kept.annotations_mut().remove(labels::EXTEND);
        }
        let mut later = seen(&[kept.clone()], &[7], &json!({}));
        later.now = at(999);
        assert_ne!(accepted(&plan(&later)).0, Reason::Expired);
        later.now = at(1000);
        assert_eq!(accepted(&plan(&later)).0, Reason::Expired);
    }
}

#[test]
fn a_word_for_another_object_does_not_count() {
    let mut copied = expired(7);
    let annotations = copied.annotations_mut();
    annotations.insert(labels::EXTEND.to_owned(), "uid-8.1".to_owned());
    annotations.insert(labels::EXTENDED.to_owned(), format!("uid-8.1 {}", at(0)));
    let plan = plan(&seen(&[copied], &[], &json!({})));
    assert_eq!(accepted(&plan).0, Reason::Expired);
}

#[test]
fn who_is_kept_does_not_expire() {
    let mut kept = pushed(7, -100_000);
    kept.labels_mut()
        .insert(labels::KEEP.to_owned(), "true".to_owned());
    let plan = plan(&seen(&[kept], &[7], &json!({})));
    assert_eq!(accepted(&plan).0, Reason::Accepted);
    assert_eq!(plan.status.expires_time, None);
}

#[test]
fn beyond_the_cap_of_the_app_a_preview_waits_its_turn() {
    let all = [preview(9), preview(3), preview(5), preview(1)];
    let template = json!({"maxPreviews": 2});
    let third = plan(&seen(&all, &[1], &template));
    let (reason, message) = accepted(&third);
    assert_eq!(reason, Reason::Queued);
    assert!(
        message.starts_with("Place 2 in the queue: 2 previews of App 'shop'"),
        "{message}"
    );
    // The older ones of them go first; who lives is not made to go.
    let all = [preview(3), preview(9), preview(5), preview(1)];
    assert_eq!(
        accepted(&plan(&seen(&all, &[1], &template))).0,
        Reason::Accepted
    );
    let all = [preview(9), preview(3), preview(5), preview(1)];
    assert_eq!(
        accepted(&plan(&seen(&all, &[9, 5], &template))).0,
        Reason::Accepted
    );
}

#[test]
fn beyond_the_cap_of_the_cluster_a_preview_waits_too() {
    let mut seen = seen(&[preview(9), preview(3)], &[3], &json!({}));
    let mut config = Config::default();
    config.previews.max = 1;
    seen.config = Arc::new(config);
    let plan = plan(&seen);
    let (reason, message) = accepted(&plan);
    assert_eq!(reason, Reason::Queued);
    assert!(
        message.contains("1 previews of the cluster are live"),
        "{message}"
    );
}

#[test]
fn an_expired_one_takes_no_place_in_the_queue() {
    let all = [preview(9), expired(3), preview(1)];
    let plan = plan(&seen(&all, &[1], &json!({"maxPreviews": 2})));
    assert_eq!(accepted(&plan).0, Reason::Accepted);
}

#[test]
fn who_waits_in_the_queue_uses_up_no_time() {
    let all = [pushed(7, -100_000), preview(1)];
    let template = json!({"maxPreviews": 1});
    assert_eq!(
        accepted(&plan(&seen(&all, &[1], &template))).0,
        Reason::Queued
    );
    // There is room, and it is made: its time is counted from then on.
    let mut live = seen(&all, &[7], &template);
    let mut environment = Environment::clone(live.environment.as_ref().unwrap());
    environment.metadata.creation_timestamp = Some(Time(at(-10)));
    live.environment = Some(Arc::new(environment));
    let plan = plan(&live);
    assert_eq!(accepted(&plan).0, Reason::Accepted);
    assert_eq!(plan.status.expires_time.unwrap(), at(990).to_string());
}

#[test]
fn a_place_that_the_first_cannot_take_is_not_kept_for_it() {
    let template = json!({"maxPreviews": 1});
    for reason in [Reason::NameTaken, Reason::ObjectRefused] {
        let first = refused(1, reason);
        let second = plan(&seen(&[preview(3), first.clone()], &[], &template));
        assert_eq!(accepted(&second).0, Reason::Accepted, "{reason:?}");
        let behind = plan(&seen(&[first.clone(), preview(3)], &[], &template));
        assert_eq!(accepted(&behind).0, Reason::Queued, "{reason:?}");
        // Who is alone tries again; of those that were refused the oldest.
        let alone = plan(&seen(std::slice::from_ref(&first), &[], &template));
        assert_eq!(accepted(&alone).0, Reason::Accepted, "{reason:?}");
        let all = [refused(3, reason), first.clone()];
        let later = plan(&seen(&all, &[], &template));
        assert_eq!(accepted(&later).0, Reason::Queued, "{reason:?}");
        let mut pushed = first;
        pushed.metadata.generation = Some(2);
        let again = plan(&seen(&[pushed, preview(3)], &[], &template));
        assert_eq!(accepted(&again).0, Reason::Accepted, "{reason:?}");
    }
    let waits = refused(1, Reason::Terminating);
    let second = plan(&seen(&[preview(3), waits], &[], &template));
    assert_eq!(accepted(&second).0, Reason::Queued);
}

#[test]
fn one_pull_request_is_shown_once() {
    let mut twin = preview(7);
    twin.metadata.name = Some("again".to_owned());
    twin.metadata.uid = Some("uid-again".to_owned());
    twin.metadata.creation_timestamp.as_mut().unwrap().0 = at(0);
    let second = plan(&seen(&[twin.clone(), preview(7)], &[], &json!({})));
    let (reason, message) = accepted(&second);
    assert_eq!(reason, Reason::PullRequestTaken);
    assert!(
        message.contains("Preview 'shop-pr-7' shows pull request 7"),
        "{message}"
    );
    assert!(
        second
            .steps
            .iter()
            .all(|step| matches!(step.action, Action::Note(_)))
    );
    let first = plan(&seen(&[preview(7), twin], &[], &json!({})));
    assert_eq!(accepted(&first).0, Reason::Accepted);
}

#[test]
fn what_asks_for_too_much_is_told_so() {
    let template = json!({"components": [{"name": "web", "replicas": 5}]});
    let plan = plan(&seen(&[preview(7)], &[], &template));
    let (reason, message) = accepted(&plan);
    assert_eq!(reason, Reason::TooLarge);
    assert!(message.contains("at most 4 of cpu"), "{message}");
}

#[test]
fn an_app_without_a_preview_section_has_none() {
    let mut seen = seen(&[preview(7)], &[], &json!({}));
    let Seen::Found(app) = &seen.app else {
        panic!()
    };
    let mut bare = App::clone(app);
    bare.spec.preview = None;
    seen.app = Seen::Found(Arc::new(bare));
    let plan = plan(&seen);
    assert_eq!(
        accepted(&plan),
        (
            Reason::SpecInvalid,
            "App 'shop' must have a preview section: it says how a preview looks"
        )
    );
}

#[test]
fn the_environment_says_how_the_preview_stands() {
    let told = |status: &str, reason: &str, generation: i64| {
        let mut seen = seen(&[pushed(7, 0)], &[7], &json!({}));
        let mut environment = Environment::clone(seen.environment.as_ref().unwrap());
        let condition = json!({
            "type": "Ready", "status": status, "reason": reason, "message": "as it says",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status =
            json!({"observedGeneration": generation, "conditions": [condition], "url": "http://a"});
        environment.status = Some(serde_json::from_value(status).unwrap());
        seen.environment = Some(Arc::new(environment));
        plan(&seen).gate(ConditionType::Deployed).unwrap().reason
    };
    assert_eq!(told("True", "Ready", 1), Reason::Deployed);
    assert_eq!(
        told("True", "Ready", 0),
        Reason::Deploying,
        "of an older generation"
    );
    assert_eq!(told("False", "RollingOut", 1), Reason::Deploying);
    assert_eq!(told("False", "MigrationFailed", 1), Reason::NotDeployed);
    assert_eq!(told("False", "HostTaken", 1), Reason::NotDeployed);
}

#[test]
fn an_image_that_does_not_come_is_named_and_after_ten_minutes_explained() {
    let waits = |pushed_at: i64| {
        let mut seen = seen(&[pushed(7, pushed_at)], &[7], &json!({}));
        let mut environment = Environment::clone(seen.environment.as_ref().unwrap());
        let condition = json!({
            "type": "Ready", "status": "False", "reason": "WaitingForImage", "message": "'shop:pr-7-0a1b2c3' is not there",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({"observedGeneration": 1, "conditions": [condition]});
        environment.status = Some(serde_json::from_value(status).unwrap());
        seen.environment = Some(Arc::new(environment));
        let plan = plan(&seen);
        let gate = plan.gate(ConditionType::Deployed).unwrap().clone();
        assert_eq!(gate.reason, Reason::WaitingForImage);
        assert!(
            gate.message.starts_with("'shop:pr-7-0a1b2c3'"),
            "{}",
            gate.message
        );
        (gate.message.contains("merge commit"), plan.next)
    };
    assert_eq!(waits(-599), (false, Some(at(1))));
    assert!(waits(-600).0);
}

#[test]
fn a_fork_reads_no_secret_and_may_be_denied() {
    let mut fork = pushed(7, 0);
    fork.spec.pull_request.fork = true;
    let template = json!({"secrets": [{"name": "stripe"}], "forks": "Labelled"});
    let let_in = seen(&[fork.clone()], &[], &template);
    let made = made(&fork, &app(&template));
    let preview = made.spec.preview.unwrap();
    assert!(preview.fork && preview.secrets.is_empty(), "{preview:?}");
    assert_eq!(accepted(&plan(&let_in)).0, Reason::Accepted);
    let denied = plan(&seen(&[fork], &[7], &json!({})));
    assert_eq!(accepted(&denied).0, Reason::ForkDenied);
    assert_eq!(deletes(&denied), 1, "what it had goes");
}

/// What is written to the Environment of a preview of this template that a person has edited like this.
fn put_back(template: &Value, edit: impl FnOnce(&mut Environment)) -> Option<Environment> {
    let mut seen = seen(&[pushed(7, 0)], &[7], template);
    let mut environment = Environment::clone(seen.environment.as_ref().unwrap());
    edit(&mut environment);
    seen.environment = Some(Arc::new(environment));
    let steps = plan(&seen).steps.into_iter();
    let mut changes = steps.filter_map(|step| match step.action {
        Action::Environment(change) => Some(change),
        _ => None,
    });
    let change = changes.next()?;
    assert!(change.live.is_some());
    Some(*change.object)
}

#[test]
fn what_a_person_edits_in_its_environment_is_put_back() {
    let back = put_back(&json!({}), |edited| edited.spec.hosts.clear());
    assert_eq!(back.unwrap().spec.hosts[0].host, "shop-pr-7.example.com");
    // But for the word that its hand edits stay for now.
    let back = put_back(&json!({}), |edited| edited.spec.suspend = true);
    assert!(back.is_none(), "{back:?}");
    let back = put_back(&json!({}), |edited| {
        edited.spec.suspend = true;
        edited.spec.hosts.clear();
    });
    assert!(back.unwrap().spec.suspend);
}

#[test]
fn of_its_database_everything_is_put_back_that_can_change() {
    let dedicated = json!({"database": {"provider": "Dedicated", "dedicated": {
        "version": "15", "size": "5Gi", "storageClassName": "fast",
    }}});
    let database = |edited: Environment| edited.spec.database.unwrap();
    let back = put_back(&dedicated, |edited| {
        let database = edited.spec.database.as_mut().unwrap();
        let dedicated = database.dedicated.as_mut().unwrap();
        dedicated.resources = Some(Resources::default());
        dedicated.size = "1Gi".to_owned();
        dedicated.version = "14".to_owned();
        dedicated.storage_class_name = None;
    });
    let back = database(back.unwrap()).dedicated.unwrap();
    assert_eq!((back.resources, back.size.as_str()), (None, "5Gi"));
    assert_eq!(
        (back.version.as_str(), back.storage_class_name),
        ("14", None)
    );
    let grown = put_back(&dedicated, |edited| {
        let database = edited.spec.database.as_mut().unwrap();
        database.dedicated.as_mut().unwrap().size = "6Gi".to_owned();
    });
    assert!(grown.is_none(), "a volume does not shrink: {grown:?}");
    let server =
        json!({"database": {"provider": "Server", "server": {"name": "a", "template": "golden"}}});
    let back = put_back(&server, |edited| {
        let database = edited.spec.database.as_mut().unwrap();
        database.server.as_mut().unwrap().template = None;
    });
    let back = database(back.unwrap()).server.unwrap();
    assert_eq!(back.template.as_deref(), Some("golden"));
    // Another server or provider of the template is for the previews to come.
    for (name, provider) in [("b", Provider::Server), ("a", Provider::External)] {
        let kept = put_back(&server, |edited| {
            let database = edited.spec.database.as_mut().unwrap();
            database.provider = provider;
            let server = database.server.as_mut().unwrap();
            (server.name, server.template) = (name.to_owned(), None);
            if provider == Provider::External {
                database.server = None;
            }
        });
        assert!(kept.is_none(), "{kept:?}");
    }
}

#[test]
fn a_persons_word_for_a_new_database_reaches_the_environment_if_it_is_meant_for_this_preview() {
    let database = json!({"database": {
        "provider": "Server", "server": {"name": "previews"}, "reset": "Always", "seed": ["seed"],
    }});
    let app = app(&database);
    let stamped = |word: Option<&str>| {
        let mut preview = preview(7);
        let word = word.map(|word| (labels::RESET.to_owned(), word.to_owned()));
        preview.metadata.annotations = Some(word.into_iter().collect());
        let made = environment::of_preview(&preview, &app, None).unwrap();
        made.spec.preview.unwrap()
    };
    let plain = stamped(None);
    assert_eq!(
        (plain.seed, plain.reset_token),
        (vec!["seed".to_owned()], None)
    );
    assert_eq!(plain.reset, crate::api::template::Reset::Always);
    let meant = stamped(Some("uid-7.1"));
    assert_eq!(meant.reset_token.as_deref(), Some("uid-7.1"));
    for stale in [
        "uid-8.1",
        "1",
        "",
        "uid-7.1 2",
        &format!("uid-7.{}", "x".repeat(300)),
    ] {
        assert_eq!(stamped(Some(stale)).reset_token, None, "{stale}");
    }
}
