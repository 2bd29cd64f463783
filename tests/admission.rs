//! Every rule and bound of the CRDs, accepted and refused.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::apiserver::Apiserver;

#[tokio::test]
async fn the_apiserver_takes_our_crds() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let namespace = server.namespace("admission").await;
    println!("{namespace}");
}
