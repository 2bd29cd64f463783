//! Databases that are silent, lost, another one, or elsewhere.

use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use kube::ResourceExt;
use serde_json::json;
use towpath::api::ConditionType::*;
use towpath::api::environment::Commit;
use towpath::api::labels;
use towpath::plan::{self, Action};
use towpath::postgres::Answer;
use towpath::simulate::{Build, Migrates, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

fn two() -> World {
    let mut world = shop();
    push_well(&mut world, "v1", "k1");
    push_well(&mut world, "v2", "k2");
    world
}

fn external() -> World {
    let mut world = shop_with(
        |_| {},
        |environment| {
            let reference = json!({"secretRef": {"name": "shop-db"}, "urlKey": "url", "migrationUrlKey": "owner"});
            environment["spec"]["database"] =
                json!({"provider": "External", "external": reference});
        },
    );
    secret(
        &mut world,
        "shop-db",
        &[
            ("url", "postgres://app:pw@db.example.com:5432/shop"),
            ("owner", "postgres://owner:pw@db.example.com:5432/shop"),
        ],
    );
    world.databases.put("db.example.com:5432", 1);
    push_well(&mut world, "v1", "k1");
    push_well(&mut world, "v2", "k2");
    world
}

fn another_commit(world: &mut World) {
    edit_environment(world, |spec| {
        spec.release.commit = Some(Commit {
            sha: "0a1b2c3".to_owned(),
            author: None,
            message: None,
        });
    });
}

scenes! {
    /// What serves does not depend on whether the database answers; nothing is migrated again.
    the_database_falls_silent {
        begin: two,
        acts: [
            "names another commit of the same image", Settled, another_commit;
            "lets the database fall silent, and edits the hosts", Settled, |world| {
                assert_eq!(revisions(world).len(), 2);
                world.databases.silent = true;
                world.forget();
                edit_environment(world, |spec| spec.hosts.clear());
            };
            "lets it answer", Settled, |world| {
                assert!(is(world, Ready, "DatabaseSilent"), "{:?}", condition(world, Ready));
                assert!(is(world, Migrated, "Succeeded"), "{:?}", condition(world, Migrated));
                world.databases.silent = false;
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert!(!world.store.jobs.contains_key("shop-migrate-2"), "what is applied is not migrated again");
        },
    }

    the_database_is_silent_when_a_release_is_named {
        begin: two,
        acts: [
            "lets the database fall silent, and names version 2", Settled, |world| { world.databases.silent = true; release(world, "v2"); };
            "lets it answer", Settled, |world| { assert_eq!(running(world, "web"), ["v1", "v1"]); world.databases.silent = false; };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2", "v2"]),
    }

    /// A database that takes no row holds up the release that it is about, and nothing that serves.
    the_database_takes_no_writes {
        begin: two,
        acts: [
            "lets the database take no writes, and names version 2", Settled, |world| {
                world.databases.frozen = Some("cannot execute INSERT in a read-only transaction".to_owned());
                release(world, "v2");
            };
            "deletes what leads to the pods", Settled, |world| {
                assert!(is(world, Migrated, "DatabaseRefused"), "{:?}", condition(world, Migrated));
                assert_eq!(running(world, "web"), ["v1", "v1"]);
                assert!(world.store.jobs.contains_key("shop-migrate-2"));
                world.store.remove::<Service>("shop-web");
            };
            "lets it take writes", Settled, |world| {
                assert!(world.store.services.contains_key("shop-web"), "what serves is kept");
                assert_eq!(running(world, "web"), ["v1", "v1"]);
                world.databases.frozen = None;
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// Deleting an App leaves its Environments serving.
    the_app_is_deleted {
        begin: two,
        acts: [
            "names another commit of the same image", Settled, another_commit;
            "deletes the App", Settled, |world| world.store.remove::<towpath::api::App>("shop");
        ],
        end: |world| {
            assert!(is(world, Accepted, "AppMissing"));
            assert!(is(world, DatabaseReady, "DatabaseReady"), "what is well stays so");
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert!(!world.store.jobs.contains_key("shop-migrate-2"));
        },
    }

    /// A restored backup lacks a migration: the record counts, a person decides, and what serves goes on.
    a_backup_is_restored {
        begin: two,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "restores a backup of before", Settled, |world| {
                world.databases.record().unwrap().retain(|entry| entry.key == "k1");
                world.forget();
                edit_environment(world, |spec| spec.hosts.clear());
            };
            "retries", Settled, |world| {
                assert!(is(world, Ready, "RecordLost"), "{:?}", condition(world, Ready));
                assert_eq!(running(world, "web"), ["v2", "v2"]);
                retry(world);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert!(world.store.jobs.contains_key("shop-migrate-3"));
        },
    }

    a_migration_is_marked_as_applied {
        begin: || { let mut world = two(); push(&mut world, "v2", Build { migrates: Migrates::Fails, ..Build::default() }, "k2"); world },
        acts: [
            "names version 2, whose migration fails", Settled, |world| release(world, "v2");
            "says that it is applied, by hand", Settled, |world| trigger(world, labels::MARK_APPLIED, "1.k2");
            "retries", Settled, retry;
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    another_database_is_behind_it {
        begin: two,
        acts: [
            "loses the volume and makes a new database", Settled, |world| {
                world.databases.lose();
                world.forget();
                another_commit(world);
            };
            "accepts the database", Settled, |world| {
                assert!(is(world, Ready, "DatabaseRefused"), "{:?}", condition(world, Ready));
                assert_eq!(running(world, "web"), ["v1", "v1"]);
                trigger(world, labels::ACCEPT_DATABASE, "1");
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            let record: Vec<_> = world.databases.all().flat_map(|it| &it.record).map(|it| it.key.as_str()).collect();
            assert_eq!(record, ["k1"], "the new database is migrated");
        },
    }

    a_database_elsewhere {
        begin: external,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert!(world.store.stateful_sets.is_empty());
        },
    }

    a_migration_elsewhere_is_marked_as_applied {
        begin: || { let mut world = external(); push(&mut world, "v2", Build { migrates: Migrates::Fails, ..Build::default() }, "k2"); world },
        acts: [
            "names version 2, whose migration fails", Settled, |world| release(world, "v2");
            "says that it is applied, by hand", Settled, |world| trigger(world, labels::MARK_APPLIED, "1.k2");
            "retries", Settled, retry;
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// What was applied to one database says nothing about another one.
    another_database_elsewhere {
        begin: external,
        acts: [
            "puts another database in its place", Settled, |world| {
                world.databases.put("db.example.com:5432", 2);
                world.forget();
                release(world, "v2");
            };
            "accepts it", Settled, |world| {
                assert!(is(world, Ready, "DatabaseChanged"), "{:?}", condition(world, Ready));
                trigger(world, labels::ACCEPT_DATABASE, "1");
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
        },
    }

    /// Also a release of the same key is migrated there before its pods start.
    another_database_elsewhere_for_the_same_key {
        begin: || { let mut world = external(); push_well(&mut world, "v2", "k1"); world },
        acts: [
            "puts another database in its place", Settled, |world| {
                world.databases.put("db.example.com:5432", 2);
                world.forget();
                release(world, "v2");
            };
            "accepts it", Settled, |world| {
                assert!(is(world, Ready, "DatabaseChanged"), "{:?}", condition(world, Ready));
                trigger(world, labels::ACCEPT_DATABASE, "1");
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert!(world.store.jobs.contains_key("shop-migrate-2"), "the accepted database is migrated");
        },
    }

    /// Passwords that the database knows cannot be invented again.
    the_passwords_are_lost {
        begin: two,
        acts: [
            "deletes the Secret of the passwords", Settled, |world| world.store.remove::<Secret>("shop-postgres");
            "deletes what is left of the database", Settled, |world| {
                assert!(is(world, Stalled, "DatabaseLost"), "{:?}", condition(world, Ready));
                assert!(!world.store.secrets.contains_key("shop-postgres"));
                assert_eq!(running(world, "web"), ["v1", "v1"]);
                world.store.remove::<StatefulSet>("shop-postgres");
                world.store.remove::<PersistentVolumeClaim>("shop-postgres");
                world.store.remove::<Secret>("shop-database");
            };
            "retries", Settled, |world| {
                assert!(is(world, Ready, "RecordLost"), "{:?}", condition(world, Ready));
                retry(world);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert!(restarted_by_secrets(world), "pods keep the passwords of the lost database");
        },
    }

    /// An empty volume is no volume that was lost.
    the_volume_is_lost {
        begin: two,
        acts: [
            "deletes the volume", Settled, |world| world.store.remove::<PersistentVolumeClaim>("shop-postgres");
            "deletes what is left of the database", Settled, |world| {
                assert!(is(world, Stalled, "DatabaseLost"), "{:?}", condition(world, Ready));
                assert!(!world.store.volumes.contains_key("shop-postgres"));
                world.store.remove::<StatefulSet>("shop-postgres");
                world.store.remove::<Secret>("shop-database");
            };
            "retries", Settled, |world| {
                assert!(is(world, Ready, "RecordLost"), "{:?}", condition(world, Ready));
                retry(world);
            };
        ],
        end: |world| {
            assert!(is(world, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert!(!restarted_by_secrets(world), "the passwords are the same");
        },
    }

    /// A retry that comes while nothing can be drafted waits until something can.
    a_retry_while_the_app_is_gone {
        begin: || { let mut world = two(); push(&mut world, "v2", Build { migrates: Migrates::Fails, ..Build::default() }, "k2"); world },
        acts: [
            "names version 2, whose migration fails", Settled, |world| release(world, "v2");
            "deletes the App, and retries", Once(|world| is(world, Migrated, "MigrationFailed")), |world| {
                world.store.remove::<towpath::api::App>("shop");
                push_well(world, "v2", "k2");
                retry(world);
            };
            "makes the App again", Settled, |world| { declare::<towpath::api::App>(world, app()); };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2", "v2"]),
    }
}

/// Whether changed values of Secrets restarted the pods.
fn restarted_by_secrets(world: &World) -> bool {
    let deployment = &world.store.deployments["shop-web-a"];
    deployment
        .annotations()
        .contains_key(labels::SECRETS_RESTARTED)
}

/// A world where version 1 serves.
fn served() -> World {
    let mut world = two();
    for _ in 0..10_000 {
        world.pass(SHOP);
        if is(&world, Ready, "Ready") {
            return world;
        }
        match world.possible().first().cloned() {
            Some(effect) => world.happen(&effect),
            None => world.wait(1),
        }
    }
    panic!("version 1 never served");
}

#[test]
fn roles_that_never_get_ready_are_not_made_without_end() {
    let mut world = served();
    let environment = world.environment(SHOP).unwrap();
    let mut seen = world.see(&environment);
    let Some(Answer::Found(found)) = &mut seen.database else {
        panic!("{:?}", seen.database);
    };
    found.roles_ready = false;
    let plan = plan::environment(&seen);
    let Action::Provide(_, wanted) = &plan.steps[0].action else {
        panic!("{:?}", plan.steps);
    };
    assert!(wanted.whole_server, "nobody else has a dedicated one");
    assert_eq!(plan.next, Some(seen.now + SignedDuration::from_secs(10)));
}

#[test]
fn nothing_has_happened_in_the_future() {
    let mut world = served();
    release(&mut world, "v2");
    world.pass(SHOP);
    let environment = world.environment(SHOP).unwrap();
    let seen = world.see(&environment);
    let mut target = seen.revisions[0].clone();
    target.facts.entered = Some(jiff::Timestamp::MAX);
    let deadline = plan::rollout::deadline(&seen, &target).unwrap();
    assert!(deadline <= seen.now + SignedDuration::from_secs(20));
}
