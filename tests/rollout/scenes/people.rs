//! What people do beside releasing: suspend, delete, wipe, meddle.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::ConditionType::*;
use towpath::api::{Environment, labels};
use towpath::simulate::{Build, Migrates, Runs, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::play::exists;
use crate::shop::*;

fn two() -> World {
    let mut world = shop();
    push_well(&mut world, "v1", "k1");
    push_well(&mut world, "v2", "k2");
    world
}

fn delete(world: &mut World) {
    world.store.remove::<Environment>(SHOP);
}

fn meddle(world: &mut World, change: serde_json::Value) {
    world
        .store
        .patch::<Deployment>("shop-web-a", &change)
        .unwrap();
}

scenes! {
    suspended_on_the_way {
        begin: two,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "suspends", Once(|world| is(world, RolledOut, "RollingOut") && revisions(world).len() == 2), |world| edit_environment(world, |spec| spec.suspend = true);
            "scales by hand", Settled, |world| { assert!(is(world, Stalled, "Suspended")); meddle(world, json!({"spec": {"replicas": 5}})); };
            "resumes", Settled, |world| {
                assert_eq!(world.store.deployments["shop-web-a"].spec.as_ref().unwrap().replicas, Some(5));
                edit_environment(world, |spec| spec.suspend = false);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    deleted_and_back_again {
        begin: two,
        acts: [
            "deletes the Environment", Settled, delete;
            "makes it again, with version 2", Settled, |world| {
                assert!(world.store.pods.is_empty() && world.store.revisions.is_empty());
                assert_eq!(world.store.volumes.len(), 1, "data is no child");
                let mut environment = environment();
                environment["spec"]["release"]["image"] = image("v2").into();
                declare::<Environment>(world, environment);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            let record: Vec<_> = world.databases.all().flat_map(|it| &it.record).map(|it| it.key.as_str()).collect();
            assert_eq!(record, ["k1", "k2"], "the data is the same as before");
        },
    }

    deleted_with_its_data {
        begin: || {
            let mut world = shop_with(|_| {}, |environment| environment["spec"]["deletionPolicy"] = "Delete".into());
            push_well(&mut world, "v1", "k1");
            world
        },
        acts: [
            "deletes the Environment", Settled, delete;
        ],
        end: |world| {
            assert!(world.store.volumes.is_empty() && world.store.secrets.is_empty() && world.store.pods.is_empty());
        },
    }

    the_data_changes_hands {
        begin: two,
        acts: [
            "lets the data go with the Environment", Settled, |world| edit_environment(world, |spec| spec.deletion_policy = towpath::api::environment::DeletionPolicy::Delete);
            "lets it stay after all", Settled, |world| {
                assert!(world.store.volumes.values().all(|it| it.metadata.owner_references.is_some()));
                edit_environment(world, |spec| spec.deletion_policy = towpath::api::environment::DeletionPolicy::Retain);
            };
            "deletes the Environment", Settled, delete;
        ],
        end: |world| {
            assert!(!exists(world));
            assert_eq!((world.store.volumes.len(), world.store.secrets.len()), (1, 2));
        },
    }

    /// Nothing lives only in status.
    the_status_is_wiped {
        begin: || { let mut world = two(); push(&mut world, "v2", Build { runs: Runs::NeverReady, ..Build::default() }, "k2"); world },
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
            "wipes the status", Once(|world| is(world, RolledOut, "RollingOut") && revisions(world).len() == 2), wipe;
            "wipes it again", Settled, wipe;
        ],
        end: |world| {
            assert!(is(world, Ready, "RolledBack"));
            assert_eq!(running(world, "web"), ["v1", "v1"]);
        },
    }

    /// What others add to a pod template is removed; a restart by hand may stay.
    others_meddle {
        begin: two,
        acts: [
            "restarts by hand", Settled, |world| meddle(world, json!({"spec": {"template": {"metadata": {"annotations": {labels::RESTARTED_AT: "now"}}}}}));
            "lets pods use the node's network", Settled, |world| meddle(world, json!({"spec": {"template": {"spec": {"hostNetwork": true}}}}));
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            let template = world.store.deployments["shop-web-a"].spec.clone().unwrap().template;
            assert_eq!(template.spec.unwrap().host_network, None);
            assert_eq!(template.metadata.unwrap().annotations.unwrap()[labels::RESTARTED_AT], "now");
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// A person who deletes a workload gets it back as it was.
    a_workload_is_deleted {
        begin: two,
        acts: [
            "deletes the Deployment of web", Settled, |world| world.store.remove::<Deployment>("shop-web-a");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v1", "v1"]),
    }

    deleted_while_it_migrates {
        begin: || { let mut world = two(); push(&mut world, "v2", Build { migrates: Migrates::Within(20), ..Build::default() }, "k2"); world },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "deletes the Environment and makes it again", Once(|world| world.store.jobs.contains_key("shop-migrate-2")), |world| {
                delete(world);
                declare::<Environment>(world, environment());
            };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v1", "v1"]),
    }

    /// An Environment in an autoscaler's hands.
    an_autoscaler_decides {
        begin: || {
            let mut world = shop_with(|app| { app["spec"]["components"][0].as_object_mut().unwrap().remove("replicas"); }, |_| {});
            push_well(&mut world, "v1", "k1");
            push_well(&mut world, "v2", "k2");
            world
        },
        acts: [
            "lets an autoscaler want four pods", Settled, |world| meddle(world, json!({"spec": {"replicas": 4}}));
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2"; 4]),
    }

    /// Hosts are live: what is taken out is public no longer, also while a release waits.
    a_path_and_a_host_are_taken_out {
        begin: || {
            let mut world = shop_with(|_| {}, |environment| {
                let path = |path| json!({"path": path, "component": "web"});
                environment["spec"]["hosts"] = json!([
                    {"host": "shop.example.com", "routes": [path("/api"), path("/")]},
                    {"host": "old.example.com", "routes": [path("/")]},
                ]);
            });
            push_well(&mut world, "v1", "k1");
            world
        },
        acts: [
            "takes out a path", Settled, |world| edit_environment(world, |spec| { spec.hosts[0].routes.pop(); });
            "names version 2, which is not built yet", Settled, |world| { assert_eq!(paths(world), ["/", "/api"]); release(world, "v2"); };
            "takes out a host", Settled, |world| edit_environment(world, |spec| { spec.hosts.pop(); });
        ],
        end: |world| {
            assert!(is(world, Resolved, "WaitingForImage"));
            assert_eq!(paths(world), ["/api"]);
        },
    }

    two_environments_of_one_app {
        begin: || {
            let mut world = two();
            let mut other = environment();
            other["metadata"]["name"] = "other".into();
            other["spec"]["release"]["image"] = image("v2").into();
            world.wait(1);
            declare::<Environment>(&mut world, other);
            world
        },
        acts: [
            "gives the other one a host of its own", Settled, |world| {
                assert!(is(world, Ready, "Ready"));
                let mut other = (*world.environment("other").unwrap()).clone();
                other.spec.hosts[0].host = "other.example.com".to_owned();
                world.store.declare(other).unwrap();
            };
        ],
        end: |world| {
            assert_eq!(world.store.http_routes.len(), 2);
            assert_eq!(world.store.stateful_sets.len(), 2);
        },
    }

    /// Who publishes a host keeps it, also from an older Environment that names it later.
    an_older_environment_names_a_host_that_is_served {
        begin: two,
        acts: [
            "makes another Environment, with a host of its own", Settled, |world| {
                let mut other = environment();
                other["metadata"]["name"] = "other".into();
                other["spec"]["hosts"][0]["host"] = "other.example.com".into();
                declare::<Environment>(world, other);
            };
            "names the other one's host too", Settled, |world| edit_environment(world, |spec| {
                let host = towpath::api::environment::Host { host: "other.example.com".to_owned(), ..spec.hosts[0].clone() };
                spec.hosts.push(host);
            });
            "takes it out again", Settled, |world| {
                assert!(is(world, Ready, "HostTaken"));
                assert_eq!(hosts(world, "other"), ["other.example.com"]);
                edit_environment(world, |spec| { spec.hosts.pop(); });
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!((hosts(world, "shop"), hosts(world, "other")), (vec!["shop.example.com".to_owned()], vec!["other.example.com".to_owned()]));
        },
    }
}

/// The paths that are published on any host, sorted.
fn paths(world: &World) -> Vec<String> {
    let routes = world.store.http_routes.values();
    let rules = routes.flat_map(|route| &route.spec.rules);
    let mut paths: Vec<_> = rules
        .flat_map(|rule| &rule.matches)
        .map(|known| known.path.value.clone())
        .collect();
    paths.sort();
    paths
}

/// The hosts that an Environment publishes, sorted.
fn hosts(world: &World, environment: &str) -> Vec<String> {
    let routes = world.store.http_routes.values();
    let ours = routes.filter(|route| route.labels()[labels::ENVIRONMENT] == environment);
    let mut hosts: Vec<_> = ours
        .flat_map(|route| route.spec.hostnames.clone())
        .collect();
    hosts.sort();
    hosts
}

pub(super) fn wipe(world: &mut World) {
    let mut environment = (*world.environment(SHOP).unwrap()).clone();
    environment.status = None;
    let wiped = serde_json::to_value(&environment).unwrap();
    world.store.environments.insert(
        SHOP.to_owned(),
        std::sync::Arc::new(serde_json::from_value(wiped).unwrap()),
    );
    world.store.version += 1;
}
