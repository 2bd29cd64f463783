//! What has settled is left alone: no request to the apiserver but watches and the Lease.

use jiff::Timestamp;
use towpath::api::{ConditionType, Reason};

use crate::harness::audit::{self, Request};
use crate::harness::{Controller, Place, SHORT, Shop, Wanted, alone, seconds, setup};

const WATCHED: u64 = 60;

#[test]
fn ten_environments_at_rest_cost_no_request_and_a_restart_no_write() {
    alone("rest", async |place| {
        setup::until_others_are_gone(&place.client).await;
        let shops = ten(place).await;
        until_quiet(place).await;
        let moment = Timestamp::now();
        tokio::time::sleep(seconds(WATCHED)).await;
        let requests = audit::since(moment, &audit::controller_user());
        let others: Vec<&Request> = requests
            .iter()
            .filter(|request| request.verb != "watch" && !request.is_lease())
            .collect();
        assert!(
            others.is_empty(),
            "at rest the controller asked for:\n{}",
            audit::lines(others)
        );
        let renewals = requests
            .iter()
            .filter(|request| request.is_lease() && request.is_write())
            .count();
        assert!(
            renewals > 0,
            "the audit log must show the controller's Lease"
        );
        println!(
            "{WATCHED} s with {} Environments: {renewals} renewals of the Lease, nothing else",
            shops.len()
        );

        let controller = Controller::new(place);
        let moment = Timestamp::now();
        controller.restart().await;
        tokio::time::sleep(seconds(20)).await;
        let requests = audit::since(moment, &audit::controller_user());
        let written: Vec<&Request> = requests
            .iter()
            .filter(|request| request.is_write() && !request.is_lease())
            .collect();
        assert!(
            written.is_empty(),
            "after its restart the controller wrote:\n{}",
            audit::lines(written)
        );
        assert!(
            requests.iter().any(|request| request.verb == "list"),
            "it has looked at everything"
        );
        println!(
            "a restart: {} requests, {} of them on the Lease, no other write",
            requests.len(),
            requests.iter().filter(|request| request.is_lease()).count()
        );
    });
}

/// Ten Environments: seven that run, two of them with a database; one that was rolled back, one whose first release failed,
/// one that waits for its image.
async fn ten(place: &Place) -> Vec<Shop<'_>> {
    let mut shops = Vec::new();
    for number in 0..6 {
        shops.push(
            place
                .make(&Wanted::light(place).named(&format!("light-{number}")))
                .await,
        );
    }
    let host = place.host();
    let mut with_database = Wanted::example(place).hosts(&[&host]);
    // One App with a database, and one without.
    with_database.app["metadata"]["name"] = "store".into();
    with_database.environment["spec"]["appRef"]["name"] = "store".into();
    shops.push(place.make(&with_database.named("store")).await);
    let rolled_back = place.make(&Wanted::light(place).named("rolled-back")).await;
    let failed = Wanted::light(place).named("failed").release("v3");
    let failed = place.make(&failed.deadline(SHORT)).await;
    let waiting = place
        .make(&Wanted::light(place).named("waiting").release("never-built"))
        .await;
    for shop in &shops {
        shop.until_ready().await;
    }
    rolled_back.until_ready().await;
    rolled_back.release_within("v3", SHORT).await;
    rolled_back
        .until(ConditionType::Ready, Reason::RolledBack)
        .await;
    failed
        .until(ConditionType::Ready, Reason::DeadlineExceeded)
        .await;
    waiting
        .until(ConditionType::Ready, Reason::WaitingForImage)
        .await;
    shops.extend([rolled_back, failed, waiting]);
    shops
}

/// The last releases have been told, and their pods have settled.
async fn until_quiet(place: &Place) {
    place
        .until("ten seconds without a request", async || {
            let moment = Timestamp::now() - jiff::SignedDuration::from_secs(10);
            let requests = audit::since(moment, &audit::controller_user());
            let others: Vec<&Request> = requests
                .iter()
                .filter(|request| request.verb != "watch" && !request.is_lease())
                .collect();
            if others.is_empty() {
                Ok(())
            } else {
                Err(audit::lines(others))
            }
        })
        .await;
}
