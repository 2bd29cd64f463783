//! Something newer is declared while the last thing is still on its way.

use kube::ResourceExt;
use serde_json::json;
use towpath::api::{ConditionType, Reason};

use crate::harness::database::Database;
use crate::harness::images::{self, Layer};
use crate::harness::place::part;
use crate::harness::{Load, SHORT, Shop, Wanted, audit, seconds, together};

#[test]
fn an_app_edited_during_a_migration_waits_for_it() {
    together("edit-migrating", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let database = Database::connect(place, "shop").await;
        database.hold_migrations().await;
        shop.release("v2").await;
        shop.until_migrating(2).await;
        shop.edit_app(json!({"spec": {"env": [{"name": "EDITED", "value": "yes"}]}}))
            .await;
        let message = shop
            .until(ConditionType::Ready, Reason::OtherMigrationRunning)
            .await;
        assert!(message.contains("'shop-migrate-2'"), "{message}");
        shop.until_migrating(2).await;
        database.let_migrations_go().await;

        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(3));
        let template = part(
            &shop.deployment("web").await,
            "/spec/template/spec/containers/0",
        )
        .to_string();
        assert!(
            template.contains("EDITED") && template.contains(&images::digest("v2")),
            "{template}"
        );
        assert_eq!(
            shop.replica_sets("web").await.len(),
            2,
            "what was overtaken had no pods"
        );
        assert_eq!(
            audit::made(&place.namespace, "jobs", place.began),
            2,
            "the key that was applied is not applied again"
        );
    });
}

#[test]
fn an_app_edited_during_a_rollout_takes_over() {
    together("edit-rolling", async |place| {
        let host = place.host();
        let shop = place
            .make(&Wanted::light(place).hosts(&[&host]).replicas(2))
            .await;
        shop.until_ready().await;
        let load = Load::on_health(&host, 20);
        shop.set_variable("SHOP_VERSION", "second").await;
        until_pods_of_two_templates(&shop).await;
        let mut app = Wanted::light(place).app["spec"]["env"].clone();
        app.as_array_mut()
            .expect("variables")
            .push(json!({"name": "EDITED", "value": "yes"}));
        shop.edit_app(json!({"spec": {"env": app}})).await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(3));
        load.stop().assert_none_failed();
        for pod in shop.pods("web").await {
            let env = part(&pod, "/spec/containers/0/env").to_string();
            assert!(env.contains("EDITED") && env.contains("second"), "{env}");
        }
    });
}

#[test]
fn a_newer_release_takes_over_while_the_last_one_is_resolved() {
    together("resolving", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        shop.until_ready().await;
        shop.release("never-built").await;
        shop.until(ConditionType::Ready, Reason::WaitingForImage)
            .await;
        shop.release("v2").await;
        shop.until_ready().await;
        assert_eq!(
            shop.revisions().await.len(),
            2,
            "what was never resolved is no revision"
        );
    });
}

#[test]
fn a_newer_release_waits_while_the_last_one_migrates() {
    together("migrating", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let label = [
            "--label",
            "dev.towpath.migrations=another",
            "--env",
            "SHOP_VERSION=newer",
        ];
        let newer = images::variant("v2", "test-newer", &label);
        let database = Database::connect(place, "shop").await;
        database.hold_migrations().await;
        shop.release("v2").await;
        let job = shop.until_migrating(2).await;
        shop.release(&newer).await;
        shop.until(ConditionType::Ready, Reason::OtherMigrationRunning)
            .await;
        place
            .never(
                "a running migration is not cancelled",
                seconds(5),
                async || {
                    let now = shop.job(2).await;
                    if now.uid() == job.uid() && now.metadata.deletion_timestamp.is_none() {
                        Ok(())
                    } else {
                        Err(format!("{now:?}"))
                    }
                },
            )
            .await;
        database.let_migrations_go().await;

        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(3));
        let record = database.record().await;
        let revisions: Vec<i64> = record.iter().map(|(_, revision)| *revision).collect();
        assert_eq!(revisions, [1, 2, 3], "{record:?}");
        assert_eq!(record[2].0, "another");
        assert_eq!(
            shop.replica_sets("web").await.len(),
            2,
            "what was overtaken had no pods"
        );
    });
}

#[test]
fn a_newer_release_takes_over_while_the_last_one_rolls_out() {
    together("rolling", async |place| {
        let host = place.host();
        let shop = place
            .make(&Wanted::light(place).hosts(&[&host]).replicas(2))
            .await;
        shop.until_ready().await;
        let load = Load::on_health(&host, 20);
        // It never gets healthy, and its deadline is far.
        shop.release("v3").await;
        until_pods_of_two_templates(&shop).await;
        shop.release("v2").await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(3));
        let summary = load.stop();
        summary.assert_none_failed();
        assert!(!summary.answers.contains_key("v3"), "{:?}", summary.answers);
    });
}

async fn until_pods_of_two_templates(shop: &Shop<'_>) {
    shop.place
        .until("pods of two templates run", async || {
            let pods = shop.pods("web").await;
            let mut templates: Vec<_> = pods
                .iter()
                .filter_map(|pod| pod.labels().get("pod-template-hash"))
                .collect();
            templates.sort();
            templates.dedup();
            if templates.len() == 2 {
                Ok(())
            } else {
                Err(format!("pods of {templates:?}"))
            }
        })
        .await;
}

#[test]
fn a_newer_release_takes_over_after_the_last_one_failed() {
    together("failed", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        shop.release("v4").await;
        shop.until(ConditionType::Ready, Reason::MigrationFailed)
            .await;
        shop.release("v2").await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(3));

        shop.release_within("v3", SHORT).await;
        shop.until(ConditionType::Ready, Reason::RolledBack).await;
        // What failed is not tried again because of something that is no part of it.
        shop.edit(json!({"spec": {"components": [{"name": "web", "replicas": 2}]}}))
            .await;
        shop.until(ConditionType::Ready, Reason::RolledBack).await;
        place
            .never("it is not tried again", seconds(10), async || {
                match shop.revisions().await.len() {
                    4 => Ok(()),
                    revisions => Err(format!("there are {revisions} revisions")),
                }
            })
            .await;
        shop.release_within("v2", 300).await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(5));
    });
}

#[test]
fn a_migration_that_never_started_makes_way() {
    together("not-started", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let folder = tempfile::tempdir().expect("a folder");
        let layer = Layer::push("v2", &place.namespace, folder.path());
        layer.forget().await;
        shop.release(&layer.release).await;
        shop.until_says(ConditionType::Ready, Reason::MigrationRunning, "ImagePull")
            .await;
        shop.release("v2").await;
        shop.until_ready().await;
        place
            .until("only the last migration is left", async || {
                let left: Vec<String> = shop
                    .jobs()
                    .await
                    .iter()
                    .map(ResourceExt::name_any)
                    .collect();
                if left == ["shop-migrate-3"] {
                    Ok(())
                } else {
                    Err(format!("there are {left:?}"))
                }
            })
            .await;
        let record = Database::connect(place, "shop").await.record().await;
        let revisions: Vec<i64> = record.iter().map(|(_, revision)| *revision).collect();
        assert_eq!(revisions, [1, 3], "{record:?}");
    });
}
