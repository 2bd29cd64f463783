//! Previews that sleep while nobody asks for them.

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::ConditionType::*;
use towpath::api::labels;
use towpath::config::ActivatorRef;
use towpath::seen::Activator;
use towpath::simulate::World;

use super::people::wipe;
use super::previews::*;
use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

/// As long as nobody may ask for it before it sleeps.
const AFTER: i64 = 120;

/// Pull request 7 of an App whose previews sleep after two minutes.
fn sleeping(more: Value) -> World {
    let mut fields = json!({"sleepAfterSeconds": AFTER, "ttlSeconds": 86400});
    let more = more.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(more);
    let mut world = app_with_previews(fields);
    let mut config = (*world.config).clone();
    config.activator = Some(ActivatorRef {
        service: "towpath-activator".to_owned(),
    });
    world.config = std::sync::Arc::new(config);
    world.activator = Some(Activator {
        family: "IPv4".to_owned(),
        addresses: vec!["10.0.0.7".to_owned(), "10.0.0.8".to_owned()],
        port: 8090,
    });
    open(&mut world, SHOP, 7);
    world
}

fn on_a_shared_server() -> World {
    let server = json!({"provider": "Server", "server": {"name": "previews"}});
    let mut world = sleeping(json!({ "database": server }));
    world.share("previews");
    world
}

/// A request arrives: the activator renews the Lease.
fn ask(world: &mut World) {
    let lease = json!({"spec": {"renewTime": format!("{:.6}", world.store.now)}});
    world.store.patch::<Lease>("shop-activity", &lease).unwrap();
}

/// A person's word.
fn say(world: &mut World, word: &'static str) {
    edit(world, |preview| {
        let token = format!("{}.1", preview.uid().unwrap());
        preview.annotations_mut().insert(word.to_owned(), token);
    });
}

fn sleeps(world: &World) {
    assert!(
        is_told(world, SHOP, Ready, "Asleep"),
        "{:?}",
        told(world, SHOP, Ready)
    );
    assert_eq!(told(world, SHOP, Ready).0, "True");
    assert_eq!(
        told(world, SHOP, Deployed),
        ("True".to_owned(), "Asleep".to_owned())
    );
    assert_eq!(
        condition(world, Available),
        ("True".to_owned(), "Asleep".to_owned())
    );
    let runs = |name: &&String| !name.starts_with("shop-migrate-");
    let running: Vec<_> = world.store.pods.keys().filter(runs).collect();
    assert!(running.is_empty(), "{running:?}");
    led_by_the_door(world);
}

fn is_awake(world: &World) {
    assert!(
        is_told(world, SHOP, Ready, "Ready"),
        "{:?}",
        told(world, SHOP, Ready)
    );
    led_by_the_door(world);
}

/// Routes lead to the activator, awake or not.
fn led_by_the_door(world: &World) {
    let mut routes = world.store.http_routes.values();
    let rules = routes.next().map(|route| route.spec.rules.clone());
    let backends: Vec<_> = rules
        .into_iter()
        .flatten()
        .flat_map(|rule| rule.backend_refs)
        .collect();
    let names: Vec<_> = backends
        .iter()
        .map(|backend| backend.name.as_str())
        .collect();
    assert_eq!(names, ["shop-door"]);
    let door = &world.store.services["shop-door"];
    assert!(door.spec.as_ref().unwrap().selector.is_none());
    let slice = &world.store.endpoint_slices["shop-door"];
    assert_eq!(slice.endpoints.iter().flatten().count(), 2);
    assert!(world.store.leases.contains_key("shop-activity"));
}

fn has_its_volume(world: &World) {
    assert!(world.store.volumes.contains_key("shop-postgres"));
}

scenes! {
    /// Its pods go, and then its database's; a request brings the database back, and then the pods.
    a_preview_sleeps_and_a_request_wakes_it {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| {
                is_awake(world);
                world.wait(AFTER);
            };
            "asks for it", Settled, |world| {
                sleeps(world);
                has_its_volume(world);
                ask(world);
            };
            "goes on asking", Settled, |world| {
                is_awake(world);
                has_its_volume(world);
                assert_eq!(running(world, "web"), ["v1"]);
                assert_eq!(revisions(world).len(), 1);
                world.wait(AFTER / 2);
                ask(world);
                world.wait(AFTER / 2 + 10);
            };
        ],
        end: is_awake,
    }

    /// The database on a shared server is neither asked nor touched.
    a_preview_with_a_shared_server_sleeps {
        begin: on_a_shared_server,
        acts: [
            "does not ask for it, and the server ends", Settled, |world| {
                is_awake(world);
                world.wait(AFTER);
                world.databases.silent = true;
            };
            "asks for it when the server is back", Settled, |world| {
                sleeps(world);
                world.databases.silent = false;
                ask(world);
            };
            "closes it", Settled, |world| {
                is_awake(world);
                close(world);
            };
        ],
        end: nothing_is_left,
    }

    /// Whoever pushes wants to see it.
    a_push_wakes_a_preview {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "pushes version 2", Settled, |world| {
                sleeps(world);
                push_to(world, "v2");
            };
        ],
        end: |world| {
            is_awake(world);
            assert_eq!(running(world, "web"), ["v2"]);
        },
    }

    /// What is on its way is no reason to stay awake for ever, and does not sleep before it has come.
    a_push_comes_while_a_preview_falls_asleep {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "pushes version 2", Once(|world| is_told(world, SHOP, Ready, "Asleep")), |world| push_to(world, "v2");
            "does not ask for it again", Settled, |world| {
                is_awake(world);
                world.wait(AFTER);
            };
        ],
        end: |world| {
            sleeps(world);
            assert_eq!(revisions(world).len(), 2);
        },
    }

    /// A request that comes while the pods are being stopped counts as every other.
    a_request_comes_while_a_preview_falls_asleep {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "asks for it", Once(|world| is_told(world, SHOP, Ready, "Asleep")), ask;
        ],
        end: is_awake,
    }

    /// A person's word counts at once.
    a_person_sends_a_preview_to_sleep_and_wakes_it {
        begin: || sleeping(json!({})),
        acts: [
            "asks for it, and sends it to sleep", Settled, |world| {
                is_awake(world);
                ask(world);
                world.wait(2);
                say(world, labels::SLEEP);
            };
            "wakes it", Settled, |world| {
                sleeps(world);
                say(world, labels::WAKE);
            };
        ],
        end: is_awake,
    }

    /// Whoever is asked for after it was sent to sleep is awake.
    a_request_wakes_a_preview_that_was_sent_to_sleep {
        begin: || sleeping(json!({})),
        acts: [
            "sends it to sleep", Settled, |world| say(world, labels::SLEEP);
            "asks for it", Settled, |world| {
                sleeps(world);
                ask(world);
            };
        ],
        end: is_awake,
    }

    /// It goes as it would awake.
    a_preview_is_closed_while_it_sleeps {
        begin: on_a_shared_server,
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "closes it", Settled, |world| {
                sleeps(world);
                close(world);
            };
        ],
        end: nothing_is_left,
    }

    /// Who takes sleep away takes the door away.
    previews_shall_not_sleep_any_more {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "lets previews sleep no more", Settled, |world| {
                sleeps(world);
                edit_app(world, |spec| spec.preview.as_mut().unwrap().sleep_after_seconds = None);
            };
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"));
            let route = world.store.http_routes.values().next().unwrap();
            assert_eq!(route.spec.rules[0].backend_refs[0].name, "shop-web-a");
            assert!(!world.store.services.contains_key("shop-door"));
            assert!(world.store.endpoint_slices.is_empty() && world.store.leases.is_empty());
        },
    }

    /// The door leads where the activator is; while it is nowhere, where it was.
    the_activator_moves {
        begin: || sleeping(json!({})),
        acts: [
            "loses the activator's pods", Settled, |world| {
                world.activator.as_mut().unwrap().addresses.clear();
            };
            "gets new ones", Settled, |world| {
                led_by_the_door(world);
                let addresses = vec!["10.0.0.9".to_owned()];
                world.activator.as_mut().unwrap().addresses = addresses;
                world.store.version += 1;
            };
        ],
        end: |world| {
            let slice = &world.store.endpoint_slices["shop-door"];
            let addresses: Vec<_> = slice.endpoints.iter().flatten().flat_map(|one| &one.addresses).collect();
            assert_eq!(addresses, ["10.0.0.9"]);
        },
    }

    /// Nobody could wake it.
    previews_shall_sleep_without_an_activator {
        begin: || {
            let mut world = app_with_previews(json!({"sleepAfterSeconds": AFTER}));
            open(&mut world, SHOP, 7);
            world
        },
        acts: [
            "takes sleep out", Settled, |world| {
                assert_eq!(told(world, SHOP, Accepted), ("False".to_owned(), "NoActivator".to_owned()));
                edit_app(world, |spec| spec.preview.as_mut().unwrap().sleep_after_seconds = None);
            };
        ],
        end: |world| assert!(is_told(world, SHOP, Ready, "Ready")),
    }

    /// The status is nobody's memory, asleep or not.
    the_status_is_deleted_while_a_preview_sleeps {
        begin: || sleeping(json!({})),
        acts: [
            "does not ask for it", Settled, |world| world.wait(AFTER);
            "deletes the status", Settled, |world| {
                sleeps(world);
                wipe(world);
            };
        ],
        end: sleeps,
    }
}
