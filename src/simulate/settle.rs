//! Lets a world go on by itself, in the default order, until nothing happens any more.

use jiff::Timestamp;

use super::apps::AppPass;
use super::effect::Effect;
use super::previews::PreviewPass;
use super::world::{Pass, World};

/// So many steps at most: a world that does not settle in them will not.
const MOST: usize = 100_000;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Towpath passed over the Environment of this name.
    Pass(&'a str, &'a Pass),
    /// Towpath passed over the App of this name.
    App(&'a str, &'a AppPass),
    /// Towpath passed over the Preview of this name.
    Preview(&'a str, &'a PreviewPass),
    /// An actor did something.
    Effect(&'a Effect),
}

impl World {
    /// Lets everything happen until nothing has changed for so many seconds, and shows each event to `watch`. Whether the
    /// world has come to rest.
    pub fn settle(&mut self, quiet: i64, watch: &mut dyn FnMut(&Self, Event<'_>)) -> bool {
        let mut changed = (self.store.version, self.store.now);
        let mut passed = None;
        let mut look_at = None;
        for _ in 0..MOST {
            if passed != Some(self.store.version) || look_at.is_some_and(|at| at <= self.store.now)
            {
                let before = self.store.version;
                look_at = self.pass_over_all(watch);
                passed = (before == self.store.version).then_some(before);
                continue;
            }
            if let Some(effect) = self.possible().first() {
                self.happen(effect);
                watch(self, Event::Effect(effect));
                continue;
            }
            if changed.0 != self.store.version {
                changed = (self.store.version, self.store.now);
            }
            let still = self.store.now.duration_since(changed.1).as_secs();
            if still >= quiet && !self.migrates() {
                return true;
            }
            self.wait(1);
        }
        false
    }

    fn pass_over_all(&mut self, watch: &mut dyn FnMut(&Self, Event<'_>)) -> Option<Timestamp> {
        let mut look_at = None;
        for name in self.sourced() {
            let pass = self.pass_app(&name);
            if let Some(pass) = &pass {
                watch(self, Event::App(&name, pass));
            }
            look_at = [look_at, pass.and_then(|pass| pass.plan.next)]
                .into_iter()
                .flatten()
                .min();
        }
        for name in self.previews() {
            let pass = self.pass_preview(&name);
            if let Some(pass) = &pass {
                watch(self, Event::Preview(&name, pass));
            }
            look_at = [look_at, pass.and_then(|pass| pass.plan.next)]
                .into_iter()
                .flatten()
                .min();
        }
        for name in self.environments() {
            let Some(pass) = self.pass(&name) else {
                continue;
            };
            watch(self, Event::Pass(&name, &pass));
            look_at = [look_at, pass.plan.next].into_iter().flatten().min();
        }
        look_at
    }

    /// Whether a migration has not ended.
    fn migrates(&self) -> bool {
        let mut jobs = self.store.jobs.values();
        jobs.any(|job| {
            let status = job.status.as_ref();
            status.is_none_or(|status| status.conditions.iter().flatten().count() == 0)
        })
    }
}
