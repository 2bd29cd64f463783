//! Feeds a cache from one watch, for ever: an error waits and tries again, and stops nobody else.

use std::pin::pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::Api;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use super::shelf::Read;
use super::{Caches, Change, Kept, Place, trimmed};
use crate::api::labels;

/// Seconds after which a watch is made anew; a connection that died silently is noticed then.
const WATCH_SECONDS: u32 = 200;
/// Objects per page of a list.
const PAGE: u32 = 100;

/// What every watch asks for.
#[must_use]
pub fn config() -> watcher::Config {
    watcher::Config::default()
        .timeout(WATCH_SECONDS)
        .page_size(PAGE)
}

/// What the watch of a kind of child asks for.
pub(super) fn of_environments() -> watcher::Config {
    config().labels(labels::ENVIRONMENT)
}

/// Watches one kind in one namespace, or in all, into its cache. `changed` is told of every change.
pub(super) async fn keep<K: Kept>(
    caches: Arc<Caches>,
    api: Api<K>,
    config: watcher::Config,
    scope: Option<String>,
    changed: fn(&Caches, &Change<K>),
) {
    let events = watcher(api, config).default_backoff();
    let events = events.map(|event| event.map(|event| each(event, Ok)));
    Intake::new(&caches, scope, changed).drain(events).await;
}

/// As [`keep`], for kinds that people write: an object that cannot be read spoils itself alone.
pub(super) async fn keep_guarded<K: Kept>(
    caches: Arc<Caches>,
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    scope: Option<String>,
    changed: fn(&Caches, &Change<K>),
) {
    let events = watcher(api, config).default_backoff();
    let events = events.map(|event| event.map(|event| each(event, opened)));
    Intake::new(&caches, scope, changed).drain(events).await;
}

fn opened<K: Kept>(guard: DeserializeGuard<K>) -> Read<K> {
    let place = Place::of(&guard);
    guard.0.map_err(|invalid| (place, invalid.error))
}

fn each<A, B>(event: Event<A>, change: impl FnOnce(A) -> B) -> Event<B> {
    match event {
        Event::Apply(object) => Event::Apply(change(object)),
        Event::Delete(object) => Event::Delete(change(object)),
        Event::InitApply(object) => Event::InitApply(change(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// One watch on its way into a cache.
struct Intake<'a, K> {
    caches: &'a Caches,
    scope: Option<String>,
    changed: fn(&Caches, &Change<K>),
    /// The list that is being received, and which own writes it knows of.
    list: Vec<Read<K>>,
    mark: u64,
    arrived: bool,
}

impl<'a, K: Kept> Intake<'a, K> {
    fn new(caches: &'a Caches, scope: Option<String>, changed: fn(&Caches, &Change<K>)) -> Self {
        let list = Vec::new();
        Self {
            caches,
            scope,
            changed,
            list,
            mark: 0,
            arrived: false,
        }
    }

    async fn drain(mut self, events: impl Stream<Item = watcher::Result<Event<Read<K>>>>) {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event),
                Err(error) => self.caches.watch_failed::<K>(&error),
            }
        }
    }

    fn take(&mut self, event: Event<Read<K>>) {
        let shelf = K::shelf(self.caches);
        let mut done = false;
        let changes: Vec<Change<K>> = match event {
            Event::Apply(read) => shelf.applied(read.map(trimmed)).into_iter().collect(),
            Event::Delete(read) => shelf.removed(read).into_iter().collect(),
            Event::Init => {
                self.list.clear();
                self.mark = shelf.mark();
                Vec::new()
            }
            Event::InitApply(read) => {
                self.list.push(read.map(trimmed));
                Vec::new()
            }
            Event::InitDone => {
                done = true;
                let list = std::mem::take(&mut self.list);
                shelf.replaced(self.scope.as_deref(), list, self.mark)
            }
        };
        for change in &changes {
            (self.changed)(self.caches, change);
        }
        if done && !std::mem::replace(&mut self.arrived, true) {
            self.caches.arrived();
        }
    }
}
