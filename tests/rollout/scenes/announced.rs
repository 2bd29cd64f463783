//! What Git hosts show of previews.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::ConditionType::*;
use towpath::api::{App, Preview, labels};
use towpath::git::{DeploymentState, StatusState};
use towpath::simulate::{Build, Runs, World};

use super::previews::{app_with_previews, is_told};
use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// An App whose pull requests are at GitHub; version 1 is there, and pull request 7 is open.
fn announced() -> World {
    let mut world = with_source(json!({"comment": true}));
    open(&mut world, 7, FIRST);
    world
}

fn with_source(more: Value) -> World {
    let mut source = json!({
        "provider": "GitHub",
        "repository": "acme/shop",
        "secretRef": {"name": "git-token"},
        "image": "registry.example.com/shop:{sha}",
    });
    let fields = more.as_object().unwrap().clone();
    source.as_object_mut().unwrap().extend(fields);
    let mut world = app_with_previews(json!({"source": source, "maxPreviews": 1}));
    let secret = json!({"metadata": {"name": "git-token"}, "data": {"token": "c2VjcmV0"}});
    declare::<Secret>(&mut world, secret);
    world
}

fn open(world: &mut World, number: i64, sha: &str) {
    let preview = json!({
        "apiVersion": "towpath.dev/v1alpha1",
        "kind": "Preview",
        "metadata": {"name": name(number), "namespace": "shop-staging"},
        "spec": {
            "appRef": {"name": "shop"},
            "pullRequest": {"number": number, "branch": "feat/cart"},
            "release": {"image": image("v1"), "commit": {"sha": sha}},
        },
    });
    declare::<Preview>(world, preview);
}

fn name(number: i64) -> String {
    match number {
        7 => SHOP.to_owned(),
        other => format!("shop-pr-{other}"),
    }
}

fn push_commit(world: &mut World, version: &str, sha: &str) {
    let mut preview = (*world.store.get::<Preview>(SHOP).unwrap()).clone();
    preview.spec.release.image = Some(image(version));
    preview.spec.release.commit.as_mut().unwrap().sha = sha.to_owned();
    world.store.declare(preview).unwrap();
}

/// As a person or a Git host's event deletes it: finalizers hold it.
fn close(world: &mut World) {
    let preview = world.store.get::<Preview>(SHOP).unwrap();
    world.store.delete::<Preview>(SHOP, &preview.uid().unwrap());
}

fn state(world: &World, sha: &str) -> Option<StatusState> {
    world.shown.statuses.get(sha).map(|status| status.state)
}

fn words<'w>(world: &'w World, sha: &str) -> &'w str {
    world
        .shown
        .statuses
        .get(sha)
        .map_or("", |status| &status.description)
}

fn live_deployments(world: &World) -> Vec<&str> {
    let all = world.shown.deployments.iter();
    all.filter(|(_, known)| known.state != DeploymentState::Inactive)
        .map(|(sha, _)| sha.as_str())
        .collect()
}

fn comment(world: &World) -> &str {
    assert_eq!(
        world.shown.comments.len(),
        1,
        "one comment: {:?}",
        world.shown.comments
    );
    world.shown.comments.values().next().unwrap()
}

/// How often something was written whose words begin so.
fn times(world: &World, what: &str) -> usize {
    let told = world.shown.told.iter();
    told.filter(|told| told.starts_with(what)).count()
}

fn is_gone(world: &World) -> bool {
    !world.store.previews.contains_key(SHOP)
}

fn only_the_app_is_left(world: &World) {
    let left = world.store.everything().into_iter().map(|known| known.kind);
    let left: Vec<_> = left.collect();
    assert_eq!(left, ["App", "Secret"]);
}

scenes! {
    /// Opened, pushed to before its image is there, closed: each is told, and each once.
    a_pull_request_is_announced {
        begin: announced,
        acts: [
            "pushes a commit whose image is not there", Settled, |world| {
                assert_eq!(state(world, FIRST), Some(StatusState::Success));
                assert_eq!(live_deployments(world), [FIRST]);
                assert!(comment(world).contains("**Preview of `shop`: ready**"));
                assert!(is_told(world, SHOP, Announced, "Announced"));
                push_commit(world, "v9", SECOND);
            };
            "pushes its image", Settled, |world| {
                assert_eq!(state(world, FIRST), Some(StatusState::Success), "it was well");
                assert_eq!(state(world, SECOND), Some(StatusState::Pending));
                assert!(words(world, SECOND).contains("shop:v9"), "{}", words(world, SECOND));
                assert_eq!(live_deployments(world), [FIRST, SECOND], "the first serves still");
                push_well(world, "v9", "k2");
            };
            "closes it", Settled, |world| {
                assert_eq!(state(world, SECOND), Some(StatusState::Success));
                assert_eq!(live_deployments(world), [SECOND]);
                assert!(comment(world).contains("migrated to `k2`"), "{}", comment(world));
                close(world);
            };
        ],
        end: |world| {
            only_the_app_is_left(world);
            assert_eq!(live_deployments(world), Vec::<&str>::new());
            assert!(comment(world).contains("**Preview of `shop`: gone**"));
            assert_eq!(state(world, SECOND), Some(StatusState::Success));
            assert_eq!(words(world, SECOND), "The preview is gone");
            for (what, most) in [
                ("write comment", 1), ("status of 1111111: Success", 1), ("status of 2222222: Success", 2),
                ("deployment of 1111111: Success", 1), ("deployment of 1111111: Inactive", 1),
                ("deployment of 2222222: Success", 1), ("deployment of 2222222: Inactive", 1),
            ] {
                assert_eq!(times(world, what), most, "{what}: {:#?}", world.shown.told);
            }
        },
    }

    /// A host that does not answer hides nothing, and is told in the end.
    a_git_host_is_silent_for_an_hour {
        begin: || {
            let mut world = announced();
            edit_app(&mut world, |spec| spec.preview.as_mut().unwrap().ttl_seconds = 86_400);
            world.shown.silent = true;
            world
        },
        acts: [
            "waits half an hour", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert!(is_told(world, SHOP, Announced, "GitHostSilent"));
                world.wait(1800);
            };
            "mends the host after an hour", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert!(world.shown.told.is_empty());
                world.wait(1800);
                world.shown.silent = false;
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Announced, "Announced"));
            assert_eq!(state(world, FIRST), Some(StatusState::Success));
            assert_eq!(world.shown.told.len(), 3, "only how it is now: {:#?}", world.shown.told);
        },
    }

    /// What is closed is gone at once; its host is waited for no longer than five minutes.
    a_pull_request_is_closed_while_its_host_is_silent {
        begin: announced,
        acts: [
            "closes it", Settled, |world| {
                world.shown.silent = true;
                close(world);
            };
            "waits for five minutes", Settled, |world| {
                assert!(world.store.environments.is_empty() && world.store.pods.is_empty());
                assert!(!is_gone(world), "the host is tried");
                assert!(is_told(world, SHOP, Announced, "GitHostSilent"));
                world.wait(300);
            };
        ],
        end: |world| {
            only_the_app_is_left(world);
            assert_eq!(live_deployments(world), [FIRST], "nobody could tell");
        },
    }

    /// What a token may not write does not keep the rest from being told.
    a_git_host_refuses_deployments {
        begin: || {
            let mut world = announced();
            world.shown.refuses = vec!["deployment", "end"];
            world
        },
        acts: [
            "lets the token write them", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert!(is_told(world, SHOP, Announced, "GitHostRefused"));
                assert_eq!(state(world, FIRST), Some(StatusState::Success));
                assert!(comment(world).contains("ready"));
                world.shown.refuses.clear();
                world.wait(300);
            };
            "closes it", Settled, |world| {
                assert!(is_told(world, SHOP, Announced, "Announced"));
                assert_eq!(live_deployments(world), [FIRST]);
                close(world);
            };
        ],
        end: only_the_app_is_left,
    }

    /// Without its token nobody can be told, and nobody is waited for.
    the_token_of_a_git_host_goes {
        begin: announced,
        acts: [
            "deletes the token and pushes", Settled, |world| {
                world.store.remove::<Secret>("git-token");
                push_commit(world, "v2", SECOND);
            };
            "closes it", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert!(is_told(world, SHOP, Announced, "ReferenceMissing"));
                close(world);
            };
        ],
        end: |world| assert!(is_gone(world)),
    }

    /// The App goes before its preview: there is nobody to tell.
    an_app_goes_before_its_announced_preview {
        begin: announced,
        acts: [
            "deletes the App", Settled, |world| world.store.remove::<App>("shop");
            "closes it", Settled, close;
        ],
        end: |world| assert!(is_gone(world)),
    }

    /// A person does not want to wait for the host.
    a_person_lets_a_preview_go {
        begin: announced,
        acts: [
            "closes it", Settled, |world| {
                world.shown.silent = true;
                close(world);
            };
            "lets it go", Settled, |world| {
                let mut preview = (*world.store.get::<Preview>(SHOP).unwrap()).clone();
                let token = format!("{}.1", preview.uid().unwrap());
                preview.annotations_mut().insert(labels::LET_GO.to_owned(), token);
                world.store.declare(preview).unwrap();
            };
        ],
        end: only_the_app_is_left,
    }

    /// What fails, waits for a place or is over is told with its reason.
    a_push_fails_another_waits_and_the_time_ends {
        begin: || {
            let mut world = announced();
            push(&mut world, "v3", Build { runs: Runs::Crashes, ..Build::default() }, "k1");
            world
        },
        acts: [
            "pushes version 3, and opens another", Settled, |world| {
                push_commit(world, "v3", SECOND);
                open(world, 8, "8888888888888888888888888888888888888888");
            };
            "waits until the first is over", Once(|world| state(world, SECOND) == Some(StatusState::Failure)), |world| {
                assert!(words(world, SECOND).starts_with("RolledBack: "), "{}", words(world, SECOND));
                assert!(!words(world, SECOND).contains("restarted"), "what it wrote is for nobody");
                world.wait(20);
            };
            "waits on", Settled, |world| {
                let second = "8888888888888888888888888888888888888888";
                assert_eq!(state(world, second), Some(StatusState::Pending));
                assert!(words(world, second).starts_with("Place 1 in the queue"), "{}", words(world, second));
                world.store.now += SignedDuration::from_secs(3600);
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Accepted, "Expired"));
            assert_eq!(state(world, SECOND), Some(StatusState::Failure), "the commit failed all the same");
            assert!(words(world, SECOND).contains("is over"), "{}", words(world, SECOND));
            let live = live_deployments(world);
            assert!(!live.contains(&SECOND) && !live.contains(&FIRST), "{live:?}");
        },
    }

    /// Without a source, or of a release without a whole commit, nothing is told and nothing holds it.
    a_preview_of_no_commit_is_not_announced {
        begin: || {
            let mut world = with_source(json!({}));
            open(&mut world, 7, "1111111");
            world
        },
        acts: [
            "closes it", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert!(is_told(world, SHOP, Announced, "NotConfigured"));
                close(world);
                assert!(is_gone(world), "nothing held it");
            };
        ],
        end: only_the_app_is_left,
    }
}
