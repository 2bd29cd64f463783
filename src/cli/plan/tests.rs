//! What is printed, by case: a cluster where files were released before, and files that are planned.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::forecast::{self, Assumptions};
use super::render;
use crate::cli::declared::{self, Declared};
use crate::cli::terminal::Look;
use crate::simulate::store::{Shelf, Stored};
use crate::simulate::{Build, Runs, World};

const NAMESPACE: &str = "shop-staging";
const LOOK: Look = Look {
    colour: false,
    unicode: true,
};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/plan-command")
}

fn read(case: &str) -> Declared {
    let path = goldens().join(format!("{case}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap();
    declared::read(&[(case.to_owned(), text)], NAMESPACE).unwrap()
}

fn empty() -> World {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    World::new(NAMESPACE, now)
}

/// A cluster where these files were applied one after the other, and each was waited for.
fn cluster(before: &[(&str, Build)]) -> World {
    let mut world = empty();
    let label = |image: &str| image.rsplit(':').next().map(str::to_owned);
    for (case, build) in before {
        read(case).apply(&mut world);
        let environment = world.environment("shop").unwrap();
        world.assume_images(&environment, *build, label);
        // Longer than the deadline, where a release is to miss it.
        let quiet = if build.runs == Runs::Well { 40 } else { 310 };
        assert!(world.settle(quiet, &mut |_, _| {}), "{case} comes to rest");
    }
    world
}

/// A world that goes on from another one, as if that were a real cluster: pods are made by ReplicaSets there.
fn resumed(cluster: &World) -> World {
    fn load<K: Stored>(from: &Shelf<K>, world: &mut World, edit: impl Fn(&mut K)) {
        for object in from.values() {
            let mut object = K::clone(object);
            edit(&mut object);
            world.store.load(object);
        }
    }
    fn as_is<K: Stored>(_: &mut K) {}
    let mut world = empty();
    let store = &cluster.store;
    world.store.now = store.now;
    load(&store.apps, &mut world, as_is);
    load(&store.environments, &mut world, as_is);
    load(&store.previews, &mut world, as_is);
    load(&store.network_policies, &mut world, as_is);
    load(&store.config_maps, &mut world, as_is);
    load(&store.secrets, &mut world, as_is);
    load(&store.volumes, &mut world, as_is);
    load(&store.revisions, &mut world, as_is);
    load(&store.deployments, &mut world, as_is);
    load(&store.stateful_sets, &mut world, as_is);
    load(&store.jobs, &mut world, as_is);
    load(&store.services, &mut world, as_is);
    load(&store.endpoint_slices, &mut world, as_is);
    load(&store.leases, &mut world, as_is);
    load(&store.budgets, &mut world, as_is);
    load(&store.http_routes, &mut world, as_is);
    load(&store.pods, &mut world, |pod: &mut Pod| {
        let owner = pod.owner_references_mut().first_mut();
        if let Some(owner) = owner.filter(|owner| owner.kind == "Deployment") {
            owner.kind = "ReplicaSet".to_owned();
            owner.uid = format!("set-of-{}", owner.uid);
        }
        pod.labels_mut()
            .insert("pod-template-hash".to_owned(), "5d4f8".to_owned());
    });
    world.resume();
    world
}

fn planned(mut world: World, case: &str, assumptions: &Assumptions) -> String {
    let forecasts = forecast::all(&mut world, &read(case), assumptions);
    let texts: Vec<String> = forecasts
        .iter()
        .map(|one| {
            format!(
                "{}ready: {}\n",
                render::render(one, LOOK),
                render::is_ready(one)
            )
        })
        .collect();
    texts.join("\n")
}

#[track_caller]
fn check(golden: &str, text: &str) {
    let path = goldens().join(format!("{golden}.txt"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(expected, text, "{golden}");
}

/// Plans a case against the cluster where these files were released before.
#[track_caller]
fn check_after(before: &[&str], case: &str) {
    let before: Vec<_> = before
        .iter()
        .map(|case| (*case, Build::default()))
        .collect();
    let world = resumed(&cluster(&before));
    check(case, &planned(world, case, &Assumptions::default()));
}

fn offline() -> Assumptions {
    Assumptions {
        offline: true,
        ..Assumptions::default()
    }
}

#[test]
fn what_is_new_is_planned_without_a_cluster() {
    check("new-offline", &planned(empty(), "new-offline", &offline()));
    check(
        "a-database-elsewhere-offline",
        &planned(empty(), "a-database-elsewhere-offline", &offline()),
    );
    check(
        "a-volume-at-first",
        &planned(empty(), "a-volume-at-first", &offline()),
    );
}

#[test]
fn an_update_says_what_is_migrated_and_which_pods_are_replaced() {
    check_after(&["shop"], "an-update-with-a-migration");
    check_after(&["shop"], "an-update-without-a-migration");
    check_after(&["shop"], "components-come-and-go");
    check_after(&["shop"], "replicas");
    check_after(&["shop"], "replicas-and-an-update");
}

#[test]
fn a_pull_request_is_planned_as_its_environment() {
    let text = planned(empty(), "a-pull-request", &offline());
    check("a-pull-request-offline", &text);
    check_after(&["a-pull-request"], "a-pull-request");
}

#[test]
fn nothing_changes_where_everything_is_as_it_is_declared() {
    check_after(&["shop"], "nothing-changes");
    let text = std::fs::read_to_string(goldens().join("nothing-changes.txt")).unwrap();
    for case in [
        "a-volume-at-first",
        "a-config-map",
        "a-secret-comes-with-it",
    ] {
        let world = resumed(&cluster(&[(case, Build::default())]));
        assert_eq!(
            planned(world, case, &Assumptions::default()),
            text,
            "{case}"
        );
    }
}

#[test]
fn a_volume_that_one_pod_has_says_for_how_long_requests_stop() {
    check_after(&["a-volume-at-first"], "a-volume");
}

#[test]
fn a_closed_gate_says_what_must_change() {
    check_after(&["shop"], "a-secret-is-missing");
    check_after(&["shop"], "suspended");
    check(
        "the-app-is-missing",
        &planned(empty(), "the-app-is-missing", &Assumptions::default()),
    );
}

#[test]
fn a_release_that_was_given_up_is_held() {
    let fails = Build {
        runs: Runs::NeverReady,
        ..Build::default()
    };
    let world = cluster(&[
        ("shop", Build::default()),
        ("an-update-with-a-migration", fails),
    ]);
    let case = "an-update-with-a-migration";
    check(
        "a-release-is-held",
        &planned(resumed(&world), case, &Assumptions::default()),
    );
    check(
        "back-to-what-serves",
        &planned(resumed(&world), "shop", &Assumptions::default()),
    );
}

#[test]
fn a_config_map_makes_a_revision_and_a_secret_restarts() {
    check_after(&["a-config-map"], "a-config-map-changes");
    check_after(&["a-secret-comes-with-it"], "a-secret-is-rotated");
}

#[test]
fn no_value_of_a_secret_is_ever_printed() {
    for entry in std::fs::read_dir(goldens()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("hidden"), "{}", path.display());
        }
    }
}

#[test]
fn who_may_not_read_secrets_plans_the_same() {
    let whole = cluster(&[("shop", Build::default())]);
    let text = planned(
        resumed(&whole),
        "an-update-with-a-migration",
        &Assumptions::default(),
    );
    let mut world = cluster(&[("shop", Build::default())]);
    world.store.secrets.clear();
    let environment: Arc<_> = world.environment("shop").unwrap();
    world.assume_database_secrets(&environment);
    assert_eq!(
        planned(
            resumed(&world),
            "an-update-with-a-migration",
            &Assumptions::default()
        ),
        text
    );
}
