//! At rest nothing is asked and nothing is written; a restart writes nothing but the Lease.

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Controller, Place, Shop, Wanted, alone, audit, seconds};

const ENVIRONMENTS: usize = 10;

#[test]
fn ten_environments_rest_and_a_restart_writes_nothing() {
    alone("at-rest", async |place| {
        let wanted = Wanted::light(place);
        place.apply(&wanted.app).await;
        let mut shops = Vec::new();
        for number in 0..ENVIRONMENTS {
            let name = format!("shop-{number}");
            place.apply(&wanted.clone().named(&name).environment).await;
            shops.push(Shop::new(place, &name));
        }
        for shop in &shops {
            shop.until_ready().await;
        }
        // What follows a release may end first: old revisions go, the last status is told.
        tokio::time::sleep(seconds(15)).await;
        let moment = Timestamp::now();
        tokio::time::sleep(seconds(60)).await;
        assert_rests(moment, false);

        let controller = Controller::new(place);
        let moment = Timestamp::now();
        controller.kill().await;
        controller.until_leads_since(moment).await;
        tokio::time::sleep(seconds(10)).await;
        assert_rests(moment, true);
    });
}

#[test]
fn a_status_that_was_wiped_changes_no_decision() {
    alone("wiped", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        shop.until_ready().await;
        let (lives, revisions) = (shop.lives("web").await, shop.revisions().await.len());
        let moment = Timestamp::now();
        wipe(place).await;
        shop.until_ready().await;
        assert_eq!(shop.lives("web").await, lives, "no pod is restarted");
        assert_eq!(
            shop.revisions().await.len(),
            revisions,
            "nothing is decided anew"
        );
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            0,
            "nothing is migrated again"
        );
        assert_eq!(shop.serving().await, Some(1));
    });
}

async fn wipe(place: &Place) {
    let api: kube::Api<towpath::api::Environment> = place.api();
    let patch = kube::api::Patch::Merge(json!({"status": null}));
    api.patch_status("shop", &kube::api::PatchParams::default(), &patch)
        .await
        .expect("the status is wiped");
}

/// Nothing but watches and the Lease, and after a restart what a start reads.
fn assert_rests(since: Timestamp, restarted: bool) {
    let requests = audit::since(since, &audit::controller_user());
    let odd: Vec<_> = requests
        .iter()
        .filter(|request| !request.is_lease() && request.verb != "watch")
        .filter(|request| !restarted || request.is_write())
        .collect();
    assert!(odd.is_empty(), "not at rest:\n{}", audit::lines(odd));
}
