//! Releases that go well.

use towpath::api::ConditionType::*;
use towpath::api::app::{Component, Update};
use towpath::api::environment::{Commit, ComponentOverride};
use towpath::simulate::Build;

use super::scenes;
use crate::play::When::Settled;
use crate::shop::*;

scenes! {
    a_first_release {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); world },
        acts: [],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert_eq!(running(world, "worker"), ["v1"]);
        },
    }

    an_update_with_a_migration {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); push_well(&mut world, "v2", "k2"); world },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert!(revision(world, 2).unwrap().facts.verified.is_some());
        },
    }

    an_update_without_a_migration {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); push_well(&mut world, "v2", "k1"); world },
        acts: [
            "names version 2, which has the same migrations", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert!(!world.store.jobs.contains_key("shop-migrate-2"));
        },
    }

    a_release_that_is_not_built_yet {
        begin: shop,
        acts: [
            "pushes version 1", Settled, |world| push_well(world, "v1", "k1");
        ],
        end: |world| assert!(is(world, Ready, "Ready")),
    }

    a_commit_of_the_same_image {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); world },
        acts: [
            "names another commit of the same image", Settled, |world| edit_environment(world, |spec| {
                spec.release.commit = Some(Commit { sha: "0a1b2c3".to_owned(), author: None, message: None });
            });
        ],
        end: |world| {
            assert_eq!(revisions(world).len(), 2);
            assert!(is(world, Ready, "Ready"));
            assert!(world.store.deployments.values().all(|it| it.metadata.generation == Some(1)), "nothing is written");
        },
    }

    /// What ran before is a new revision, which has nothing to migrate and nothing to restart but what changed.
    back_to_the_former_release {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); push_well(&mut world, "v2", "k2"); world },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "names version 1 again", Settled, |world| release(world, "v1");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert_eq!(revisions(world).len(), 3);
            assert!(!world.store.jobs.contains_key("shop-migrate-3"));
        },
    }

    replicas_are_live {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); world },
        acts: [
            "wants three pods of web", Settled, |world| edit_environment(world, |spec| spec.components = vec![ComponentOverride {
                name: "web".to_owned(), replicas: Some(3), resources: None, env: vec![], env_from: vec![],
            }]);
            "wants one", Settled, |world| edit_environment(world, |spec| spec.components[0].replicas = Some(1));
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v1"]);
            assert_eq!(revisions(world).len(), 1);
            assert!(world.store.budgets.is_empty());
        },
    }

    a_component_comes_and_another_goes {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); world },
        acts: [
            "adds a component and takes another away", Settled, |world| edit_app(world, |spec| {
                let mailer = Component { name: "mailer".to_owned(), ..spec.components[1].clone() };
                spec.components[1] = mailer;
            });
        ],
        end: |world| {
            assert_eq!(running(world, "mailer"), ["v1"]);
            assert!(running(world, "worker").is_empty());
            assert!(!world.store.deployments.contains_key("shop-worker-a"));
        },
    }

    /// Requests stop meanwhile, and the App says so.
    a_component_that_is_recreated {
        begin: || {
            let mut world = shop_with(|app| {
                app["spec"]["components"][0]["replicas"] = 1.into();
                app["spec"]["components"][0]["update"] = "Recreate".into();
                app["spec"]["components"][0]["volumes"] = serde_json::json!([{"name": "files", "path": "/data", "size": "1Gi"}]);
            }, |_| {});
            push_well(&mut world, "v1", "k1");
            push_well(&mut world, "v2", "k1");
            world
        },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2"]),
    }

    an_app_without_a_database {
        begin: || {
            let mut world = shop_with(
                |app| { app["spec"].as_object_mut().unwrap().retain(|key, _| !["database", "migration"].contains(&key.as_str())); },
                |environment| { environment["spec"].as_object_mut().unwrap().remove("database"); },
            );
            push(&mut world, "v1", Build::default(), "");
            push(&mut world, "v2", Build::default(), "");
            world
        },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert!(world.store.jobs.is_empty() && world.store.stateful_sets.is_empty());
        },
    }

    /// How its pods are replaced changes with the revision.
    an_update_becomes_recreate {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); world },
        acts: [
            "lets the worker be recreated", Settled, |world| edit_app(world, |spec| {
                spec.components[1].update = Update::Recreate;
                spec.components[1].command.push("--once".to_owned());
            });
        ],
        end: |world| assert!(is(world, Ready, "Ready")),
    }
}
