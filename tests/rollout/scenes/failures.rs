//! Releases that fail, and the way back.

use jiff::SignedDuration;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::ConditionType::*;
use towpath::api::app::Component;
use towpath::api::environment::Route;
use towpath::api::{Reason, labels};
use towpath::plan::health;
use towpath::simulate::{Build, Migrates, Runs, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

/// Version 1 is well, version 2 does this, version 3 is well again.
fn second(build: Build) -> World {
    let mut world = shop();
    push_well(&mut world, "v1", "k1");
    push(&mut world, "v2", build, "k2");
    push_well(&mut world, "v3", "k3");
    world
}

fn runs(runs: Runs) -> Build {
    Build {
        runs,
        ..Build::default()
    }
}

const WORKER: &str = "registry.example.com/shop-worker:v1";

/// The worker has an image of its own, which releases of the rest leave as it is.
fn with_a_worker_of_its_own(second: Build) -> World {
    let mut world = shop_with(
        |app| app["spec"]["components"][1]["image"] = json!("registry.example.com/shop-worker"),
        |environment| {
            environment["spec"]["release"]["components"] =
                json!([{"name": "worker", "image": WORKER}]);
        },
    );
    world.push_image(WORKER, Build::default(), None);
    push_well(&mut world, "v1", "k1");
    push(&mut world, "v2", second, "k1");
    world
}

/// When the newest pod of the worker became ready.
fn worker_since(world: &World) -> Timestamp {
    let pods = world.store.pods.values();
    let workers = pods.filter(|pod| {
        pod.labels()
            .get(labels::COMPONENT)
            .is_some_and(|it| it == "worker")
    });
    workers
        .filter_map(|pod| health::ready_since(pod))
        .max()
        .unwrap()
}

/// The last good version runs, and the failed one is held back.
fn is_back(world: &World, reason: &str) {
    assert!(
        is(world, Ready, "RolledBack"),
        "{:?}",
        condition(world, Ready)
    );
    assert!(is(world, Stalled, "RolledBack"));
    assert_eq!(running(world, "web"), ["v1", "v1"]);
    assert_eq!(running(world, "worker"), ["v1"]);
    let given_up = revision(world, 2).unwrap().facts.given_up.unwrap();
    // Who is slow finds no progress where others see a crash.
    let late = reason == "Crashed" && given_up.reason == Reason::DeadlineExceeded;
    assert!(late || given_up.reason.as_str() == reason, "{given_up:?}");
}

scenes! {
    a_failed_migration_and_its_fix {
        begin: || second(Build { migrates: Migrates::Fails, ..Build::default() }),
        acts: [
            "names version 2, whose migration fails", Settled, |world| release(world, "v2");
            "names version 3, which is fixed", Settled, |world| {
                assert!(is(world, Ready, "MigrationFailed") && running(world, "web") == ["v1", "v1"]);
                release(world, "v3");
            };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }

    /// The statements of a killed migration run on in the database; another attempt waits for them.
    a_migration_that_hangs_and_is_retried {
        begin: || second(Build { migrates: Migrates::Hangs(30), ..Build::default() }),
        acts: [
            "names version 2, whose migration hangs", Settled, |world| release(world, "v2");
            "mends what it waits for, and retries", Once(|world| is(world, Migrated, "MigrationFailed")), |world| {
                push(world, "v2", Build::default(), "k2");
                retry(world);
            };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2", "v2"]),
    }

    a_migration_whose_image_cannot_be_pulled {
        begin: || second(Build { migrates: Migrates::NotPulled, ..Build::default() }),
        acts: [
            "names version 2, whose image cannot be pulled", Settled, |world| release(world, "v2");
            "names version 3", Once(|world| condition(world, Migrated).1 == "MigrationRunning" && world.store.pods.keys().any(|name| name.starts_with("shop-migrate-2"))), |world| release(world, "v3");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v3", "v3"]);
            assert!(!world.store.jobs.contains_key("shop-migrate-2"));
        },
    }

    a_release_that_never_gets_ready {
        begin: || second(runs(Runs::NeverReady)),
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
        ],
        end: |world| is_back(world, "DeadlineExceeded"),
    }

    /// What an autoscaler adds to a component that the release leaves as it is, is no progress of the release.
    a_release_that_never_gets_ready_beside_one_that_grows {
        begin: || with_a_worker_of_its_own(runs(Runs::NeverReady)),
        acts: [
            "names version 2 of the web, which never becomes ready", Settled, |world| {
                edit_app(world, |spec| spec.components[1].replicas = None);
                release(world, "v2");
            };
            "scales the worker", Once(|world| {
                let entered = revision(world, 2).and_then(|revision| revision.facts.entered);
                entered.is_some_and(|entered| world.store.now.duration_since(entered).as_secs() >= 15)
            }), |world| {
                let mut worker = (*world.store.get::<Deployment>("shop-worker-a").unwrap()).clone();
                worker.spec.as_mut().unwrap().replicas = Some(2);
                world.store.declare(worker).unwrap();
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "RolledBack"), "{:?}", condition(world, Ready));
            let given_up = revision(world, 2).unwrap().facts.given_up.unwrap();
            let renewed = worker_since(world) + SignedDuration::from_secs(20);
            assert!(given_up.at.unwrap() < renewed, "the worker's new pod renewed the deadline");
        },
    }

    /// What was broken before is no fault of a release that leaves it as it is.
    a_release_beside_one_that_is_broken {
        begin: || with_a_worker_of_its_own(Build::default()),
        acts: [
            "lets the worker fail", Settled, |world| { world.push_image(WORKER, runs(Runs::FailsAfter(0)), None); };
            "names version 2 of the web", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, RolledOut, "RollingOut"), "{:?}", condition(world, RolledOut));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    a_release_that_crashes {
        begin: || second(runs(Runs::Crashes)),
        acts: [
            "names version 2, which crashes", Settled, |world| release(world, "v2");
        ],
        end: |world| is_back(world, "Crashed"),
    }

    a_release_that_cannot_be_pulled {
        begin: || second(runs(Runs::NotPulled)),
        acts: [
            "names version 2, which nodes cannot pull", Settled, |world| release(world, "v2");
        ],
        end: |world| is_back(world, "DeadlineExceeded"),
    }

    /// It passes for available, replaces an old pod, and then fails.
    a_release_that_is_ready_and_then_fails {
        begin: || second(runs(Runs::FailsAfter(7))),
        acts: [
            "names version 2, which fails after it was available", Settled, |world| release(world, "v2");
        ],
        end: |world| is_back(world, "Crashed"),
    }

    a_release_that_answers_errors {
        begin: || second(runs(Runs::AnswersErrors)),
        acts: [
            "names version 2, which answers errors", Settled, |world| release(world, "v2");
        ],
        end: |world| is_back(world, "VerificationFailed"),
    }

    a_release_that_nobody_can_ask {
        begin: || second(runs(Runs::SaysNothing)),
        acts: [
            "names version 2, whose checks get no answer", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// The failed content is held back until a person asks for it.
    a_retry_after_the_way_back {
        begin: || second(runs(Runs::NeverReady)),
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
            "mends what it waits for, and retries", Settled, |world| { push(world, "v2", Build::default(), "k2"); retry(world); };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert_eq!(revisions(world).len(), 3);
        },
    }

    a_first_release_that_fails {
        begin: || { let mut world = shop(); push(&mut world, "v1", runs(Runs::NeverReady), "k1"); push_well(&mut world, "v2", "k1"); world },
        acts: [
            "names version 2", Settled, |world| {
                assert!(is(world, Stalled, "DeadlineExceeded"));
                assert_eq!(world.store.pods.len(), 5, "pods are left for inspection");
                release(world, "v2");
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// A component that only the failed release has does not run on.
    a_failed_release_with_a_new_component {
        begin: || second(runs(Runs::NeverReady)),
        acts: [
            "names version 2, which never becomes ready, with a component more", Settled, |world| {
                release(world, "v2");
                edit_app(world, |spec| {
                    let mut more = spec.components[1].clone();
                    more.name = "mailer".to_owned();
                    spec.components.push(more);
                });
            };
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert!(!world.store.deployments.contains_key("shop-mailer-a"), "a pod of the failed release runs on");
        },
    }

    /// Failed attempts leave no more behind than successful ones.
    many_failed_releases {
        begin: || {
            let mut world = shop();
            push_well(&mut world, "v1", "k1");
            for version in ["v2", "v3", "v4", "v5", "v6", "v7", "v8"] {
                push(&mut world, version, runs(Runs::Crashes), "k1");
            }
            world
        },
        acts: [
            "names version 2, which crashes", Settled, |world| release(world, "v2");
            "names version 3, which crashes", Settled, |world| release(world, "v3");
            "names version 4, which crashes", Settled, |world| release(world, "v4");
            "names version 5, which crashes", Settled, |world| release(world, "v5");
            "names version 6, which crashes", Settled, |world| release(world, "v6");
            "names version 7, which crashes", Settled, |world| release(world, "v7");
            "names version 8, which crashes", Settled, |world| release(world, "v8");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert!(revisions(world).len() <= 6, "{} revisions are kept", revisions(world).len());
        },
    }

    /// An operator kills the migration's Job; the same Job is not made while its pod is left.
    a_migration_job_that_is_deleted {
        begin: || second(Build { migrates: Migrates::Within(8), ..Build::default() }),
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "deletes the Job while it runs", Once(|world| world.store.pods.values().any(|pod| {
                pod.metadata.name.as_ref().is_some_and(|name| name.starts_with("shop-migrate-2"))
                    && pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
            })), |world| {
                let job = world.store.jobs["shop-migrate-2"].clone();
                world.store.delete::<k8s_openapi::api::batch::v1::Job>("shop-migrate-2", job.metadata.uid.as_ref().unwrap());
            };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2", "v2"]),
    }

    /// Requests of a path go where a pod takes them: to a new component when it has one, and never when it fails.
    a_path_moves_to_a_new_component_that_fails {
        begin: || second(runs(Runs::NeverReady)),
        acts: [
            "names version 2, which never becomes ready, and moves a path to a new component", Settled, |world| {
                edit_app(world, |spec| {
                    let api = Component { name: "api".to_owned(), ..spec.components[0].clone() };
                    spec.components.push(api);
                });
                edit_environment(world, |spec| {
                    let api = Route { path: "/api".to_owned(), component: "api".to_owned() };
                    spec.hosts[0].routes.push(api);
                    spec.release.image = Some(image("v2"));
                });
            };
            "looks where it goes", Once(|world| is(world, RolledOut, "RollingOut") && revisions(world).len() == 2), |world| {
                assert_eq!(backends(world), ["shop-web-a", "shop-web-a"]);
            };
            "names version 3", Settled, |world| {
                assert!(is(world, Ready, "RolledBack"));
                assert_eq!(backends(world), ["shop-web-a", "shop-web-a"]);
                release(world, "v3");
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(backends(world), ["shop-api-a", "shop-web-a"]);
        },
    }
}

/// Where the paths of the host go, the longest first.
fn backends(world: &World) -> Vec<String> {
    let routes = world.store.http_routes.values();
    let rules = routes.flat_map(|route| &route.spec.rules);
    rules
        .flat_map(|rule| &rule.backend_refs)
        .map(|backend| backend.name.clone())
        .collect()
}
