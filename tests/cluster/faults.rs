//! Things break: a node cannot pull, a database restarts, an app crashes, somebody wipes the status.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use towpath::api::{ConditionType, Environment, Reason};

use crate::harness::database::Database;
use crate::harness::images::{self, Layer};
use crate::harness::place::part;
use crate::harness::{Load, SHORT, Shop, Wanted, audit, controller, seconds, together};

#[test]
fn a_node_that_cannot_pull_an_image_stops_the_new_release_only() {
    together("pull", async |place| {
        let host = place.host();
        let shop = place.make(&Wanted::light(place).hosts(&[&host])).await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        let load = Load::on_health(&host, 20);
        let folder = tempfile::tempdir().expect("a folder");
        let layer = Layer::push("v2", &place.namespace, folder.path());
        layer.forget().await;

        // Long enough for the node to try.
        shop.release_within(&layer.release, 45).await;
        let message = shop.until(ConditionType::Ready, Reason::RolledBack).await;
        assert!(
            message.contains("made no progress for 45 seconds"),
            "{message}"
        );
        assert!(message.contains("ImagePull"), "{message}");
        shop.until_lives("web", &before).await;

        // With patience it is told while it lasts, and goes on by itself once the image is there.
        shop.edit(json!({"spec": {"strategy": {"progressDeadlineSeconds": 300}}}))
            .await;
        shop.retry().await;
        shop.until_says(ConditionType::Ready, Reason::RollingOut, "ImagePull")
            .await;
        layer.restore().await;
        shop.until_ready().await;
        load.stop().assert_none_failed();
        shop.until_answers("v2").await;
    });
}

#[test]
fn a_release_that_crashes_is_given_up_at_its_second_restart() {
    together("crash", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        let release = images::variant("v1", "test-crash", &["--cmd", "nonsense"]);
        shop.release(&release).await;
        let message = shop.until(ConditionType::Ready, Reason::RolledBack).await;
        // Its last words, without a look at its log.
        assert!(
            message.contains("restarted 2 times")
                && message.contains("use: shop web | worker | migrate"),
            "{message}"
        );
        shop.until_lives("web", &before).await;
    });
}

#[test]
fn a_first_release_that_fails_has_no_way_back_and_leaves_its_pods() {
    together("first", async |place| {
        let shop = place
            .make(&Wanted::light(place).release("v3").deadline(SHORT))
            .await;
        let message = shop
            .until(ConditionType::Ready, Reason::DeadlineExceeded)
            .await;
        assert!(
            message.contains("There is no earlier revision to return to"),
            "{message}"
        );
        shop.until_status(ConditionType::Stalled, "True").await;
        place
            .never(
                "its pod is left for inspection",
                seconds(10),
                async || match shop.pods("web").await.len() {
                    1 => Ok(()),
                    pods => Err(format!("there are {pods}")),
                },
            )
            .await;
        shop.release_within("v1", 300).await;
        shop.until_ready().await;
    });
}

#[test]
fn a_database_that_dies_in_mid_migration_fails_it_and_a_retry_succeeds() {
    together("postgres-dies", async |place| {
        let host = place.host();
        let shop = place
            .make(&Wanted::with_database(place).hosts(&[&host]))
            .await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        let database = Database::connect(place, "shop").await;
        // The migration's statement waits for this reader, in the middle of its transaction.
        database
            .execute("BEGIN; LOCK TABLE products IN ACCESS SHARE MODE")
            .await;
        shop.release("v2").await;
        let watcher = Database::connect(place, "shop").await;
        place
            .until("the migration alters its table", async || {
                let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ALTER TABLE%'";
                if watcher.count(waiting).await > 0 { Ok(()) } else { Err("it does not".to_owned()) }
            })
            .await;
        let pod: Pod = place.get("shop-postgres-0").await;
        controller::kill_processes(&pod.uid().expect("a uid"), "postgres");

        let message = shop
            .until(ConditionType::Ready, Reason::MigrationFailed)
            .await;
        assert!(
            message.contains("shop:"),
            "the migration's last words: {message}"
        );
        shop.until_shown("version", "v1").await;
        shop.until_shown("schema", "0002_orders.sql").await;
        assert_eq!(
            shop.lives("web").await,
            before,
            "the app is not restarted with its database"
        );

        shop.retry().await;
        shop.until_ready().await;
        shop.until_shown("version", "v2").await;
        shop.until_shown("schema", "0003_sale.sql").await;
        let database = Database::connect(place, "shop").await;
        let record = database.record().await;
        let revisions: Vec<i64> = record.iter().map(|(_, revision)| *revision).collect();
        assert_eq!(
            revisions,
            [1, 3],
            "only what succeeded is applied: {record:?}"
        );
    });
}

#[test]
fn a_wiped_status_changes_no_decision() {
    together("wiped", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let moment = Timestamp::now();

        // While everything runs.
        wipe_changes_nothing(&shop).await;

        // While a migration runs.
        let database = Database::connect(place, "shop").await;
        database.hold_migrations().await;
        shop.release("v2").await;
        shop.until_migrating(2).await;
        shop.until(ConditionType::Ready, Reason::MigrationRunning)
            .await;
        wipe_changes_nothing(&shop).await;
        database.let_migrations_go().await;
        shop.until_ready().await;

        // After a rollback: what failed is not tried again.
        shop.release_within("v3", SHORT).await;
        shop.until(ConditionType::Ready, Reason::RolledBack).await;
        until_settled(&shop).await;
        wipe_changes_nothing(&shop).await;

        // After a migration that failed.
        shop.release("v4").await;
        shop.until(ConditionType::Ready, Reason::MigrationFailed)
            .await;
        wipe_changes_nothing(&shop).await;

        assert_eq!(
            audit::made(&place.namespace, "controllerrevisions", moment),
            3,
            "one for each release"
        );
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            2,
            "one for each new migration key"
        );
    });
}

/// Pods of what was given up are gone.
async fn until_settled(shop: &Shop<'_>) {
    shop.place
        .until("one pod is left", async || {
            match shop.pods("web").await.len() {
                1 => Ok(()),
                pods => Err(format!("there are {pods}")),
            }
        })
        .await;
}

/// Wipes the status, waits until it is written anew, and compares. Only conditions of a stage that the release has not reached
/// may differ: there the old status still speaks of the release before, and the new one says what it waits for.
async fn wipe_changes_nothing(shop: &Shop<'_>) {
    // What was just told may be followed by more.
    audit::until_rest(shop.place).await;
    let before = (
        as_decided(&shop.see().await),
        shop.lives("web").await,
        shop.revisions().await.len(),
    );
    let api = shop.place.api::<Environment>();
    let nothing = Patch::Merge(json!({"status": null}));
    let wiped = api
        .patch_status(&shop.name, &PatchParams::default(), &nothing)
        .await;
    wiped.expect("the status can be wiped");
    shop.place
        .until("the status says the same as before", async || {
            let now = as_decided(&shop.see().await);
            if now == before.0 {
                Ok(())
            } else {
                Err(format!("it says {now:#}\ninstead of {:#}", before.0))
            }
        })
        .await;
    // What it would decide otherwise it would do now.
    shop.place
        .never("nothing else changes", seconds(5), async || {
            let now = (shop.lives("web").await, shop.revisions().await.len());
            if now == (before.1.clone(), before.2) {
                Ok(())
            } else {
                Err(format!("{now:?} instead of {before:?}"))
            }
        })
        .await;
}

/// The status, without times, and of its conditions those that speak of the present generation.
fn as_decided(environment: &Environment) -> Value {
    let mut status = part(environment, "/status");
    let generation = environment.metadata.generation;
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|condition| {
            condition["observedGeneration"] == json!(generation)
                && condition["reason"] != json!(Reason::Pending.as_str())
        });
        for condition in conditions {
            let condition = condition.as_object_mut().expect("a condition");
            condition.remove("lastTransitionTime");
        }
    }
    status
}
