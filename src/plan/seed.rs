//! Fills a new database of a preview: once, after its migration and before any pod of the release starts. That it is filled is
//! recorded beside the data.

use kube::ResourceExt;

use super::record::Record;
use super::situation::Situation;
use super::work::Work;
use super::{Gate, Plan};
use crate::api::{Environment, Reason};
use crate::build::job;
use crate::revision::Revision;
use crate::seen::SeenEnvironment;

/// What the keys of seeds in the record begin with.
const PREFIX: &str = "towpath:seed:";

/// The key that a seed has in the record. What a template was filled with is another Environment's.
#[must_use]
pub fn key(environment: &Environment) -> String {
    format!("{PREFIX}{}", environment.uid().unwrap_or_default())
}

/// Whether an entry of the record is of a seed, and of no migration.
#[must_use]
pub fn is_key(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Fills the database of the target, if it is new. `None`: there is nothing to do, or it is done.
pub fn fill(
    situation: &Situation<'_>,
    plan: &mut Plan,
    record: &Record,
    target: &Revision,
) -> Option<Gate> {
    let seed = target.decided.seed.as_ref()?;
    if let Some(verdict) = &target.facts.given_up {
        let failed = verdict.reason == Reason::SeedFailed;
        return failed.then(|| Gate::new(verdict.reason, verdict.message.clone()));
    }
    let is_done = target.facts.entered.is_some() || record.has_applied(&seed.key);
    if is_done || was_used(situation.seen, target) {
        return None;
    }
    let work = Work {
        job: job::seed(&situation.seen.environment, target.number, seed),
        running: Reason::SeedRunning,
        doing: "Filling the new database".to_owned(),
        failed: Reason::SeedFailed,
        what: "The seed of the database".to_owned(),
    };
    Some(work.advance(situation, plan))
}

/// Whether something has run on this database already: a seed that was declared later is for the next one.
fn was_used(seen: &SeenEnvironment, target: &Revision) -> bool {
    let same = |known: &&Revision| known.decided.incarnation == target.decided.incarnation;
    let mut revisions = seen.revisions.iter().filter(same);
    revisions.any(|known| known.facts.entered.is_some())
}
