//! Which kinds are reconciled, by what they are triggered, how many at once, and how they stop.

use std::sync::Arc;

use futures::{StreamExt, future, stream};
use kube::runtime::Controller;
use kube::runtime::controller::{Config, Error};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::api::{App, Environment, Preview};
use crate::caches::Place;
use crate::context::Context;
use crate::managed::Managed;
use crate::reconcile::{error_policy, forget, reconcile};

/// Passes at the same time, of each kind.
const CONCURRENCY: u16 = 16;

/// Reconciles everything until `stop`; passes that run are finished.
pub async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    if stop.run_until_cancelled(ctx.caches.ready()).await.is_none() {
        return;
    }
    future::join3(
        each::<Environment>(ctx.clone(), stop.clone()),
        each::<Preview>(ctx.clone(), stop.clone()),
        each::<App>(ctx, stop),
    )
    .await;
}

/// Reconciles every object of a kind.
async fn each<K: Managed>(ctx: Arc<Context>, stop: CancellationToken) {
    let triggers = UnboundedReceiverStream::new(K::triggers(&ctx.caches).open());
    let names = K::triggers(&ctx.caches).names();
    // The main kind is watched like all others, outside: an error of one watch holds up no other.
    Controller::for_stream(stream::pending(), names)
        .reconcile_on(triggers)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile::<K>, error_policy::<K>, ctx.clone())
        .for_each(|done| {
            match done {
                // A failed pass was logged where its next try was chosen.
                Ok(_) | Err(Error::ReconcilerFailed(..)) => {}
                Err(Error::ObjectNotFound(gone)) => {
                    let place = Place::new(gone.namespace.unwrap_or_default(), gone.name);
                    forget::<K>(&place, &ctx);
                }
                Err(error) => tracing::warn!(kind = K::NAME, %error, "the queue failed"),
            }
            future::ready(())
        })
        .await;
}
