//! Which kinds are reconciled, by what they are triggered, how many at once, and how they stop.

use std::sync::Arc;

use futures::{StreamExt, future, stream};
use kube::runtime::Controller;
use kube::runtime::controller::{Config, Error};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::caches::Place;
use crate::context::Context;
use crate::reconcile::{error_policy, forget, reconcile};

/// Passes at the same time.
const CONCURRENCY: u16 = 16;

/// Reconciles every Environment until `stop`; passes that run are finished.
pub async fn run(ctx: Arc<Context>, stop: CancellationToken) {
    if stop.run_until_cancelled(ctx.caches.ready()).await.is_none() {
        return;
    }
    let triggers = UnboundedReceiverStream::new(ctx.caches.triggers.open());
    let names = ctx.caches.triggers.names();
    // The main kind is watched like all others, outside: an error of one watch holds up no other.
    Controller::for_stream(stream::pending(), names)
        .reconcile_on(triggers)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, error_policy, ctx.clone())
        .for_each(|done| {
            match done {
                // A failed pass was logged where its next try was chosen.
                Ok(_) | Err(Error::ReconcilerFailed(..)) => {}
                Err(Error::ObjectNotFound(gone)) => {
                    forget(
                        &Place::new(gone.namespace.unwrap_or_default(), gone.name),
                        &ctx,
                    );
                }
                Err(error) => tracing::warn!(%error, "the queue failed"),
            }
            future::ready(())
        })
        .await;
}
