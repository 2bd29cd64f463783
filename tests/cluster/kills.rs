//! The controller is killed in the middle of its work, and the next one goes on.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::harness::database::Database;
use crate::harness::{Controller, Load, Shop, Wanted, alone, audit, seconds};

#[test]
fn killed_in_mid_migration_it_neither_repeats_nor_skips_it() {
    alone("kill-migration", async |place| {
        let controller = Controller::new(place);
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let database = Database::connect(place, "shop").await;
        database.hold_migrations().await;
        let moment = Timestamp::now();
        shop.release("v2").await;
        let job = shop.until_migrating(2).await;
        let pod = place.pod_of("shop-migrate-2").await.expect("its pod");

        // Once while it runs, with the outcome open.
        let killed = Timestamp::now();
        controller.kill().await;
        controller.until_leads_since(killed).await;
        place
            .never(
                "nothing of the release starts",
                seconds(5),
                async || match shop.replica_sets("web").await.len() {
                    1 => Ok(()),
                    sets => Err(format!("there are {sets} ReplicaSets")),
                },
            )
            .await;
        // And once while it ends: the success is told to nobody.
        controller.kill().await;
        let killed = Timestamp::now();
        database.let_migrations_go().await;
        controller.until_leads_since(killed).await;

        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(2));
        let after = shop.job(2).await;
        assert_eq!(after.uid(), job.uid(), "it is the same Job");
        let now = place.pod_of("shop-migrate-2").await.expect("its pod");
        assert_eq!(now.uid(), pod.uid(), "it ran in the same pod");
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            1,
            "one Job was made"
        );
        assert_eq!(
            audit::made(&place.namespace, "controllerrevisions", moment),
            1,
            "one revision was made"
        );
        let record = database.record().await;
        let revisions: Vec<i64> = record.iter().map(|(_, revision)| *revision).collect();
        assert_eq!(
            revisions,
            [1, 2],
            "each migration is recorded once: {record:?}"
        );
    });
}

#[test]
fn killed_in_mid_rollout_it_goes_on_and_no_request_fails() {
    alone("kill-rollout", async |place| {
        let controller = Controller::new(place);
        let shop = place.make(&Wanted::example(place).release("v2")).await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        let moment = Timestamp::now();
        let load = Load::start(&place.host(), 50);
        shop.set_variable("SHOP_VERSION", "next").await;
        until_half(&shop, &before).await;

        let killed = Timestamp::now();
        controller.kill().await;
        controller.until_leads_since(killed).await;
        shop.until_ready().await;
        let summary = load.stop();
        summary.assert_none_failed();
        assert!(
            summary.answers.contains_key("next"),
            "{:?}",
            summary.answers
        );

        let now = shop.lives("web").await;
        assert_eq!(now.len(), before.len());
        assert!(
            now.iter().all(|pod| !before.contains(pod)),
            "every pod was replaced: {now:?}"
        );
        assert_eq!(
            shop.replica_sets("web").await.len(),
            2,
            "one template before, one after"
        );
        assert_eq!(
            audit::made(&place.namespace, "controllerrevisions", moment),
            1,
            "one revision was made"
        );
    });
}

/// Waits until pods of both templates are there.
async fn until_half(shop: &Shop<'_>, before: &[(String, i32)]) {
    shop.place
        .until("the rollout is half done", async || {
            let now = shop.lives("web").await;
            let (old, new): (Vec<_>, Vec<_>) = now.iter().partition(|pod| before.contains(pod));
            if !old.is_empty() && !new.is_empty() {
                Ok(())
            } else {
                Err(format!("old {old:?}, new {new:?}"))
            }
        })
        .await;
}
