use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::api::app_status::SkipReason;
use crate::api::{App, Preview};
use crate::config::Config;
use crate::git::{Approval, Failure, Files, Head, PullRequest};
use crate::plan::{Action, Step};
use crate::seen::{Hindrance, KnownPreview, KnownPullRequest, SeenSource};

const SHA: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
const SHB: &str = "1b2c3d4e5f60718293a4b5c6d7e8f9012345670a";
const HOSTILE: &str = "\"; DROP DATABASE x; --\n🛒";

fn app(source: &Value, template: &Value) -> Arc<App> {
    let mut said = json!({
        "provider": "Forgejo",
        "repository": "acme/shop",
        "secretRef": {"name": "git"},
        "image": "registry.example.com/shop:pr-{number}-{shortSha}",
        "components": [{"name": "docs", "image": "registry.example.com/docs:{sha}"}],
    });
    said.as_object_mut()
        .unwrap()
        .extend(source.as_object().unwrap().clone());
    let mut preview = json!({
        "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "source": said,
    });
    preview
        .as_object_mut()
        .unwrap()
        .extend(template.as_object().unwrap().clone());
    let app = json!({
        "metadata": {"namespace": "previews", "name": "shop", "uid": "app-1"},
        "spec": {"components": [{"name": "web", "role": "Web", "port": 8000}], "preview": preview},
    });
    Arc::new(serde_json::from_value(app).unwrap())
}

fn pull_request(number: u64, sha: &str) -> PullRequest {
    PullRequest {
        head: Head {
            number,
            sha: sha.to_owned(),
            branch: HOSTILE.to_owned(),
            is_from_fork: false,
            repository: Some("acme/shop".to_owned()),
        },
        title: HOSTILE.to_owned(),
        url: "https://git.example.com/acme/shop/pulls/7".to_owned(),
        author: "dev".to_owned(),
        is_bot: false,
        is_draft: false,
        labels: vec!["preview".to_owned()],
        is_open: true,
        updated: Timestamp::UNIX_EPOCH,
    }
}

fn known(told: PullRequest) -> KnownPullRequest {
    KnownPullRequest {
        told: Some(Arc::new(told)),
        ..KnownPullRequest::default()
    }
}

/// What is seen when the host told of these.
fn seen(app: &Arc<App>, told: Vec<KnownPullRequest>) -> SeenApp {
    let number = |known: &KnownPullRequest| known.told.as_ref().map_or(7, |told| told.head.number);
    let told = told.into_iter();
    let pull_requests = told.map(|known| (i64::try_from(number(&known)).unwrap(), known));
    SeenApp {
        now: Timestamp::UNIX_EPOCH,
        app: app.clone(),
        config: Arc::new(Config::default()),
        previews: Vec::new(),
        live: 0,
        source: Some(SeenSource {
            is_listed: true,
            pull_requests: pull_requests.collect(),
            ..SeenSource::default()
        }),
    }
}

fn asked(known: KnownPullRequest, source: &Value, template: &Value) -> Plan<AppStatus> {
    plan(&seen(&app(source, template), vec![known]))
}

fn with(mut seen: SeenApp, previews: Vec<Preview>) -> SeenApp {
    let known = previews.into_iter().map(|preview| KnownPreview {
        preview: Arc::new(preview),
        app: Some(seen.app.clone()),
        live: false,
    });
    seen.previews = known.collect();
    seen
}

/// The Previews that a plan makes or changes, and the names of those that it deletes.
fn written(plan: &Plan<AppStatus>) -> (Vec<Preview>, Vec<String>) {
    let mut made = Vec::new();
    let mut deleted = Vec::new();
    for Step { action, .. } in &plan.steps {
        match action {
            Action::Preview(change) => made.push((*change.object).clone()),
            Action::Delete { key, .. } => deleted.push(key.name.clone()),
            other => panic!("{other:?}"),
        }
    }
    (made, deleted)
}

/// The Preview that the controller makes, as the apiserver keeps it.
fn made(plan: &Plan<AppStatus>) -> Preview {
    let (mut made, _) = written(plan);
    let mut preview = made.pop().expect("a Preview");
    preview.metadata.uid = Some(format!("uid-{}", preview.name_any()));
    preview
}

fn skipped(plan: &Plan<AppStatus>) -> Vec<(i64, SkipReason)> {
    let skipped = plan.status.skipped.iter();
    skipped.map(|skip| (skip.number, skip.reason)).collect()
}

#[test]
fn an_open_pull_request_gets_a_preview() {
    let plan = asked(known(pull_request(7, SHA)), &json!({}), &json!({}));
    let preview = made(&plan);
    assert_eq!(preview.name_any(), "shop-pr-7");
    assert_eq!(preview.owner_references()[0].uid, "app-1");
    let spec = &preview.spec;
    assert_eq!(
        spec.release.image.as_deref(),
        Some("registry.example.com/shop:pr-7-0a1b2c3")
    );
    assert_eq!(
        spec.release.components[0].image,
        format!("registry.example.com/docs:{SHA}")
    );
    assert_eq!(spec.release.commit.as_ref().unwrap().sha, SHA);
    assert_eq!(
        (spec.pull_request.number, spec.pull_request.fork),
        (7, false)
    );
    let shown = "\"; DROP DATABASE x; --🛒";
    assert_eq!(spec.pull_request.branch.as_deref(), Some(shown), "one line");
    assert_eq!(
        plan.gate(ConditionType::Sourced).unwrap().reason,
        Reason::Sourced
    );
    assert_eq!(plan.status.open_pull_requests, Some(1));
}

#[test]
fn what_is_shown_already_is_not_written_again() {
    let app = app(&json!({}), &json!({}));
    let open = || seen(&app, vec![known(pull_request(7, SHA))]);
    let mut first = made(&plan(&open()));
    // What the App's owner adds is none of our business.
    first
        .annotations_mut()
        .insert("note".to_owned(), "mine".to_owned());
    let again = plan(&with(open(), vec![first]));
    assert!(again.steps.is_empty(), "{:?}", again.steps);
    assert_eq!(again.status.queue, [7]);
}

#[test]
fn a_push_is_another_release_of_the_same_preview() {
    let app = app(&json!({}), &json!({}));
    let first = made(&plan(&seen(&app, vec![known(pull_request(7, SHA))])));
    let pushed = seen(&app, vec![known(pull_request(7, SHB))]);
    let plan = plan(&with(pushed, vec![first]));
    let [
        Step {
            action: Action::Preview(change),
            ..
        },
    ] = plan.steps.as_slice()
    else {
        panic!("{:?}", plan.steps);
    };
    assert_eq!(change.live.as_ref().unwrap().uid, "uid-shop-pr-7");
    assert_eq!(change.object.spec.release.commit.as_ref().unwrap().sha, SHB);
}

#[test]
fn what_is_closed_goes_and_what_is_not_known_stays() {
    let app = app(&json!({}), &json!({}));
    let first = made(&plan(&seen(&app, vec![known(pull_request(7, SHA))])));
    let closed = PullRequest {
        is_open: false,
        ..pull_request(7, SHA)
    };
    for (told, goes) in [
        (Some(known(closed)), true),
        (Some(KnownPullRequest::default()), true),
        (None, false),
    ] {
        let mut seen = seen(&app, Vec::new());
        seen.source.as_mut().unwrap().pull_requests =
            told.into_iter().map(|told| (7, told)).collect();
        let plan = plan(&with(seen, vec![first.clone()]));
        assert_eq!(
            written(&plan).1.len(),
            usize::from(goes),
            "{:?}",
            plan.steps
        );
        assert!(written(&plan).0.is_empty());
    }
}

#[test]
fn a_silent_host_deletes_nothing_and_the_status_says_so() {
    let app = app(&json!({}), &json!({}));
    let first = made(&plan(&seen(&app, vec![known(pull_request(7, SHA))])));
    for (hindrance, reason) in [
        (
            Hindrance::Host(Failure::Silent("no answer".to_owned())),
            Reason::SourceSilent,
        ),
        (
            Hindrance::Host(Failure::Limited(Timestamp::UNIX_EPOCH)),
            Reason::SourceSilent,
        ),
        (
            Hindrance::Host(Failure::Refused("no".to_owned())),
            Reason::SourceRefused,
        ),
        (Hindrance::SecretMissing, Reason::ReferenceMissing),
        (Hindrance::KeyMissing, Reason::KeyMissing),
        (
            Hindrance::SecretUnknown("no".to_owned()),
            Reason::ReferenceUnknown,
        ),
        (
            Hindrance::TokenInvalid("no".to_owned()),
            Reason::SourceRefused,
        ),
    ] {
        let mut seen = seen(&app, Vec::new());
        seen.source = Some(SeenSource {
            hindrance: Some(hindrance),
            ..SeenSource::default()
        });
        let plan = plan(&with(seen, vec![first.clone()]));
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert_eq!(plan.gate(ConditionType::Sourced).unwrap().reason, reason);
        assert_eq!(plan.status.open_pull_requests, None);
    }
}

#[test]
fn who_shows_a_pull_request_by_hand_is_left_alone() {
    let app = app(&json!({}), &json!({}));
    let open = || seen(&app, vec![known(pull_request(7, SHA))]);
    let ours = made(&plan(&open()));
    let mut by_hand = ours.clone();
    by_hand.metadata.owner_references = None;
    by_hand.spec.release.image = Some("shop:by-hand".to_owned());
    // The same pull request, under whatever name; or its name, for whatever pull request.
    let mut renamed = by_hand.clone();
    renamed.metadata.name = Some("mine".to_owned());
    let mut in_its_place = by_hand.clone();
    in_its_place.spec.pull_request.number = 8;
    for other in [by_hand.clone(), renamed, in_its_place] {
        let plan = plan(&with(open(), vec![other]));
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert_eq!(skipped(&plan), [(7, SkipReason::MadeByOthers)]);
    }
    let closed = PullRequest {
        is_open: false,
        ..pull_request(7, SHA)
    };
    let plan = plan(&with(seen(&app, vec![known(closed)]), vec![by_hand]));
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
}

#[test]
fn another_app_of_that_name_made_none_of_these() {
    let first = app(&json!({}), &json!({}));
    let ours = made(&plan(&seen(&first, vec![known(pull_request(7, SHA))])));
    let mut another = App::clone(&first);
    another.metadata.uid = Some("app-2".to_owned());
    let another = Arc::new(another);
    assert!(is_made_for(&first, &ours) && !is_made_for(&another, &ours));
}

#[test]
fn what_the_source_leaves_out_gets_none_and_loses_the_one_it_had() {
    let draft = PullRequest {
        is_draft: true,
        ..pull_request(7, SHA)
    };
    let bot = PullRequest {
        is_bot: true,
        ..pull_request(7, SHA)
    };
    let bare = PullRequest {
        labels: Vec::new(),
        ..pull_request(7, SHA)
    };
    let mut fork = pull_request(7, SHA);
    fork.head.is_from_fork = true;
    let mut elsewhere = known(pull_request(7, SHA));
    elsewhere.files = Some(Files::Paths(vec![
        "docs/README.md".into(),
        "services/shop2/a".into(),
    ]));
    let cases = [
        (known(draft), json!({"drafts": false}), SkipReason::Draft),
        (known(bot), json!({}), SkipReason::Bot),
        (
            known(bare),
            json!({"label": "preview"}),
            SkipReason::NotLabelled,
        ),
        (known(fork), json!({}), SkipReason::Fork),
        (
            elsewhere,
            json!({"paths": ["services/shop"]}),
            SkipReason::Untouched,
        ),
    ];
    for (told, source, reason) in cases {
        let app = app(&source, &json!({}));
        let ours = made(&asked(known(pull_request(7, SHA)), &json!({}), &json!({})));
        let before = plan(&seen(&app, vec![told.clone()]));
        assert!(before.steps.is_empty(), "{:?}", before.steps);
        let after = plan(&with(seen(&app, vec![told]), vec![ours]));
        assert_eq!(written(&after).1, ["shop-pr-7"]);
        for plan in [before, after] {
            assert_eq!(skipped(&plan), [(7, reason)]);
        }
    }
}

#[test]
fn drafts_and_bots_get_one_where_the_source_says_so() {
    let draft = PullRequest {
        is_draft: true,
        is_bot: true,
        ..pull_request(7, SHA)
    };
    let plan = asked(known(draft), &json!({"bots": true}), &json!({}));
    assert_eq!(made(&plan).name_any(), "shop-pr-7");
}

#[test]
fn what_touches_a_path_gets_a_preview_and_what_is_not_known_waits() {
    let paths = json!({"paths": ["services/shop/", "Makefile"]});
    for (files, made) in [
        (Some(Files::Paths(vec!["services/shop/main.rs".into()])), 1),
        (Some(Files::Paths(vec!["Makefile".into()])), 1),
        (Some(Files::TooMany), 1),
        (None, 0),
    ] {
        let mut told = known(pull_request(7, SHA));
        told.files = files;
        let plan = asked(told, &paths, &json!({}));
        assert_eq!(written(&plan).0.len(), made);
        if made == 0 {
            assert_eq!(skipped(&plan), [(7, SkipReason::Unknown)]);
        }
    }
}

#[test]
fn a_fork_is_shown_at_the_commit_that_was_let_in_and_no_other() {
    let source = json!({"label": "preview"});
    let labelled = json!({"forks": "Labelled"});
    let app = app(&source, &labelled);
    let approval = |is_maintainer, sha: &str| Approval {
        by: "maria".to_owned(),
        is_maintainer,
        at: Timestamp::UNIX_EPOCH,
        sha: Some(sha.to_owned()),
    };
    let told = |sha, approval| {
        let mut known = known(pull_request(7, sha));
        let mut fork = pull_request(7, sha);
        fork.head.is_from_fork = true;
        known.told = Some(Arc::new(fork));
        known.approval = approval;
        seen(&app, vec![known])
    };
    let first = made(&plan(&told(SHA, Some(Some(approval(true, SHA))))));
    assert!(first.spec.pull_request.fork);
    for not in [
        None,
        Some(None),
        Some(Some(approval(false, SHB))),
        Some(Some(approval(true, SHA))),
    ] {
        let without = plan(&told(SHB, not.clone()));
        assert!(without.steps.is_empty(), "{not:?}: {:?}", without.steps);
        let plan = plan(&with(told(SHB, not.clone()), vec![first.clone()]));
        assert!(plan.steps.is_empty(), "{not:?}: {:?}", plan.steps);
        if not.is_some() {
            assert_eq!(skipped(&plan), [(7, SkipReason::NotApproved)]);
            let message = &plan.status.skipped[0].message;
            assert!(message.ends_with("Shown is 0a1b2c3"), "{message}");
        }
    }
    let next = plan(&with(
        told(SHB, Some(Some(approval(true, SHB)))),
        vec![first],
    ));
    assert_eq!(made(&next).spec.release.commit.unwrap().sha, SHB);
}

#[test]
fn without_a_source_nothing_is_left_of_it() {
    let with_source = app(&json!({}), &json!({}));
    let ours = made(&plan(&seen(
        &with_source,
        vec![known(pull_request(7, SHA))],
    )));
    let mut without = App::clone(&with_source);
    without.spec.preview.as_mut().unwrap().source = None;
    let mut seen = seen(&Arc::new(without), Vec::new());
    seen.source = None;
    let plan = plan(&with(seen, vec![ours]));
    assert_eq!(written(&plan).1, ["shop-pr-7"]);
    assert_eq!(
        plan.gate(ConditionType::Sourced).unwrap().reason,
        Reason::NotConfigured
    );
}

#[test]
fn what_is_on_its_way_out_is_waited_for() {
    let app = app(&json!({}), &json!({}));
    let open = || seen(&app, vec![known(pull_request(7, SHA))]);
    let mut leaving = made(&plan(&open()));
    leaving.metadata.deletion_timestamp = Some(
        k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH),
    );
    let plan = plan(&with(open(), vec![leaving]));
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
}

#[test]
fn a_flood_is_taken_in_parts_and_the_status_stays_small() {
    let app = app(&json!({"label": "wanted"}), &json!({}));
    let flood = (1..=1000).map(|number| {
        let mut told = pull_request(number, SHA);
        told.labels = if number <= 500 {
            vec!["wanted".to_owned()]
        } else {
            Vec::new()
        };
        known(told)
    });
    let plan = plan(&seen(&app, flood.collect()));
    assert_eq!(written(&plan).0.len(), 100);
    assert_eq!(plan.next, Some(Timestamp::UNIX_EPOCH), "it goes on at once");
    assert_eq!(plan.status.skipped.len(), 50);
    assert_eq!(plan.status.skipped[0].number, 1000, "the newest first");
    let told: BTreeMap<_, _> = plan
        .status
        .skipped
        .iter()
        .map(|skip| (skip.number, skip))
        .collect();
    assert_eq!(told.len(), 50);
}
