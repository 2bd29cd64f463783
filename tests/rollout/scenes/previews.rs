//! Pull requests that are live.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::ConditionType::*;
use towpath::api::{App, ConditionType, Environment, Preview, Reason, labels};
use towpath::config::Config;
use towpath::plan::{self, Action};
use towpath::simulate::{Build, Runs, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

/// An App with previews, one of which shows pull request 7; version 1 is there.
fn pull_request() -> World {
    let mut world = app_with_previews(json!({}));
    open(&mut world, SHOP, 7);
    world
}

pub(super) fn app_with_previews(more: Value) -> World {
    let mut world = empty();
    let mut app = app();
    let mut preview = json!({
        "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "components": [{"name": "web"}],
        "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}},
        "ttlSeconds": 3600,
    });
    let fields = more.as_object().unwrap().clone();
    preview.as_object_mut().unwrap().extend(fields);
    app["spec"]["preview"] = preview;
    declare::<App>(&mut world, app);
    push_well(&mut world, "v1", "k1");
    push_well(&mut world, "v2", "k2");
    world
}

pub(super) fn open(world: &mut World, name: &str, number: i64) {
    let preview = json!({
        "apiVersion": "towpath.dev/v1alpha1",
        "kind": "Preview",
        "metadata": {"name": name, "namespace": "shop-staging"},
        "spec": {
            "appRef": {"name": "shop"},
            "pullRequest": {"number": number},
            "release": {"image": image("v1")},
        },
    });
    declare::<Preview>(world, preview);
}

/// A push to the pull request.
pub(super) fn push_to(world: &mut World, version: &str) {
    edit(world, |preview| {
        preview.spec.release.image = Some(image(version))
    });
}

pub(super) fn edit(world: &mut World, edit: impl FnOnce(&mut Preview)) {
    let mut preview = (*world.store.get::<Preview>(SHOP).unwrap()).clone();
    edit(&mut preview);
    world.store.declare(preview).unwrap();
}

pub(super) fn close(world: &mut World) {
    world.store.remove::<Preview>(SHOP);
}

/// Status and reason of a condition of a Preview.
pub(super) fn told(world: &World, name: &str, type_: ConditionType) -> (String, String) {
    let preview = world.store.get::<Preview>(name).unwrap();
    let status = preview.status.clone().unwrap_or_default();
    let mut conditions = status.conditions.into_iter();
    let found = conditions.find(|known| known.type_ == type_.as_str());
    found
        .map(|known| (known.status, known.reason))
        .unwrap_or_default()
}

pub(super) fn is_told(world: &World, name: &str, type_: ConditionType, reason: &str) -> bool {
    told(world, name, type_).1 == reason
}

/// Everything that a preview may leave behind; nothing may.
pub(super) fn nothing_is_left(world: &World) {
    let left = world.store.everything();
    let left: Vec<_> = left.iter().filter(|known| known.kind != "App").collect();
    assert!(left.is_empty(), "{left:?}");
}

scenes! {
    /// Opened, pushed to, closed: each leaves exactly what it should.
    a_pull_request_is_opened_pushed_to_and_closed {
        begin: pull_request,
        acts: [
            "pushes version 2", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert_eq!(running(world, "web"), ["v1"], "one pod");
                assert!(running(world, "worker").is_empty(), "only what was chosen runs");
                assert!(world.store.network_policies.contains_key(SHOP));
                push_to(world, "v2");
            };
            "closes it", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                assert_eq!(running(world, "web"), ["v2"]);
                close(world);
            };
        ],
        end: nothing_is_left,
    }

    /// However fast people are, what is closed leaves nothing.
    a_pull_request_is_closed_while_it_is_being_made {
        begin: pull_request,
        acts: [
            "closes it", Once(|world| world.store.pods.len() == 1), close;
        ],
        end: nothing_is_left,
    }

    a_pull_request_is_closed_and_opened_again {
        begin: pull_request,
        acts: [
            "closes it", Settled, close;
            "opens it again", Once(|world| !world.store.previews.contains_key(SHOP)), |world| open(world, SHOP, 7);
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// A push that fails leaves what served before.
    a_push_crashes {
        begin: || {
            let mut world = pull_request();
            push(&mut world, "v3", Build { runs: Runs::Crashes, ..Build::default() }, "k1");
            world
        },
        acts: [
            "pushes version 3", Settled, |world| push_to(world, "v3");
            "pushes version 2", Once(|world| is_told(world, SHOP, Deployed, "NotDeployed")), |world| {
                push_to(world, "v2");
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2"]);
        },
    }

    /// Its time ends: everything goes but the Preview itself, which nobody makes again then. A push revives it.
    a_preview_expires_and_is_revived {
        begin: pull_request,
        acts: [
            "waits until it is warned", Settled, |world| {
                world.store.now += SignedDuration::from_secs(3300);
            };
            "waits until it is over", Settled, |world| {
                assert!(is_told(world, SHOP, Accepted, "ExpiresSoon"));
                assert!(is_told(world, SHOP, Ready, "Ready"), "it still serves");
                world.store.now += SignedDuration::from_secs(300);
            };
            "pushes version 2", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Expired"));
                let left = world.store.everything();
                let left: Vec<&str> = left.iter().map(|known| known.kind.as_str()).collect();
                assert_eq!(left, ["App", "Preview"]);
                push_to(world, "v2");
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2"]);
        },
    }

    a_persons_word_lets_it_live_on {
        begin: pull_request,
        acts: [
            "waits until it is over", Settled, |world| world.store.now += SignedDuration::from_secs(4000);
            "extends it", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Expired"));
                edit(world, |preview| {
                    let token = format!("{}.1", preview.uid().unwrap());
                    preview.annotations_mut().insert(labels::EXTEND.to_owned(), token);
                });
            };
            "wipes the status", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Ready"));
                edit(world, |preview| preview.status = None);
            };
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// At the cap the next one waits its turn; who lives is not made to go.
    more_pull_requests_than_may_be_live {
        begin: || {
            let mut world = app_with_previews(json!({"maxPreviews": 1}));
            for (name, number) in [("shop", 7), ("one", 8), ("two", 9)] {
                open(&mut world, name, number);
                world.wait(1);
            }
            world
        },
        acts: [
            "closes the first", Settled, |world| {
                assert!(is_told(world, "shop", Ready, "Ready"));
                assert_eq!([told(world, "one", Ready).1, told(world, "two", Ready).1], ["Queued", "Queued"]);
                close(world);
            };
        ],
        end: |world| {
            assert!(is_told(world, "one", Ready, "Ready"));
            assert!(is_told(world, "two", Ready, "Queued"));
        },
    }

    /// A place that the first cannot take goes to the next; who waits uses up none of its time.
    the_first_of_the_queue_is_refused {
        begin: || {
            let mut world = app_with_previews(json!({"maxPreviews": 1}));
            let quota = ["Environment", "shop", "exceeded quota: small"].map(str::to_owned);
            world.refuses.push(quota.into());
            open(&mut world, SHOP, 7);
            world.wait(1);
            open(&mut world, "one", 8);
            world
        },
        acts: [
            "frees the quota, and waits until the first would be over", Settled, |world| {
                assert!(is_told(world, "one", Ready, "Ready"));
                assert!(is_told(world, SHOP, Deployed, "ObjectRefused"));
                world.refuses.clear();
                world.store.now += SignedDuration::from_secs(3500);
            };
            "waits until the second is over", Settled, |world| {
                assert!(is_told(world, SHOP, Accepted, "Queued"));
                world.store.now += SignedDuration::from_secs(200);
            };
        ],
        end: |world| {
            assert!(is_told(world, "one", Ready, "Expired"));
            assert!(is_told(world, SHOP, Ready, "Ready"));
        },
    }

    the_cluster_is_full {
        begin: || {
            let mut world = pull_request();
            let mut config = Config::default();
            config.previews.max = 0;
            world.config = std::sync::Arc::new(config);
            world
        },
        acts: [
            "makes room", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "Queued"));
                assert_eq!(world.environments().len(), 0);
                world.config = std::sync::Arc::new(Config::default());
                world.forget();
                edit(world, |preview| preview.spec.pull_request.author = Some("dev".to_owned()));
            };
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// A Secret that previews may not read closes the gate, and says what to write.
    a_variable_reads_what_previews_may_not {
        begin: || {
            let mut world = pull_request();
            edit_app(&mut world, |spec| {
                let variable = json!({"name": "STRIPE_KEY", "secretRef": {"name": "stripe", "key": "key"}});
                spec.env.push(serde_json::from_value(variable).unwrap());
            });
            world
        },
        acts: [
            "gives it a value of its own", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "NotDeployed"));
                assert_eq!(condition(world, Accepted).1, "SpecInvalid");
                assert!(world.store.pods.is_empty());
                edit_app(world, |spec| {
                    let variable = json!({"name": "STRIPE_KEY", "value": "sk_test"});
                    let preview = spec.preview.as_mut().unwrap();
                    preview.env.push(serde_json::from_value(variable).unwrap());
                });
            };
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// What was kept for an Environment is no preview's: it would be run against, and go with it.
    a_preview_has_the_name_of_kept_data {
        begin: || {
            let mut world = app_with_previews(json!({}));
            declare::<Environment>(&mut world, environment());
            world
        },
        acts: [
            "deletes the Environment, whose data is kept", Settled, |world| {
                assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
                let uid = world.environment(SHOP).unwrap().uid().unwrap();
                world.store.delete::<Environment>(SHOP, &uid);
            };
            "opens a pull request of that name", Settled, |world| open(world, SHOP, 7);
            "closes it", Settled, |world| {
                assert!(is_told(world, SHOP, Ready, "NotDeployed"));
                assert_eq!(condition(world, Accepted).1, "NameTaken");
                assert!(world.store.pods.is_empty());
                close(world);
            };
        ],
        end: |world| assert!(world.store.volumes.contains_key("shop-postgres"), "the data is kept"),
    }

    /// How previews look concerns no release, neither of an Environment nor of what lives.
    the_section_of_previews_is_edited {
        begin: pull_request,
        acts: [
            "lets previews live longer", Settled, |world| {
                edit_app(world, |spec| spec.preview.as_mut().unwrap().ttl_seconds = 7200);
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"));
            assert_eq!(revisions(world).len(), 1);
        },
    }

    /// A label is a person's affair, and nothing that is written for ever.
    a_person_labels_the_environment_of_a_preview {
        begin: pull_request,
        acts: [
            "labels it", Settled, |world| {
                let mut environment = (*world.environment(SHOP).unwrap()).clone();
                let labels = environment.labels_mut();
                labels.insert("app.kubernetes.io/part-of".to_owned(), "everything".to_owned());
                world.store.declare(environment).unwrap();
            };
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// What is over goes, also when nothing new could be made.
    a_preview_expires_that_is_too_large_by_now {
        begin: pull_request,
        acts: [
            "allows less, and waits until it is over", Settled, |world| {
                let mut config = Config::default();
                config.previews.max_requests.cpu = Some("0".to_owned());
                world.config = std::sync::Arc::new(config);
                edit_app(world, |spec| {
                    let asked = json!({"requests": {"cpu": "1"}});
                    spec.components[0].resources = Some(serde_json::from_value(asked).unwrap());
                });
                world.store.now += SignedDuration::from_secs(4000);
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Expired"));
            assert!(world.environment(SHOP).is_none());
        },
    }

    /// What a person changes in the Environment of a preview is put back, but for the word that hand edits stay there for now.
    a_person_edits_the_environment_of_a_preview {
        begin: pull_request,
        acts: [
            "suspends it, and takes its host", Settled, |world| {
                edit_environment(world, |spec| {
                    spec.suspend = true;
                    spec.hosts.clear();
                });
            };
            "scales it by hand, and pushes version 2", Settled, |world| {
                assert_eq!(condition(world, Ready).1, "Suspended");
                let environment = world.environment(SHOP).unwrap();
                assert_eq!(environment.spec.hosts[0].host, "shop-pr-7.example.com");
                let mut deployment = Deployment::clone(&world.store.deployments["shop-web-a"]);
                deployment.spec.as_mut().unwrap().replicas = Some(2);
                world.store.declare(deployment).unwrap();
                push_to(world, "v2");
            };
            "lets it go on", Settled, |world| {
                assert_eq!(running(world, "web"), ["v1", "v1"]);
                edit_environment(world, |spec| spec.suspend = false);
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2"]);
        },
    }
}

#[test]
fn who_says_that_another_previews_is_his_is_none() {
    let mut world = pull_request();
    world.pass_preview(SHOP);
    let environment = world.environment(SHOP).unwrap();
    let mut accepted = |forge: fn(&mut OwnerReference)| {
        let mut forged = Environment::clone(&environment);
        forge(&mut forged.metadata.owner_references.as_mut().unwrap()[0]);
        let plan = plan::environment(&world.see(&Arc::new(forged)));
        plan.gate(Accepted).unwrap().clone()
    };
    assert_eq!(accepted(|_| {}).reason, Reason::Accepted);
    let gone = accepted(|owner| owner.uid = "another".to_owned());
    assert_eq!(gone.reason, Reason::Deleting, "{gone:?}");
    let forgeries: [fn(&mut OwnerReference); 4] = [
        |owner| owner.name = "another".to_owned(),
        |owner| owner.kind = "App".to_owned(),
        |owner| owner.api_version = "example.com/v1alpha1".to_owned(),
        |owner| owner.controller = None,
    ];
    for forge in forgeries {
        let gate = accepted(forge);
        let said = "preview must not be set";
        assert!(gate.message.starts_with(said), "{gate:?}");
    }
}

#[test]
fn who_only_looks_like_a_preview_takes_no_place() {
    let mut world = app_with_previews(json!({"maxPreviews": 1}));
    open(&mut world, SHOP, 7);
    let mut forged = environment();
    forged["metadata"]["name"] = "forged".into();
    forged["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "example.com/v1", "kind": "Preview", "name": "forged", "uid": "1", "controller": true,
    }]);
    declare::<Environment>(&mut world, forged);
    world.pass_preview(SHOP);
    assert!(
        is_told(&world, SHOP, Accepted, "Accepted"),
        "{:?}",
        told(&world, SHOP, Accepted)
    );
}

#[test]
fn what_a_later_controller_tells_previews_restarts_none() {
    let mut world = pull_request();
    assert!(world.settle(30, &mut |_, _| {}));
    assert!(is_told(&world, SHOP, Ready, "Ready"));
    let mut decides = |name: &str| {
        let mut environment = (*world.environment(SHOP).unwrap()).clone();
        let variable = json!({"name": name, "value": "1"});
        let variable = serde_json::from_value(variable).unwrap();
        environment.spec.env.push(variable);
        let plan = plan::environment(&world.see(&Arc::new(environment)));
        let mut steps = plan.steps.iter();
        steps.any(|step| matches!(step.action, Action::Decide(_)))
    };
    assert!(decides("LOG_LEVEL"), "what somebody asks for is deployed");
    assert!(!decides("TOWPATH_PREVIEW_BRANCH"));
}
