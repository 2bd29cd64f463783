//! Watches of several kinds together: what they have told is in stores, and one signal says that something changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::cluster::{Cluster, Refusal};

/// Changes come in flocks: those of this time are one.
const FLOCK: Duration = Duration::from_millis(150);

/// What a watch says: of which kind, and what.
type Word = (&'static str, Said);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// Everything there is has been told.
    Complete,
    /// Something changed.
    Changed,
    /// There is no answer, or it is no.
    Trouble(String),
}

/// Watches, and what they said.
pub struct Watches {
    words: SelectAll<BoxStream<'static, Word>>,
    silent: BTreeSet<&'static str>,
    trouble: BTreeMap<&'static str, String>,
}

impl Default for Watches {
    fn default() -> Self {
        Self::new()
    }
}

impl Watches {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            words: SelectAll::new(),
            silent: BTreeSet::new(),
            trouble: BTreeMap::new(),
        }
    }

    /// Watches what a label selects in the namespace.
    pub fn children<K>(&mut self, cluster: &Cluster, selector: &str, kind: &'static str) -> Store<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        self.add(kind, api, watcher::Config::default().labels(selector))
    }

    /// Watches what is selected; what is there is kept in the store.
    pub fn add<K>(&mut self, kind: &'static str, api: Api<K>, config: watcher::Config) -> Store<K>
    where
        K: Resource<DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Send
            + Sync
            + 'static,
    {
        let (store, writer) = reflector::store();
        let events = reflector::reflector(writer, watcher(api, config).default_backoff());
        let words = events.map(move |event| {
            let said = match event {
                Ok(watcher::Event::InitDone) => Said::Complete,
                Ok(_) => Said::Changed,
                Err(error) => Said::Trouble(words(error)),
            };
            (kind, said)
        });
        self.words.push(words.boxed());
        self.silent.insert(kind);
        store
    }

    /// Waits for a change, and for those that come with it.
    pub async fn changed(&mut self) {
        match self.words.next().await {
            Some(word) => self.hear(word),
            None => std::future::pending().await,
        }
        tokio::time::sleep(FLOCK).await;
        while let Some(Some(word)) = self.words.next().now_or_never() {
            self.hear(word);
        }
    }

    fn hear(&mut self, (kind, said): Word) {
        match said {
            Said::Trouble(why) => {
                self.silent.remove(kind);
                self.trouble.insert(kind, why);
            }
            Said::Complete => {
                self.silent.remove(kind);
                self.trouble.remove(kind);
            }
            Said::Changed => {
                self.trouble.remove(kind);
            }
        }
    }

    /// Whether each of them has told everything there is, or why it cannot.
    #[must_use]
    pub fn have_all_spoken(&self) -> bool {
        self.silent.is_empty()
    }

    /// What is wrong with them at present.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.trouble
            .iter()
            .map(|(kind, why)| format!("{kind}: {why}"))
            .collect()
    }
}

fn words(error: watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            Refusal::of(error).words()
        }
        other => other.to_string(),
    }
}
