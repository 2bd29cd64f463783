//! What to do with databases of previews on shared servers that belong to nobody any more: an object was lost without its
//! finalizer, or somebody let it go. Slow on purpose: what was taken for an orphan by mistake can be had back for two days.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::postgres::{Ownership, SeenOrphan};

/// How long nobody must have missed it before it is put aside, and again before it is dropped.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A step with one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sweep {
    /// It belongs to nobody: note the time.
    Note,
    /// It has belonged to nobody for a day: nobody may connect any more, and it gets another name.
    PutAside,
    /// It was put aside a day ago: it goes, and its roles. Or they alone are left.
    Drop,
    /// It belongs to somebody again: as it was before.
    Restore,
}

/// What to do with each of these databases, by its name. `live`: the uids of all Environments. `scope`: the namespaces that are
/// watched, empty where all are.
#[must_use]
pub fn sweep(
    found: &[SeenOrphan],
    live: &BTreeSet<String>,
    scope: &BTreeSet<String>,
    now: Timestamp,
) -> BTreeMap<String, Sweep> {
    let watched = |owner: &Ownership| scope.is_empty() || scope.contains(&owner.namespace);
    let known = found.iter().filter(|found| watched(&found.owner));
    let steps = known.filter_map(|found| {
        let step = step(found, live.contains(&found.owner.uid), now)?;
        Some((found.database.as_str().to_owned(), step))
    });
    steps.collect()
}

fn step(found: &SeenOrphan, lives: bool, now: Timestamp) -> Option<Sweep> {
    let is_over = |since: Timestamp| now.duration_since(since) >= DAY;
    if found.gone {
        // There is nothing in it that anybody could want back.
        return (!lives).then_some(Sweep::Drop);
    }
    match (lives, found.unseen, found.aside) {
        (true, None, None) => None,
        (true, _, _) => Some(Sweep::Restore),
        (false, None, None) => Some(Sweep::Note),
        (false, Some(since), None) => is_over(since).then_some(Sweep::PutAside),
        (false, _, Some(since)) => is_over(since).then_some(Sweep::Drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Identifier;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ago(hours: i64) -> Timestamp {
        NOW - SignedDuration::from_hours(hours)
    }

    fn found(unseen: Option<Timestamp>, aside: Option<Timestamp>) -> SeenOrphan {
        SeenOrphan {
            database: Identifier::new("towpath_1").unwrap(),
            gone: false,
            owner: Ownership {
                cluster: "production-1".into(),
                kind: "Preview".into(),
                namespace: "shop-previews".into(),
                name: "shop-pr-42".into(),
                uid: "u-1".into(),
            },
            unseen,
            aside,
        }
    }

    fn swept(found: SeenOrphan, live: &[&str], scope: &[&str]) -> Option<Sweep> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let steps = sweep(&[found], &set(live), &set(scope), NOW);
        steps.get("towpath_1").copied()
    }

    #[test]
    fn an_orphan_is_noted_put_aside_a_day_later_and_dropped_another_day_later() {
        assert_eq!(swept(found(None, None), &[], &[]), Some(Sweep::Note));
        assert_eq!(swept(found(Some(ago(23)), None), &[], &[]), None);
        let put_aside = swept(found(Some(ago(24)), None), &[], &[]);
        assert_eq!(put_aside, Some(Sweep::PutAside));
        let aside = found(Some(ago(47)), Some(ago(23)));
        assert_eq!(swept(aside, &[], &[]), None);
        let aside = found(Some(ago(48)), Some(ago(24)));
        assert_eq!(swept(aside, &[], &[]), Some(Sweep::Drop));
    }

    #[test]
    fn roles_without_a_database_go_at_once() {
        let alone = SeenOrphan {
            gone: true,
            ..found(None, None)
        };
        assert_eq!(swept(alone.clone(), &[], &[]), Some(Sweep::Drop));
        assert_eq!(swept(alone.clone(), &["u-1"], &[]), None);
        assert_eq!(swept(alone, &[], &["other"]), None);
    }

    #[test]
    fn what_belongs_to_somebody_is_left_or_given_back() {
        assert_eq!(swept(found(None, None), &["u-1"], &[]), None);
        let noted = found(Some(ago(90)), None);
        assert_eq!(swept(noted, &["u-1"], &[]), Some(Sweep::Restore));
        let aside = found(Some(ago(90)), Some(ago(50)));
        assert_eq!(swept(aside, &["u-1"], &[]), Some(Sweep::Restore));
    }

    #[test]
    fn what_belongs_to_a_namespace_that_is_not_watched_is_left() {
        let orphan = found(Some(ago(90)), None);
        assert_eq!(swept(orphan.clone(), &[], &["other"]), None);
        let watched = swept(orphan, &[], &["shop-previews"]);
        assert_eq!(watched, Some(Sweep::PutAside));
    }

    #[test]
    fn a_clock_that_went_back_drops_nothing() {
        let future = NOW + SignedDuration::from_hours(1);
        assert_eq!(swept(found(Some(future), None), &[], &[]), None);
        assert_eq!(swept(found(Some(future), Some(future)), &[], &[]), None);
    }
}
