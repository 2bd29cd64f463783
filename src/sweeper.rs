//! Looks now and then for databases of previews that belong to nobody any more. Shared servers tell nobody of anything, so that
//! there is no watch for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio_util::sync::CancellationToken;

use crate::caches::Place;
use crate::config::PostgresServer;
use crate::context::Context;
use crate::observe::server;
use crate::plan::sweep::{Sweep, sweep};
use crate::postgres::{Access, Failure, SeenOrphan, orphans};

/// How long after the start it is looked first: what comes back with the cluster has come back.
const FIRST: Duration = Duration::from_mins(10);
const EVERY: Duration = Duration::from_hours(1);

/// Sweeps every shared server until `stop`. `scope`: the namespaces that are watched, empty where all are.
pub async fn run(ctx: Arc<Context>, scope: BTreeSet<String>, stop: CancellationToken) {
    if stop.run_until_cancelled(ctx.caches.ready()).await.is_none() {
        return;
    }
    let mut pause = FIRST;
    while stop
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        for known in &ctx.config.postgres.servers {
            if let Err(failure) = one(known, &scope, &ctx).await {
                let server = &known.name;
                tracing::warn!(server, %failure, "orphans could not be looked for; it is tried again in an hour");
            }
        }
        pause = EVERY;
    }
}

/// Sweeps one server.
pub async fn one(
    known: &PostgresServer,
    scope: &BTreeSet<String>,
    ctx: &Context,
) -> Result<(), Failure> {
    let admin = server::access(known, ctx).await?;
    let cluster = ctx.config.cluster_id.as_deref().unwrap_or_default();
    let mut found = orphans::find(&admin, cluster).await?;
    // Who cannot be read is there all the same.
    found.retain(|orphan| {
        let owner = Place::new(&orphan.owner.namespace, &orphan.owner.name);
        ctx.caches.environments.unreadable(&owner).is_none()
    });
    // Read after the server: whose database was found was there before.
    let live = ctx.caches.environments.all();
    let live: BTreeSet<String> = live.iter().filter_map(|known| known.uid()).collect();
    let steps = sweep(&found, &live, scope, ctx.now());
    for orphan in &found {
        if let Some(step) = steps.get(orphan.database.as_str()) {
            let may = ctx.may_write("Database", "sweep");
            may.map_err(|why| Failure::Silent(why.to_string()))?;
            if let Err(failure) = act(&admin, orphan, *step, ctx).await {
                let database = orphan.database.as_str();
                tracing::warn!(database, %failure, "an orphan stays as it is; it is tried again in an hour");
            }
        }
    }
    Ok(())
}

async fn act(
    admin: &Access,
    orphan: &SeenOrphan,
    step: Sweep,
    ctx: &Context,
) -> Result<(), Failure> {
    let (database, owner) = (orphan.database.as_str(), orphan.owner.to_string());
    tracing::info!(
        database,
        owner,
        ?step,
        "a preview's database that nobody owns, or that is owned again"
    );
    match step {
        Sweep::Note => orphans::note(admin, orphan, ctx.now()).await,
        Sweep::PutAside => orphans::put_aside(admin, orphan, ctx.now()).await,
        Sweep::Drop => orphans::discard(admin, orphan).await,
        Sweep::Restore => orphans::restore(admin, orphan).await,
    }
}
