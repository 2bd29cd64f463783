//! What is remembered of an Environment from pass to pass. All of it may be lost: it only spares the outside from being asked
//! the same too often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kube::ResourceExt;

use super::Refusals;
use crate::api::Environment;
use crate::apply::foreign::Foreign;
use crate::caches::{Place, locked};
use crate::observe::checks::Counted;
use crate::observe::database::Answered;
use crate::observe::images::Asked;
use crate::observe::mask::Hidden;

/// What is remembered of one Environment.
#[derive(Default)]
pub struct Memory {
    uid: String,
    ended: AtomicBool,
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
    /// How often the apiserver refused the same.
    pub refusals: Mutex<Refusals>,
}

impl Memory {
    /// Its namespace is on its way out, which nothing turns back: nothing is written for it any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether its namespace is known to be on its way out.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// What is remembered, by Environment.
#[derive(Default)]
pub struct Memories {
    all: Mutex<HashMap<Place, Arc<Memory>>>,
}

impl Memories {
    /// Of this Environment; an earlier one of the same name has left nothing.
    pub fn of(&self, environment: &Environment) -> Arc<Memory> {
        let uid = environment.uid().unwrap_or_default();
        let mut all = locked(&self.all);
        let memory = all.entry(Place::of(environment)).or_default();
        if memory.uid != uid {
            *memory = Arc::new(Memory {
                uid,
                ..Memory::default()
            });
        }
        memory.clone()
    }

    /// This Environment is gone.
    pub fn forget(&self, place: &Place) {
        locked(&self.all).remove(place);
    }
}
