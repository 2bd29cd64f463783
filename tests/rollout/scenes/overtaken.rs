//! Releases that are overtaken by another one.

use towpath::api::ConditionType::*;
use towpath::api::shared::EnvVar;
use towpath::simulate::{Build, Migrates, Runs, World};

use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

fn three(build: Build) -> World {
    let mut world = shop();
    push_well(&mut world, "v1", "k1");
    push(&mut world, "v2", build, "k2");
    push_well(&mut world, "v3", "k3");
    world
}

fn slow() -> World {
    three(Build {
        migrates: Migrates::Within(8),
        ..Build::default()
    })
}

fn migrates(world: &World, number: i64) -> bool {
    let name = format!("shop-migrate-{number}");
    world.store.pods.values().any(|pod| {
        pod.metadata
            .name
            .as_ref()
            .is_some_and(|pod| pod.starts_with(&name))
            && pod
                .status
                .as_ref()
                .is_some_and(|status| status.phase.as_deref() == Some("Running"))
    })
}

fn rolls(world: &World) -> bool {
    is(world, RolledOut, "RollingOut")
        && revision(world, 2).is_some_and(|revision| revision.holds_slots())
}

scenes! {
    overtaken_while_it_resolves {
        begin: || { let mut world = shop(); push_well(&mut world, "v1", "k1"); push_well(&mut world, "v3", "k3"); world },
        acts: [
            "names version 2, which is not built yet", Settled, |world| release(world, "v2");
            "names version 3", Once(|world| is(world, Resolved, "WaitingForImage")), |world| release(world, "v3");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v3", "v3"]);
            assert_eq!(revisions(world).len(), 2, "what was never resolved is no revision");
        },
    }

    overtaken_while_it_migrates {
        begin: slow,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "names version 3", Once(|world| migrates(world, 2)), |world| release(world, "v3");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v3", "v3"]);
            let record: Vec<_> = world.databases.all().flat_map(|it| &it.record).map(|it| it.key.as_str()).collect();
            assert_eq!(record, ["k1", "k2", "k3"]);
        },
    }

    /// What has been applied meanwhile is not applied again.
    overtaken_while_it_migrates_by_the_same_migrations {
        begin: || { let mut world = slow(); push_well(&mut world, "fix", "k2"); world },
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "names a fix with the same migrations", Once(|world| migrates(world, 2)), |world| release(world, "fix");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["fix", "fix"]);
            let record: Vec<_> = world.databases.all().flat_map(|it| &it.record).map(|it| it.key.as_str()).collect();
            assert_eq!(record, ["k1", "k2"]);
        },
    }

    /// A migration that is about to start is not killed either.
    overtaken_as_its_migration_begins {
        begin: slow,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "names version 3", Once(|world| world.store.jobs.contains_key("shop-migrate-2")), |world| release(world, "v3");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v3", "v3"]);
            let record: Vec<_> = world.databases.all().flat_map(|it| &it.record).map(|it| it.key.as_str()).collect();
            assert_eq!(record, ["k1", "k2", "k3"]);
        },
    }

    /// What serves has nothing to migrate; it waits all the same.
    called_back_while_it_migrates {
        begin: slow,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "names version 1 again", Once(|world| migrates(world, 2)), |world| release(world, "v1");
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v1", "v1"]);
            assert!(is(world, Ready, "Ready"));
        },
    }

    overtaken_while_it_rolls_out {
        begin: || three(Build { runs: Runs::NeverReady, ..Build::default() }),
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
            "names version 3", Once(rolls), |world| release(world, "v3");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }

    overtaken_after_it_failed {
        begin: || three(Build { runs: Runs::Crashes, ..Build::default() }),
        acts: [
            "names version 2, which crashes", Settled, |world| release(world, "v2");
            "names version 3", Once(|world| is(world, RolledOut, "RolledBack")), |world| release(world, "v3");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }

    an_app_is_edited_on_the_way {
        begin: slow,
        acts: [
            "names version 2", Settled, |world| release(world, "v2");
            "edits the App", Once(rolls), |world| edit_app(world, |spec| spec.env.push(EnvVar {
                name: "LOG_LEVEL".to_owned(), value: Some("debug".to_owned()), secret_ref: None, config_map_ref: None,
            }));
        ],
        end: |world| {
            assert_eq!(running(world, "web"), ["v2", "v2"]);
            assert_eq!(revisions(world).len(), 3);
            assert!(is(world, Ready, "Ready"));
        },
    }

    /// The first release is not verified yet; the second takes over.
    the_first_release_is_overtaken {
        begin: || three(Build::default()),
        acts: [
            "names version 2", Once(|world| is(world, RolledOut, "RollingOut")), |world| release(world, "v2");
        ],
        end: |world| assert_eq!(running(world, "web"), ["v2", "v2"]),
    }
}
