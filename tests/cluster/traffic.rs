//! No dropped request: through five rolling updates, at 200 requests a second.

use std::time::Instant;

use kube::ResourceExt;

use crate::harness::{Load, Shop, Wanted, alone, seconds};

const UPDATES: usize = 5;
const RATE: u32 = 200;
const REQUESTS: u64 = 20_000;

#[test]
fn no_request_fails_while_releases_roll() {
    alone("traffic", async |place| {
        let shop = place.make(&Wanted::example(place).release("v2")).await;
        shop.until_ready().await;
        let load = Load::start(&place.host(), RATE);
        let begun = Instant::now();
        let mut releases = Vec::new();
        // A busy machine may be late with some of them.
        let whole = seconds(REQUESTS / u64::from(RATE) + 10);
        while releases.len() < UPDATES || begun.elapsed() < whole {
            let release = format!("r{}", releases.len() + 1);
            roll(&shop, &release).await;
            releases.push(release);
        }
        let summary = load.stop();
        println!(
            "{} requests in {:.0} s over {} rolling updates, {} failed; p50 {} ms, p99 {} ms, longest {} ms",
            summary.requests,
            summary.seconds,
            releases.len(),
            summary.failed,
            summary.p50,
            summary.p99,
            summary.max
        );
        summary.assert_none_failed();
        assert!(
            summary.requests >= REQUESTS,
            "{} requests are too few",
            summary.requests
        );
        for release in &releases {
            assert!(
                summary.answers.contains_key(release),
                "{release} never answered: {:?}",
                summary.answers
            );
        }
    });
}

/// Replaces every pod: the release names itself by a variable that the shop shows.
async fn roll(shop: &Shop<'_>, release: &str) {
    let before = shop.pods("web").await;
    shop.set_variable("SHOP_VERSION", release).await;
    shop.until_ready().await;
    let after = shop.pods("web").await;
    for old in &before {
        assert!(
            after.iter().all(|new| new.uid() != old.uid()),
            "{} was not replaced",
            old.name_any()
        );
    }
}
