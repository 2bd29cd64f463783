//! Which preview answers on which host and path.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::{Notify, Semaphore};

use super::activity::Activity;
use super::stage::Stage;
use crate::api::Environment;
use crate::api::environment::{Host, Sleep};
use crate::build::names;
use crate::caches::Place;
use crate::plan::verify::matches;

/// Requests to one preview at the same time.
pub const AT_ONCE: usize = 128;

/// A preview as far as requests to it are concerned.
#[derive(Debug)]
pub struct Preview {
    /// Its Environment.
    pub place: Place,
    /// Its App.
    pub app: String,
    /// The number of its pull request.
    pub number: i64,
    /// How far it is.
    pub stage: Stage,
    /// How it sleeps; absent: never.
    pub sleep: Option<Sleep>,
    /// When it was asked for.
    pub activity: Arc<Activity>,
    /// Places for requests.
    pub places: Arc<Semaphore>,
    uid: String,
    created: Option<Timestamp>,
    hosts: Vec<Host>,
    /// `host:port` of each Web component.
    backends: BTreeMap<String, String>,
}

impl Preview {
    /// Reads it. `None`: no preview.
    pub fn of(environment: &Environment) -> Option<Self> {
        let preview = environment.spec.preview.as_ref()?;
        let status = environment.status.as_ref();
        let components = status.into_iter().flat_map(|told| &told.components);
        // Who may have a host the controller says: anybody can name one.
        let held = status.map(|told| told.hosts.as_slice()).unwrap_or_default();
        let hosts = environment.spec.hosts.iter();
        let hosts = hosts.filter(|known| held.contains(&known.host)).cloned();
        let backends = components.filter(|known| is_label(&known.name));
        let backends = backends.filter_map(|known| {
            let service = names::component(&environment.name_any(), &known.name);
            let namespace = environment.namespace().unwrap_or_default();
            let backend = format!("{service}.{namespace}.svc:{}", known.port?);
            Some((known.name.clone(), backend))
        });
        Some(Self {
            place: Place::of(environment),
            app: environment.spec.app_ref.name.clone(),
            number: preview.number,
            stage: Stage::of(environment),
            sleep: preview.sleep.clone(),
            activity: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            uid: environment.uid().unwrap_or_default(),
            created: environment.creation_timestamp().map(|time| time.0),
            hosts: hosts.collect(),
            backends: backends.collect(),
        })
    }

    /// Where a request of this host and path goes. `None`: nothing answers there.
    pub fn component(&self, host: &str, path: &str) -> Option<&str> {
        let mut hosts = self.hosts.iter();
        let routes = &hosts.find(|known| known.host == host)?.routes;
        let fitting = routes.iter().filter(|route| matches(&route.path, path));
        let longest = fitting.max_by_key(|route| route.path.len());
        longest.map(|route| route.component.as_str())
    }

    /// `host:port` of a component, once it is known.
    pub fn backend(&self, component: &str) -> Option<&str> {
        self.backends.get(component).map(String::as_str)
    }

    #[cfg(test)]
    pub fn with_backend(mut self, component: &str, address: String) -> Self {
        self.backends.insert(component.to_owned(), address);
        self
    }
}

/// Whether a name is one part of a DNS name: nothing else is asked for.
fn is_label(name: &str) -> bool {
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !name.is_empty() && name.chars().all(fits)
}

/// The previews that there are.
#[derive(Debug, Default)]
pub struct Table {
    inner: RwLock<Inner>,
    /// Somebody asks for a preview, and nobody has written that down yet.
    pub asked: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    previews: HashMap<Place, Arc<Preview>>,
    hosts: HashMap<String, BTreeSet<(Option<Timestamp>, Place)>>,
}

impl Table {
    /// The preview of a host. Of two that name it the older has it.
    pub fn find(&self, host: &str) -> Option<Arc<Preview>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let (_, place) = inner.hosts.get(host)?.first()?;
        inner.previews.get(place).cloned()
    }

    /// All previews.
    pub fn all(&self) -> Vec<Arc<Preview>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.previews.values().cloned().collect()
    }

    /// A preview came, or changed.
    pub fn put(&self, preview: Preview) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.put(preview);
    }

    /// A preview is gone.
    pub fn remove(&self, place: &Place) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.take(place);
    }

    /// All previews of a namespace, or of all namespaces: no other is there.
    pub fn replace(&self, namespace: Option<&str>, previews: Vec<Preview>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let listed: BTreeSet<Place> = previews.iter().map(|one| one.place.clone()).collect();
        let inside = |place: &&Place| namespace.is_none_or(|name| place.namespace == name);
        let known: Vec<Place> = inner.previews.keys().filter(inside).cloned().collect();
        for place in known.iter().filter(|place| !listed.contains(*place)) {
            inner.take(place);
        }
        previews.into_iter().for_each(|preview| inner.put(preview));
    }
}

impl Inner {
    /// The same preview keeps what is open and what was written down.
    fn put(&mut self, mut preview: Preview) {
        if let Some(before) = self.take(&preview.place).filter(|it| it.uid == preview.uid) {
            preview.activity = before.activity.clone();
            preview.places = before.places.clone();
        }
        for host in &preview.hosts {
            let claim = (preview.created, preview.place.clone());
            let claims = self.hosts.entry(host.host.clone()).or_default();
            claims.insert(claim);
        }
        self.previews
            .insert(preview.place.clone(), Arc::new(preview));
    }

    fn take(&mut self, place: &Place) -> Option<Arc<Preview>> {
        let before = self.previews.remove(place)?;
        for host in &before.hosts {
            if let Some(claims) = self.hosts.get_mut(&host.host) {
                claims.remove(&(before.created, place.clone()));
                if claims.is_empty() {
                    self.hosts.remove(&host.host);
                }
            }
        }
        Some(before)
    }
}
