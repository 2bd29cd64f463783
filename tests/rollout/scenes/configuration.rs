//! ConfigMaps, Secrets and variables.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::ConditionType::*;
use towpath::api::labels;
use towpath::simulate::{Build, Runs, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

fn configured() -> World {
    let mut world = shop_with(
        |app| {
            app["spec"]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
            app["spec"]["components"][0]["env"] =
                json!([{"name": "STRIPE_KEY", "secretRef": {"name": "stripe", "key": "api-key"}}]);
        },
        |_| {},
    );
    push_well(&mut world, "v1", "k1");
    push(
        &mut world,
        "v2",
        Build {
            runs: Runs::NeverReady,
            ..Build::default()
        },
        "k1",
    );
    push_well(&mut world, "v3", "k3");
    world
}

fn with_both() -> World {
    let mut world = configured();
    config_map(&mut world, "settings", &[("THEME", "dark")]);
    secret(&mut world, "stripe", &[("api-key", "sk_1")]);
    world
}

fn generation(world: &World, deployment: &str) -> i64 {
    world.store.deployments[deployment]
        .metadata
        .generation
        .unwrap()
}

fn copies(world: &World) -> usize {
    world
        .store
        .config_maps
        .keys()
        .filter(|name| name.starts_with("shop-config-"))
        .count()
}

scenes! {
    what_it_names_comes_later {
        begin: configured,
        acts: [
            "makes the ConfigMap", Settled, |world| config_map(world, "settings", &[("THEME", "dark")]);
            "makes the Secret, without its key", Settled, |world| { assert!(is(world, Configured, "ReferenceMissing")); secret(world, "stripe", &[]); };
            "adds the key", Settled, |world| { assert!(is(world, Configured, "KeyMissing")); secret(world, "stripe", &[("api-key", "sk_1")]); };
        ],
        end: |world| assert!(is(world, Ready, "Ready")),
    }

    a_config_map_changes {
        begin: with_both,
        acts: [
            "edits the ConfigMap", Settled, |world| config_map(world, "settings", &[("THEME", "light")]);
            "edits it back", Settled, |world| config_map(world, "settings", &[("THEME", "dark")]);
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(revisions(world).len(), 3);
            assert_eq!(copies(world), 2, "copies are shared between revisions");
        },
    }

    /// Config rolls back with the code.
    a_config_map_of_a_failed_release {
        begin: with_both,
        acts: [
            "edits the ConfigMap and names version 2, which never becomes ready", Settled, |world| {
                config_map(world, "settings", &[("THEME", "light")]);
                release(world, "v2");
            };
        ],
        end: |world| {
            let template = world.store.deployments["shop-web-a"].spec.clone().unwrap().template;
            let copy = template.spec.unwrap().containers[0].env_from.clone().unwrap()[0].config_map_ref.clone().unwrap().name;
            assert_eq!(world.store.config_maps[&copy].data.as_ref().unwrap()["THEME"], "dark");
        },
    }

    a_secret_is_rotated {
        begin: with_both,
        acts: [
            "changes the Secret", Settled, |world| secret(world, "stripe", &[("api-key", "sk_2")]);
            "changes it again, a moment later", Once(|world| generation(world, "shop-web-a") == 2), |world| secret(world, "stripe", &[("api-key", "sk_3")]);
            "waits for five minutes", Settled, |world| world.wait(300);
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(generation(world, "shop-web-a"), 3, "it restarts once for each, five minutes apart");
            assert_eq!(generation(world, "shop-worker-a"), 1, "what does not read it is left alone");
            assert_eq!(revisions(world).len(), 1);
        },
    }

    /// A clock that went wrong wrote of a restart that is still to come.
    a_secret_is_rotated_after_a_restart_in_the_future {
        begin: with_both,
        acts: [
            "writes a time that never comes", Settled, |world| {
                let mut web = (*world.store.get::<Deployment>("shop-web-a").unwrap()).clone();
                web.annotations_mut().insert(labels::SECRETS_RESTARTED.to_owned(), jiff::Timestamp::MAX.to_string());
                world.store.declare(web).unwrap();
            };
            "changes the Secret", Settled, |world| secret(world, "stripe", &[("api-key", "sk_2")]);
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            let web = world.store.get::<Deployment>("shop-web-a").unwrap();
            let at: jiff::Timestamp = web.annotations()[labels::SECRETS_RESTARTED].parse().unwrap();
            assert!(at <= world.store.now, "it restarts, and writes when");
        },
    }

    /// While a target is on its way no Secret restarts anything; the new pods read the new value.
    a_secret_is_rotated_on_the_way {
        begin: with_both,
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
            "changes the Secret", Once(|world| is(world, RolledOut, "RollingOut") && revisions(world).len() == 2), |world| secret(world, "stripe", &[("api-key", "sk_2")]);
        ],
        end: |world| assert!(is(world, Ready, "RolledBack")),
    }

    /// Nobody guesses what a Secret holds that is gone; what runs is left alone.
    a_secret_is_deleted_and_comes_back {
        begin: with_both,
        acts: [
            "deletes the Secret", Settled, |world| world.store.remove::<Secret>("stripe");
            "names version 3", Settled, |world| {
                assert!(is(world, Configured, "ReferenceMissing"));
                assert_eq!(generation(world, "shop-web-a"), 1);
                release(world, "v3");
            };
            "makes it again", Settled, |world| secret(world, "stripe", &[("api-key", "sk_1")]);
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }

    /// The way back goes over a Secret that is gone; when it returns, it restarts nothing that is on its way.
    a_secret_is_deleted_while_a_release_fails {
        begin: with_both,
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
            "deletes the Secret", Once(|world| is(world, RolledOut, "RollingOut") && revisions(world).len() == 2), |world| world.store.remove::<Secret>("stripe");
            "makes it again and names version 3", Settled, |world| { secret(world, "stripe", &[("api-key", "sk_2")]); release(world, "v3"); };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }
}
