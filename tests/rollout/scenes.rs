//! The scenes.

use towpath::api::ConditionType;
use towpath::simulate::{Build, Migrates, Runs};

use crate::play::When::{Once, Settled};
use crate::play::{Act, Scene};
use crate::shop::*;

use ConditionType::*;

/// Plays a scene in the default order against its golden, and in random orders.
fn check(scene: &Scene) {
    let told = scene.tell();
    let path = format!(
        "{}/tests/goldens/stories/{}.txt",
        env!("CARGO_MANIFEST_DIR"),
        scene.name
    );
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(golden, told, "{}: UPDATE_GOLDENS=1 rewrites it", scene.name);
    let seeds = std::env::var("TOWPATH_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(20);
    for seed in 1..=seeds {
        scene.play(seed);
    }
}

macro_rules! scenes {
    ($($(#[doc = $doc:literal])* $name:ident { begin: $begin:expr, acts: [$($what:literal, $when:expr, $does:expr;)*], end: $end:expr $(,)? })+) => {
        $($(#[doc = $doc])* #[test]
        fn $name() {
            check(&Scene {
                name: stringify!($name),
                begin: $begin,
                acts: &[$(Act { what: $what, when: $when, does: $does },)*],
                end: $end,
            });
        })+
    };
}

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

    a_failed_migration_and_its_fix {
        begin: || {
            let mut world = shop();
            push_well(&mut world, "v1", "k1");
            push(&mut world, "v2", Build { migrates: Migrates::Fails, ..Build::default() }, "k2");
            push_well(&mut world, "v3", "k3");
            world
        },
        acts: [
            "names version 2, whose migration fails", Settled, |world| release(world, "v2");
            "names version 3, which is fixed", Settled, |world| {
                assert!(is(world, Ready, "MigrationFailed") && running(world, "web") == ["v1", "v1"]);
                release(world, "v3");
            };
        ],
        end: |world| assert_eq!(running(world, "web"), ["v3", "v3"]),
    }

    a_rollout_that_never_gets_ready {
        begin: || {
            let mut world = shop();
            push_well(&mut world, "v1", "k1");
            push(&mut world, "v2", Build { runs: Runs::NeverReady, ..Build::default() }, "k2");
            world
        },
        acts: [
            "names version 2, which never becomes ready", Settled, |world| release(world, "v2");
        ],
        end: |world| {
            assert!(is(world, Ready, "RolledBack") && is(world, Stalled, "RolledBack"));
            assert_eq!(running(world, "web"), ["v1", "v1"]);
        },
    }
}

#[allow(dead_code)]
const LATER: fn() = || {
    let _ = Once(exists);
};
use crate::play::exists;
