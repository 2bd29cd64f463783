//! Databases on a shared server.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::ConditionType::*;
use towpath::api::{Environment, labels};
use towpath::simulate::World;

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

fn on_a_server(environment: &mut Value) {
    environment["spec"]["database"] = json!({"provider": "Server", "server": {"name": "previews"}});
}

fn goes_with_its_data(environment: &mut Value) {
    on_a_server(environment);
    environment["spec"]["deletionPolicy"] = "Delete".into();
}

fn world(environment: impl Fn(&mut Value)) -> World {
    let mut world = shop_with(|_| {}, environment);
    world.share("previews");
    push_well(&mut world, "v1", "k1");
    push_well(&mut world, "v2", "k2");
    world
}

fn kept() -> World {
    world(on_a_server)
}

fn dropped() -> World {
    world(goes_with_its_data)
}

fn delete(world: &mut World) {
    let uid = world.environment(SHOP).unwrap().uid().unwrap();
    world.store.delete::<Environment>(SHOP, &uid);
}

fn record(world: &World) -> Vec<String> {
    let all = world.databases.all();
    all.flat_map(|it| it.record.iter().map(|entry| entry.key.clone()))
        .collect()
}

fn nothing_is_left(world: &World) {
    assert!(world.environment(SHOP).is_none());
    assert!(world.databases.shared.comments().is_empty());
    let left: Vec<_> = world.store.everything();
    let left: Vec<_> = left.iter().filter(|known| known.kind != "App").collect();
    assert!(left.is_empty(), "{left:?}");
}

scenes! {
    a_first_release_on_a_shared_server {
        begin: kept,
        acts: [
            "names version 2", Settled, |world| {
                assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
                assert!(world.environment(SHOP).unwrap().finalizers().is_empty(), "what is kept holds nobody");
                release(world, "v2");
            };
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert_eq!(record(world), ["k1", "k2"]);
            assert!(world.store.stateful_sets.is_empty() && world.store.volumes.is_empty());
        },
    }

    /// A word that nobody has acted on yet counts: the data stays, and is found again.
    the_data_shall_stay_and_it_is_deleted_at_once {
        begin: dropped,
        acts: [
            "lets the data stay, and deletes the Environment at once", Settled, |world| {
                edit_environment(world, |spec| spec.deletion_policy = towpath::api::environment::DeletionPolicy::Retain);
                delete(world);
            };
            "makes it again", Once(|world| world.environment(SHOP).is_none()), |world| {
                assert_eq!(record(world), ["k1"], "the database is there");
                let mut again = environment();
                on_a_server(&mut again);
                declare::<Environment>(world, again);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(record(world), ["k1"]);
        },
    }

    /// Routes, then pods, then the database; then the rest by its owner references.
    deleted_with_its_database_on_a_shared_server {
        begin: dropped,
        acts: [
            "deletes the Environment", Settled, |world| {
                assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
                assert_eq!(world.environment(SHOP).unwrap().finalizers(), [labels::FINALIZER]);
                delete(world);
            };
        ],
        end: nothing_is_left,
    }

    deleted_while_it_migrates_on_a_shared_server {
        begin: dropped,
        acts: [
            "deletes the Environment", Once(|world| world.store.jobs.contains_key("shop-migrate-1")), delete;
        ],
        end: nothing_is_left,
    }

    /// The data stays, and an Environment of the same name finds it: name and passwords are those of before, the comment gets
    /// the new uid.
    deleted_and_back_on_a_shared_server {
        begin: kept,
        acts: [
            "deletes the Environment", Settled, delete;
            "makes it again, with version 2, to go with its data", Settled, |world| {
                assert_eq!(world.databases.shared.comments().len(), 1, "data is no child");
                let mut environment = environment();
                goes_with_its_data(&mut environment);
                environment["spec"]["release"]["image"] = image("v2").into();
                declare::<Environment>(world, environment);
            };
            "deletes it again", Settled, |world| {
                assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
                assert_eq!(record(world), ["k1", "k2"], "the data is the same as before");
                let uid = world.environment(SHOP).unwrap().uid().unwrap();
                let comments = world.databases.shared.comments();
                assert!(comments.iter().all(|(_, comment)| comment.ends_with(&format!("uid={uid}"))), "{comments:?}");
                delete(world);
            };
        ],
        end: nothing_is_left,
    }

    /// A policy that changes puts the finalizer on or takes it off.
    the_policy_of_a_shared_database_changes {
        begin: kept,
        acts: [
            "lets the data go with it", Settled, |world| edit_environment(world, |spec| spec.deletion_policy = towpath::api::environment::DeletionPolicy::Delete);
            "keeps the data after all", Settled, |world| {
                assert_eq!(world.environment(SHOP).unwrap().finalizers(), [labels::FINALIZER]);
                edit_environment(world, |spec| spec.deletion_policy = towpath::api::environment::DeletionPolicy::Retain);
            };
            "deletes the Environment", Settled, |world| {
                assert!(world.environment(SHOP).unwrap().finalizers().is_empty());
                delete(world);
            };
        ],
        end: |world| {
            assert!(world.environment(SHOP).is_none());
            assert_eq!(world.databases.shared.comments().len(), 1);
            assert!(world.store.secrets.contains_key("shop-credentials"));
        },
    }

    /// Whatever keeps the database from being dropped is told, until it is mended.
    a_database_that_is_dropped_later {
        begin: dropped,
        acts: [
            "lets the server fall silent, and deletes the Environment", Settled, |world| { world.databases.silent = true; delete(world); };
            "lets it answer, and loses the Secret of its admin", Once(|world| is(world, Ready, "DatabaseSilent")), |world| {
                assert!(world.store.pods.is_empty() && world.store.http_routes.is_empty());
                world.databases.silent = false;
                world.databases.shared.forget_admin("previews");
            };
            "finds the Secret", Settled, |world| {
                assert!(is(world, Stalled, "DatabaseRefused"), "{:?}", condition(world, Ready));
                world.share("previews");
            };
        ],
        end: nothing_is_left,
    }

    /// What is foreign is not dropped, and a person lets the Environment go.
    a_database_that_is_let_go {
        begin: dropped,
        acts: [
            "gives the database to somebody else, and deletes the Environment", Settled, |world| {
                world.databases.shared.comment("somebody else's");
                delete(world);
            };
            "lets it go", Once(|world| is(world, Stalled, "DatabaseRefused")), |world| {
                assert!(world.store.pods.is_empty() && world.store.http_routes.is_empty());
                trigger(world, labels::LET_GO, "1");
            };
        ],
        end: |world| {
            assert!(world.environment(SHOP).is_none());
            assert_eq!(world.databases.shared.comments().len(), 1);
        },
    }

    /// A copy that must wait for another one is no failure.
    the_template_is_in_use {
        begin: || {
            let mut world = world(|environment| {
                on_a_server(environment);
                environment["spec"]["database"]["server"]["template"] = "shop_template".into();
            });
            world.databases.shared.busy = Some("The template is in use".to_owned());
            world
        },
        acts: [],
        end: |world| assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready)),
    }

    /// The passwords are lost, and new ones are made up for the database that the binding names, not for another one.
    the_passwords_of_a_shared_database_are_lost {
        begin: kept,
        acts: [
            "deletes the Secret of the passwords", Settled, |world| world.store.remove::<Secret>("shop-credentials");
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(record(world), ["k1", "k2"], "the database is found by its binding");
        },
    }
}
