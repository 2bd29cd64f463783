//! The controller dies at the worst moments; what it was about to do is done, once.

use jiff::Timestamp;
use serde_json::json;
use towpath::api::{ConditionType, Reason};

use crate::harness::database::Database;
use crate::harness::{Controller, Wanted, alone, audit};

#[test]
fn killed_in_mid_migration_it_migrates_once() {
    alone("kill-migration", async |place| {
        let shop = place.make(&Wanted::example(place)).await;
        shop.until_ready().await;
        let database = Database::connect(place, "shop").await;
        database.hold_migrations().await;
        let moment = Timestamp::now();
        shop.release("v2").await;
        shop.until_migrating(2).await;
        Controller::new(place).kill().await;
        database.let_migrations_go().await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(2));
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            1,
            "one migration, one Job"
        );
        assert_eq!(
            database.record().await.len(),
            2,
            "each release is recorded once"
        );
        assert_eq!(shop.shown("version").await, "v2");
    });
}

#[test]
fn killed_in_mid_rollout_it_rolls_on_and_judges() {
    alone("kill-rollout", async |place| {
        let shop = place
            .make(&Wanted::example(place).release("v2").deadline(20))
            .await;
        shop.until_ready().await;
        let lives = shop.lives("web").await;
        shop.release("v3").await;
        shop.until(ConditionType::RolledOut, Reason::RollingOut)
            .await;
        Controller::new(place).kill().await;
        let message = shop.until(ConditionType::Ready, Reason::RolledBack).await;
        assert!(message.contains("Revision 1 serves again"), "{message}");
        assert_eq!(
            shop.lives("web").await,
            lives,
            "the pods that served still do"
        );
        assert_eq!(shop.shown("version").await, "v2");
    });
}

#[test]
fn a_restart_and_an_edit_of_what_is_live_restart_no_pod() {
    alone("restart", async |place| {
        let shop = place.make(&Wanted::light(place).replicas(2)).await;
        shop.until_ready().await;
        let lives = shop.lives("web").await;
        let controller = Controller::new(place);
        controller.stop().await;
        shop.edit(json!({"spec": {"components": [{"name": "web", "replicas": 3}]}}))
            .await;
        controller.start().await;
        shop.until_ready().await;
        let now = shop.lives("web").await;
        assert_eq!(now.len(), 3);
        assert!(
            lives.iter().all(|life| now.contains(life)),
            "{lives:?} became {now:?}"
        );
        assert_eq!(
            shop.revisions().await.len(),
            1,
            "replicas are no part of a revision"
        );
    });
}
