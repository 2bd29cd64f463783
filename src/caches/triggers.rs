//! Who must look: a queue of Environments that is open only while this replica leads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;

use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Place, locked};
use crate::api::Environment;

/// Namespace and name of an Environment, readable or not.
pub type EnvironmentMeta = PartialObjectMeta<Environment>;

/// The queue of the controller, and the names of what there is to queue.
pub struct Triggers {
    sender: Mutex<Option<UnboundedSender<ObjectRef<EnvironmentMeta>>>>,
    writer: Mutex<reflector::store::Writer<EnvironmentMeta>>,
    names: Store<EnvironmentMeta>,
}

impl Default for Triggers {
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

impl Triggers {
    /// Opens the queue, with everything in it that there is.
    pub fn open(&self) -> UnboundedReceiver<ObjectRef<EnvironmentMeta>> {
        let (sender, receiver) = unbounded_channel();
        *locked(&self.sender) = Some(sender);
        for known in self.names.state() {
            self.look(&Place::of(&*known));
        }
        receiver
    }

    /// The Environments there are, by name.
    pub fn names(&self) -> Store<EnvironmentMeta> {
        self.names.clone()
    }

    /// This Environment must be looked at.
    pub fn look(&self, at: &Place) {
        if let Some(sender) = locked(&self.sender).as_ref() {
            // A closed receiver means that the controller is stopping.
            let _ = sender.send(ObjectRef::new(&at.name).within(&at.namespace));
        }
    }

    /// An Environment is there.
    pub(super) fn exists(&self, place: &Place) {
        locked(&self.writer).apply_watcher_event(&Event::Apply(named(place)));
    }

    /// An Environment is gone.
    pub(super) fn gone(&self, place: &Place) {
        locked(&self.writer).apply_watcher_event(&Event::Delete(named(place)));
    }
}

fn named(place: &Place) -> EnvironmentMeta {
    EnvironmentMeta {
        types: None,
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            ..ObjectMeta::default()
        },
        _phantom: PhantomData,
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = locked(&self.sender).is_some();
        formatter
            .debug_struct("Triggers")
            .field("open", &open)
            .finish_non_exhaustive()
    }
}
