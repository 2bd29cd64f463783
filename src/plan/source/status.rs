//! What an App is told of its previews.

use kube::ResourceExt;

use crate::api::app_status::{AppStatus, Skipped};
use crate::plan::preview::queue;
use crate::seen::SeenApp;

/// How many skipped pull requests are told.
const MOST_SKIPPED: usize = 50;
/// How many places of the queue are.
const MOST_QUEUED: usize = 20;

/// Everything but the conditions. An App without previews is told nothing of them.
pub(super) fn of(seen: &SeenApp, mut skipped: Vec<Skipped>) -> AppStatus {
    if seen.app.spec.preview.is_none() && seen.live == 0 {
        return AppStatus::default();
    }
    let queue = queued(seen);
    skipped.sort_by_key(|skipped| std::cmp::Reverse(skipped.number));
    skipped.truncate(MOST_SKIPPED);
    let mut open = open(seen);
    // As long as the host has told nothing to this process, what was said of it stands.
    if seen.source.as_ref().is_some_and(|known| !known.is_listed) {
        let said = seen.app.status.as_ref();
        open = said.and_then(|said| said.open_pull_requests);
        skipped = said.map(|said| said.skipped.clone()).unwrap_or_default();
    }
    AppStatus {
        live_previews: Some(count(seen.live)),
        queued_previews: Some(count(queue.len())),
        queue: queue.into_iter().take(MOST_QUEUED).collect(),
        open_pull_requests: open,
        skipped,
        ..AppStatus::default()
    }
}

/// The numbers of the Previews that wait for a place.
fn queued(seen: &SeenApp) -> Vec<i64> {
    let (namespace, name) = (seen.app.namespace(), seen.app.name_any());
    let waiting = queue::candidates(&seen.previews, &seen.config, seen.now).into_iter();
    let waiting = waiting
        .map(|known| &known.preview)
        .filter(|preview| preview.namespace() == namespace && preview.spec.app_ref.name == name);
    waiting
        .map(|preview| preview.spec.pull_request.number)
        .collect()
}

fn open(seen: &SeenApp) -> Option<i64> {
    let known = seen.source.as_ref().filter(|known| known.is_listed)?;
    let told = known.pull_requests.values().flat_map(|known| &known.told);
    Some(count(told.filter(|told| told.is_open).count()))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
