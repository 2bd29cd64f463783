//! What is remembered of an object from pass to pass. All of it may be lost: it only spares the outside from being asked
//! the same too often.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::core::ObjectMeta;

use super::Refusals;
use super::silences::Refused;
use crate::api::Environment;
use crate::apply::contest::Contest;
use crate::apply::foreign::Foreign;
use crate::caches::{Place, locked};
use crate::observe::checks::Counted;
use crate::observe::database::Answered;
use crate::observe::images::Asked;
use crate::observe::mask::Hidden;
use crate::observe::source::Heard;

/// The pauses between attempts to take an Environment down.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is remembered of one object.
#[derive(Default)]
pub struct Memory {
    uid: String,
    ended: AtomicBool,
    put_off: AtomicU32,
    /// What registries said.
    pub images: Mutex<Asked>,
    /// What its database said last.
    pub database: Mutex<Option<Answered>>,
    /// What must not be shown of its Secrets.
    pub hidden: Mutex<Hidden>,
    /// Answers to checks.
    pub checks: Mutex<HashMap<String, Counted>>,
    /// What others added to its children.
    pub foreign: Mutex<Foreign>,
    /// What it puts back of others' changes.
    pub contest: Mutex<Contest>,
    /// What the Git host of an App said.
    pub heard: Mutex<Heard>,
    /// Pull requests of an App that something happened to.
    pub hints: Mutex<BTreeSet<u64>>,
    /// What its Git host refused.
    pub refused: Mutex<Refused>,
    /// How often the apiserver refused the same.
    pub refusals: Mutex<Refusals>,
}

impl Memory {
    /// Its namespace is on its way out, which nothing turns back: nothing is written for it any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How long to wait after one more time that it could not be taken down: each time twice as long.
    pub fn put_off(&self) -> Duration {
        let times = self.put_off.fetch_add(1, Ordering::Relaxed).min(8);
        (FIRST_PAUSE * 2_u32.pow(times)).min(LONGEST_PAUSE)
    }

    /// Whether its namespace is known to be on its way out.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// What is remembered, by kind and place.
#[derive(Default)]
pub struct Memories {
    all: Mutex<HashMap<(&'static str, Place), Arc<Memory>>>,
}

impl Memories {
    /// Of this Environment; an earlier one of the same name has left nothing.
    pub fn of(&self, environment: &Environment) -> Arc<Memory> {
        self.at("Environment", &environment.metadata)
    }

    /// Of an object of this kind.
    pub fn at(&self, kind: &'static str, meta: &ObjectMeta) -> Arc<Memory> {
        let uid = meta.uid.clone().unwrap_or_default();
        let place = Place::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        );
        let mut all = locked(&self.all);
        let memory = all.entry((kind, place)).or_default();
        if memory.uid != uid {
            *memory = Arc::new(Memory {
                uid,
                ..Memory::default()
            });
        }
        memory.clone()
    }

    /// This object is gone.
    pub fn forget(&self, kind: &'static str, place: &Place) {
        locked(&self.all).remove(&(kind, place.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_taken_down_is_tried_less_and_less_often() {
        let memory = Memory::default();
        let pauses: Vec<u64> = (0..12).map(|_| memory.put_off().as_secs()).collect();
        assert_eq!(
            pauses,
            [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]
        );
    }
}
