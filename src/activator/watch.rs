//! Follows the Environments of previews into the table.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinSet;

use super::table::{Preview, Table};
use crate::api::{Environment, labels};
use crate::caches::{Place, Scope, watch_config};
use crate::serve::Ready;

/// Starts a watch for each part of the scope. Ready is who knows all of them.
pub fn start(table: &Arc<Table>, client: &Client, scope: &Scope, ready: &Ready) -> JoinSet<()> {
    let parts = scope.parts();
    let waiting = Arc::new(AtomicUsize::new(parts.len()));
    let mut running = JoinSet::new();
    for part in parts {
        let api = match &part {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let (waiting, ready) = (waiting.clone(), ready.clone());
        let arrived = move || {
            if waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                ready.set();
            }
        };
        running.spawn(follow(api, table.clone(), part, arrived));
    }
    running
}

async fn follow(
    api: Api<DeserializeGuard<Environment>>,
    table: Arc<Table>,
    part: Option<String>,
    arrived: impl FnOnce() + Send,
) {
    let mut arrived = Some(arrived);
    let mut list = Vec::new();
    let config = watch_config().labels(labels::PULL_REQUEST);
    let mut events = pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => list.clear(),
            Ok(Event::InitApply(read)) => list.extend(preview(&read)),
            Ok(Event::InitDone) => {
                table.replace(part.as_deref(), std::mem::take(&mut list));
                if let Some(arrived) = arrived.take() {
                    arrived();
                }
            }
            Ok(Event::Apply(read)) => match preview(&read) {
                Some(preview) => table.put(preview),
                None => table.remove(&place(&read)),
            },
            Ok(Event::Delete(read)) => table.remove(&place(&read)),
            Err(error) => tracing::warn!(%error, "the watch of previews failed; it is tried again"),
        }
    }
}

fn place(read: &DeserializeGuard<Environment>) -> Place {
    Place::new(read.namespace().unwrap_or_default(), read.name_any())
}

/// One that cannot be read is not there: it spoils itself alone.
fn preview(read: &DeserializeGuard<Environment>) -> Option<Preview> {
    Preview::of(read.0.as_ref().ok()?)
}
