//! A cache of one kind, grouped, that is never older than the controller's own writes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::ResourceExt;

use super::{Kept, Place, trimmed};

/// The objects of one kind, by namespace and group.
#[derive(Debug)]
pub struct Shelf<K> {
    inner: RwLock<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    groups: HashMap<(String, String), BTreeMap<String, Arc<K>>>,
    /// In which group an object stands.
    places: HashMap<Place, String>,
    /// Objects that could not be read, and why.
    unreadable: BTreeMap<Place, String>,
    /// Own writes that no watch has shown yet.
    written: HashMap<Place, u64>,
    /// Uids of own deletes that no watch has shown yet.
    gone: HashMap<String, u64>,
    /// Counts own writes, so that a list knows which of them are younger than itself.
    writes: u64,
}

/// What an event did to the shelf.
#[derive(Clone, Debug)]
pub struct Change<K> {
    /// Which object.
    pub place: Place,
    /// As it was.
    pub old: Option<Arc<K>>,
    /// As it is. Absent: gone, or not readable.
    pub new: Option<Arc<K>>,
    /// Whether the watch only shows what was written here.
    pub own: bool,
}

/// An object as a watch delivers it: read, or not readable.
pub type Read<K> = Result<K, (Place, String)>;

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self {
            inner: RwLock::new(Inner {
                groups: HashMap::new(),
                places: HashMap::new(),
                unreadable: BTreeMap::new(),
                written: HashMap::new(),
                gone: HashMap::new(),
                writes: 0,
            }),
        }
    }
}

impl<K: Kept> Shelf<K> {
    /// The object of that name.
    pub fn get(&self, place: &Place) -> Option<Arc<K>> {
        self.read().held(place)
    }

    /// Why the object of that name cannot be read.
    pub fn unreadable(&self, place: &Place) -> Option<String> {
        self.read().unreadable.get(place).cloned()
    }

    /// The objects of a group, by name.
    pub fn group(&self, namespace: &str, group: &str) -> BTreeMap<String, Arc<K>> {
        let key = (namespace.to_owned(), group.to_owned());
        self.read().groups.get(&key).cloned().unwrap_or_default()
    }

    /// Every object that can be read.
    pub fn all(&self) -> Vec<Arc<K>> {
        let inner = self.read();
        let groups = inner.groups.values();
        groups.flat_map(BTreeMap::values).cloned().collect()
    }

    /// Where every object is, those that cannot be read among them.
    pub fn places(&self) -> Vec<Place> {
        let inner = self.read();
        let readable = inner.places.keys();
        readable.chain(inner.unreadable.keys()).cloned().collect()
    }

    /// Remembers what the apiserver answered to an own write.
    pub fn wrote(&self, object: K) {
        let object = trimmed(object);
        let mut inner = self.write();
        let place = Place::of(&object);
        if object
            .uid()
            .is_some_and(|uid| inner.gone.contains_key(&uid))
        {
            // It was deleted meanwhile: an answer that is late does not bring it back.
            return;
        }
        if inner
            .held(&place)
            .is_some_and(|held| newer(&*held, &object))
        {
            return;
        }
        inner.writes += 1;
        let stamp = inner.writes;
        inner.written.insert(place, stamp);
        inner.put(Arc::new(object));
    }

    /// Remembers an own delete that was done at once.
    pub fn deleted(&self, place: &Place, uid: &str) {
        let mut inner = self.write();
        inner.writes += 1;
        let stamp = inner.writes;
        inner.gone.insert(uid.to_owned(), stamp);
        if inner.held(place).is_some_and(|held| has_uid(&*held, uid)) {
            inner.take(place);
        }
    }

    /// How many own writes there were; a list that begins now knows of all of them.
    pub fn mark(&self) -> u64 {
        self.read().writes
    }

    /// An object was added or changed.
    pub fn applied(&self, read: Read<K>) -> Option<Change<K>> {
        self.write().applied(read)
    }

    /// An object is gone.
    pub fn removed(&self, read: Read<K>) -> Option<Change<K>> {
        self.write().removed(read)
    }

    /// A whole list, of one namespace or of all, that began at `mark`. What it does not hold is gone.
    pub fn replaced(&self, scope: Option<&str>, list: Vec<Read<K>>, mark: u64) -> Vec<Change<K>> {
        let mut inner = self.write();
        let listed: HashSet<Place> = list.iter().map(place_of).collect();
        inner.gone.retain(|_, stamp| *stamp > mark);
        let mut changes = inner.sweep(scope, &listed, mark);
        changes.extend(list.into_iter().filter_map(|read| inner.applied(read)));
        changes
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kept> Inner<K> {
    fn held(&self, place: &Place) -> Option<Arc<K>> {
        let group = (place.namespace.clone(), self.places.get(place)?.clone());
        self.groups.get(&group)?.get(&place.name).cloned()
    }

    fn put(&mut self, object: Arc<K>) -> Option<Arc<K>> {
        let place = Place::of(&*object);
        let old = self.take(&place);
        let group = object.group();
        let key = (place.namespace.clone(), group.clone());
        let members = self.groups.entry(key).or_default();
        members.insert(place.name.clone(), object);
        self.places.insert(place, group);
        old
    }

    fn take(&mut self, place: &Place) -> Option<Arc<K>> {
        let key = (place.namespace.clone(), self.places.remove(place)?);
        let members = self.groups.get_mut(&key)?;
        let old = members.remove(&place.name);
        if members.is_empty() {
            self.groups.remove(&key);
        }
        old
    }

    fn applied(&mut self, read: Read<K>) -> Option<Change<K>> {
        let object = match read {
            Ok(object) => object,
            Err((place, why)) => return Some(self.spoiled(place, why)),
        };
        let place = Place::of(&object);
        let uid = object.uid().unwrap_or_default();
        if self.gone.contains_key(&uid) {
            return None;
        }
        self.unreadable.remove(&place);
        let held = self.held(&place);
        if let Some(held) = held.filter(|held| !newer(&object, &**held)) {
            let same = held.resource_version() == object.resource_version();
            let own = same && self.written.remove(&place).is_some();
            return own.then(|| Change {
                place,
                old: Some(held.clone()),
                new: Some(held),
                own,
            });
        }
        self.written.remove(&place);
        let new = Arc::new(object);
        let old = self.put(new.clone());
        Some(Change {
            place,
            old,
            new: Some(new),
            own: false,
        })
    }

    fn removed(&mut self, read: Read<K>) -> Option<Change<K>> {
        let place = place_of(&read);
        if let Ok(object) = &read {
            let uid = object.uid().unwrap_or_default();
            self.gone.remove(&uid);
            // What stands here may be a younger object of the same name.
            if self.held(&place).is_some_and(|held| !has_uid(&*held, &uid)) {
                return None;
            }
        }
        self.written.remove(&place);
        self.unreadable.remove(&place);
        let old = self.take(&place);
        Some(Change {
            place,
            old,
            new: None,
            own: false,
        })
    }

    fn spoiled(&mut self, place: Place, why: String) -> Change<K> {
        self.written.remove(&place);
        let old = self.take(&place);
        self.unreadable.insert(place.clone(), why);
        Change {
            place,
            old,
            new: None,
            own: false,
        }
    }

    /// Drops what a list does not hold, but for what was written after it began.
    fn sweep(&mut self, scope: Option<&str>, listed: &HashSet<Place>, mark: u64) -> Vec<Change<K>> {
        let inside = |place: &&Place| scope.is_none_or(|namespace| namespace == place.namespace);
        let known = self.places.keys().chain(self.unreadable.keys());
        let missing = known
            .filter(inside)
            .filter(|place| !listed.contains(*place));
        let missing: Vec<Place> = missing.cloned().collect();
        let mut changes = Vec::new();
        for place in missing {
            if self.written.get(&place).is_some_and(|stamp| *stamp > mark) {
                continue;
            }
            self.written.remove(&place);
            self.unreadable.remove(&place);
            let old = self.take(&place);
            changes.push(Change {
                place,
                old,
                new: None,
                own: false,
            });
        }
        changes
    }
}

fn place_of<K: Kept>(read: &Read<K>) -> Place {
    match read {
        Ok(object) => Place::of(object),
        Err((place, _)) => place.clone(),
    }
}

fn has_uid<K: Kept>(object: &K, uid: &str) -> bool {
    object.meta().uid.as_deref() == Some(uid)
}

/// Whether `this` is a later state than `that`. Versions of the apiserver are numbers that grow; what is none counts as
/// later, as another object of the same name does.
fn newer<K: Kept>(this: &K, that: &K) -> bool {
    let number = |object: &K| {
        object
            .meta()
            .resource_version
            .as_deref()?
            .parse::<u64>()
            .ok()
    };
    match (number(this), number(that)) {
        (Some(this), Some(that)) => this > that,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
