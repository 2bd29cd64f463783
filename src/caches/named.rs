//! ConfigMaps and Secrets that people name: each is watched alone, as long as an Environment or an App names it. All the Secrets of a
//! namespace are never asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

use super::intake::config;
use super::{Caches, Kept, Place, Subject, locked, trimmed};
use crate::plan::questions::Names;
use crate::seen::Seen;

/// How long a pass waits for the first answer of a new watch.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// The ConfigMaps and Secrets that Environments and Apps name.
pub struct Named {
    config_maps: Watched<ConfigMap>,
    secrets: Watched<Secret>,
}

impl Named {
    /// Nothing is named yet.
    pub fn new(client: Client, caches: Arc<Caches>) -> Self {
        Self {
            config_maps: Watched::new(client.clone(), caches.clone()),
            secrets: Watched::new(client, caches),
        }
    }

    /// From now on this object names these and no others. Waits a little for the first answers.
    pub async fn need(&self, user: &Subject, names: &Names) {
        self.config_maps.need(user, &names.config_maps);
        self.secrets.need(user, &names.secrets);
        let namespace = &user.1.namespace;
        let answers = async {
            self.config_maps
                .answered(namespace, &names.config_maps)
                .await;
            self.secrets.answered(namespace, &names.secrets).await;
        };
        // Who does not answer in time is unknown, and triggers the object when it answers.
        let _ = tokio::time::timeout(FIRST_ANSWER, answers).await;
    }

    /// This object is gone.
    pub fn forget(&self, user: &Subject) {
        self.config_maps.need(user, &BTreeSet::new());
        self.secrets.need(user, &BTreeSet::new());
    }

    /// A ConfigMap that was named.
    pub fn config_map(&self, namespace: &str, name: &str) -> Seen<Arc<ConfigMap>> {
        self.config_maps.seen(&Place::new(namespace, name))
    }

    /// A Secret that was named.
    pub fn secret(&self, namespace: &str, name: &str) -> Seen<Arc<Secret>> {
        self.secrets.seen(&Place::new(namespace, name))
    }
}

/// The named objects of one kind.
struct Watched<K> {
    client: Client,
    caches: Arc<Caches>,
    entries: Mutex<HashMap<Place, Entry<K>>>,
}

/// One named object. `None`: its watch has not answered yet.
struct Entry<K> {
    seen: Receiver<Option<Seen<Arc<K>>>>,
    users: Arc<Mutex<BTreeSet<Subject>>>,
    task: AbortHandle,
}

impl<K> Drop for Entry<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Kept> Watched<K> {
    fn new(client: Client, caches: Arc<Caches>) -> Self {
        Self {
            client,
            caches,
            entries: Mutex::default(),
        }
    }

    fn need(&self, user: &Subject, names: &BTreeSet<String>) {
        let namespace = &user.1.namespace;
        let mut entries = locked(&self.entries);
        entries.retain(|place, entry| {
            let mut users = locked(&entry.users);
            if place.namespace == *namespace && !names.contains(&place.name) {
                users.remove(user);
            }
            !users.is_empty()
        });
        for name in names {
            let place = Place::new(namespace, name);
            let entry = entries
                .entry(place.clone())
                .or_insert_with(|| self.start(place));
            locked(&entry.users).insert(user.clone());
        }
    }

    fn start(&self, place: Place) -> Entry<K> {
        let (told, seen) = channel(None);
        let users = Arc::new(Mutex::new(BTreeSet::new()));
        let api = Api::namespaced(self.client.clone(), &place.namespace);
        let one = One {
            told,
            users: users.clone(),
            caches: self.caches.clone(),
        };
        let task = tokio::spawn(one.watch(api, place.name)).abort_handle();
        Entry { seen, users, task }
    }

    async fn answered(&self, namespace: &str, names: &BTreeSet<String>) {
        for name in names {
            let place = Place::new(namespace, name);
            let seen = locked(&self.entries)
                .get(&place)
                .map(|entry| entry.seen.clone());
            if let Some(mut seen) = seen {
                // An error means that nobody needs it any more.
                let _ = seen.wait_for(Option::is_some).await;
            }
        }
    }

    fn seen(&self, place: &Place) -> Seen<Arc<K>> {
        let entries = locked(&self.entries);
        let answer = entries
            .get(place)
            .and_then(|entry| entry.seen.borrow().clone());
        answer.unwrap_or_else(|| Seen::Unknown("the apiserver has not answered yet".to_owned()))
    }
}

/// The watch of one object.
struct One<K> {
    told: Sender<Option<Seen<Arc<K>>>>,
    users: Arc<Mutex<BTreeSet<Subject>>>,
    caches: Arc<Caches>,
}

impl<K: Kept> One<K> {
    async fn watch(self, api: Api<K>, name: String) {
        let config = config().fields(&format!("metadata.name={name}"));
        let mut events = Box::pin(watcher(api, config).default_backoff());
        let mut listed = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = None,
                Ok(Event::InitApply(object)) => listed = Some(object),
                Ok(Event::InitDone) => self.tell(listed.take().map_or(Seen::Missing, found)),
                Ok(Event::Apply(object)) => self.tell(found(object)),
                Ok(Event::Delete(_)) => self.tell(Seen::Missing),
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Who names it looks again, when something changed.
    fn tell(&self, seen: Seen<Arc<K>>) {
        let changed = self.told.send_if_modified(|known| {
            let changed = known.as_ref() != Some(&seen);
            *known = Some(seen);
            changed
        });
        if changed {
            locked(&self.users)
                .iter()
                .for_each(|user| self.caches.look(user));
        }
    }

    /// What was known stays known; what never was known is unknown for this reason.
    fn fail(&self, error: &watcher::Error) {
        self.caches.watch_failed::<K>(error);
        if matches!(*self.told.borrow(), None | Some(Seen::Unknown(_))) {
            let kind = K::kind(&());
            self.tell(Seen::Unknown(format!(
                "the apiserver does not let this {kind} be read"
            )));
        }
    }
}

fn found<K: Kept>(object: K) -> Seen<Arc<K>> {
    Seen::Found(Arc::new(trimmed(object)))
}
