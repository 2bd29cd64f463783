//! Who must look: a queue of each kind that is reconciled, that is open only while this replica leads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;

use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Kept, Place, locked};

/// Namespace and name of an object, readable or not.
pub type NameOf<K> = PartialObjectMeta<K>;

/// The queue of a kind, and the names of what there is to queue.
pub struct Triggers<K: Kept> {
    sender: Mutex<Option<UnboundedSender<ObjectRef<NameOf<K>>>>>,
    writer: Mutex<reflector::store::Writer<NameOf<K>>>,
    names: Store<NameOf<K>>,
}

impl<K: Kept> Default for Triggers<K> {
    fn default() -> Self {
        let (names, mut writer) = reflector::store();
        // The names are complete when the caches are, and nobody reads them before.
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        Self {
            sender: Mutex::default(),
            writer: Mutex::new(writer),
            names,
        }
    }
}

impl<K: Kept> Triggers<K> {
    /// Opens the queue, with everything in it that there is.
    pub fn open(&self) -> UnboundedReceiver<ObjectRef<NameOf<K>>> {
        let (sender, receiver) = unbounded_channel();
        *locked(&self.sender) = Some(sender);
        for known in self.names.state() {
            self.look(&Place::of(&*known));
        }
        receiver
    }

    /// The objects there are, by name.
    pub fn names(&self) -> Store<NameOf<K>> {
        self.names.clone()
    }

    /// This object must be looked at.
    pub fn look(&self, at: &Place) {
        if let Some(sender) = locked(&self.sender).as_ref() {
            // A closed receiver means that the controller is stopping.
            let _ = sender.send(ObjectRef::new(&at.name).within(&at.namespace));
        }
    }

    /// An object is there.
    pub(super) fn exists(&self, place: &Place) {
        locked(&self.writer).apply_watcher_event(&Event::Apply(named(place)));
    }

    /// An object is gone.
    pub(super) fn gone(&self, place: &Place) {
        locked(&self.writer).apply_watcher_event(&Event::Delete(named(place)));
    }
}

fn named<K: Kept>(place: &Place) -> NameOf<K> {
    PartialObjectMeta {
        types: None,
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            ..ObjectMeta::default()
        },
        _phantom: PhantomData,
    }
}

impl<K: Kept> fmt::Debug for Triggers<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = locked(&self.sender).is_some();
        formatter
            .debug_struct("Triggers")
            .field("open", &open)
            .finish_non_exhaustive()
    }
}
