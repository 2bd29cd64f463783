//! The story of the example app: four releases, of which two are turned back, and not one failed request.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use towpath::api::{ConditionType, Reason};

use crate::harness::place::part;
use crate::harness::{Load, Place, SHORT, Shop, Wanted, images, together};

#[test]
fn four_releases_reach_an_environment_and_two_are_turned_back() {
    together("story", async |place| {
        let shop = place.make(&Wanted::example(place)).await;
        first_release(&shop).await;
        let load = Load::start(&place.host(), 50);
        release_with_a_migration(&shop).await;
        release_that_never_gets_healthy(&shop).await;
        release_whose_migration_fails(&shop).await;
        let summary = load.stop();
        summary.assert_none_failed();
        let answered: Vec<&str> = summary.answers.keys().map(String::as_str).collect();
        assert_eq!(
            answered,
            ["v1", "v2"],
            "only these releases may answer: {:?}",
            summary.answers
        );
    });
}

async fn first_release(shop: &Shop<'_>) {
    shop.until_ready().await;
    shop.until_shown("version", "v1").await;
    shop.until_shown("schema", "0002_orders.sql").await;
    shop.order().await;
    shop.until_shown("packed", "1").await;
    assert_migrated_first(shop, 1).await;
}

async fn release_with_a_migration(shop: &Shop<'_>) {
    shop.release("v2").await;
    shop.until_ready().await;
    shop.until_shown("version", "v2").await;
    shop.until_shown("schema", "0003_sale.sql").await;
    assert_migrated_first(shop, 2).await;
    assert_eq!(shop.serving().await, Some(2));
}

async fn release_that_never_gets_healthy(shop: &Shop<'_>) {
    let before = shop.lives("web").await;
    shop.release_within("v3", SHORT).await;
    let message = shop.until(ConditionType::Ready, Reason::RolledBack).await;
    assert!(
        message.contains("Revision 3") && message.contains("Revision 2 serves again"),
        "{message}"
    );
    shop.until_shown("version", "v2").await;
    assert_eq!(shop.serving().await, Some(2));
    shop.until_lives("web", &before).await;
}

async fn release_whose_migration_fails(shop: &Shop<'_>) {
    let before = shop.lives("web").await;
    shop.release("v4").await;
    let message = shop
        .until(ConditionType::Ready, Reason::MigrationFailed)
        .await;
    // The database's own words, from the end of the migration's log.
    assert!(
        message.contains("ERROR:") && message.contains("stock_number"),
        "{message}"
    );
    shop.until_shown("version", "v2").await;
    // A migration that failed leaves nothing behind.
    shop.until_shown("schema", "0003_sale.sql").await;
    assert_eq!(
        shop.lives("web").await,
        before,
        "the pods that served still do"
    );
    let digest = images::digest("v4");
    for component in ["web", "worker"] {
        for set in shop.replica_sets(component).await {
            let image = part(&set, "/spec/template/spec/containers/0/image").to_string();
            assert!(
                !image.contains(&digest),
                "{} runs a release whose migration failed",
                set.name_any()
            );
        }
    }
}

/// No pod of a revision was made before its migration had succeeded.
async fn assert_migrated_first(shop: &Shop<'_>, revision: i64) {
    let place: &Place = shop.place;
    let job: Job = place
        .get(&format!("{}-migrate-{revision}", shop.name))
        .await;
    let ended = job
        .status
        .and_then(|status| status.completion_time)
        .expect("a migration that succeeded")
        .0;
    for component in ["web", "worker"] {
        for pod in shop.pods(component).await {
            let made = pod.metadata.creation_timestamp.as_ref().expect("a time").0;
            assert!(
                made >= ended,
                "{} was made at {made}, the migration ended at {ended}",
                pod.name_any()
            );
        }
    }
}
