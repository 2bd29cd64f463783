//! The record of migrations: it lives with the data that it describes, and where it differs from a revision it counts.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{database, seed, situation};
use crate::api::environment::Provider;
use crate::build::{config_map, names};
use crate::postgres::{Answer, Entry, Outcome};
use crate::seen::SeenEnvironment;

/// So many image digests are kept in the record of an external database, where nobody declared a migration key: every image
/// writes one, and no object may grow without end.
const DIGESTS: usize = 64;

/// What was migrated, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Record {
    /// Reads the record: of a database that was made here from the database, of an external one from its ConfigMap, which says
    /// nothing about another database than the one that it was written for.
    #[must_use]
    pub fn of(seen: &SeenEnvironment) -> Self {
        let external = seen
            .environment
            .spec
            .database
            .as_ref()
            .is_some_and(|database| database.provider == Provider::External);
        if external {
            let name = names::record(&seen.environment.name_any());
            let another = situation::has_answered(seen) && !database::is_known(seen);
            let kept = seen.children.config_maps.get(&name);
            let entries = kept
                .filter(|_| !another)
                .map(|record| config_map::entries(record));
            return Self {
                entries: entries.unwrap_or_default(),
            };
        }
        match &seen.database {
            Some(Answer::Found(database)) => Self {
                entries: database.record.clone(),
            },
            _ => Self::default(),
        }
    }

    /// Whether the migration of this key was applied, by whichever revision: nothing runs it again.
    #[must_use]
    pub fn has_applied(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.key == key && matches!(entry.outcome, Outcome::Succeeded | Outcome::MarkedApplied)
        })
    }

    /// The newest entry that was applied.
    #[must_use]
    pub fn newest(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.outcome != Outcome::Failed && !seed::is_key(&entry.key))
    }
}

/// What is kept of the record of an external database: every key but the oldest digests of images that no revision names. An
/// image that is named again after so many others is migrated again, which its tool must bear without a declared key anyway.
#[must_use]
pub fn kept(mut entries: Vec<Entry>, seen: &SeenEnvironment) -> Vec<Entry> {
    let revisions = seen.revisions.iter();
    let migrations = revisions.filter_map(|revision| revision.decided.migration.as_ref());
    let named: BTreeSet<&str> = migrations.map(|migration| migration.key.as_str()).collect();
    forget_digests(&mut entries, &named);
    entries
}

fn forget_digests(entries: &mut Vec<Entry>, named: &BTreeSet<&str>) {
    let may_go = |entry: &Entry| {
        entry.outcome == Outcome::Succeeded
            && is_digest(&entry.key)
            && !named.contains(entry.key.as_str())
    };
    let digests = entries.iter().filter(|entry| may_go(entry)).count();
    let mut surplus = digests.saturating_sub(DIGESTS);
    entries.retain(|entry| {
        let goes = surplus > 0 && may_go(entry);
        surplus -= usize::from(goes);
        !goes
    });
}

/// Whether a key is the digest of an image, as it is where nobody declared one.
fn is_digest(key: &str) -> bool {
    let digits = key.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> String {
        format!("sha256:{number:064x}")
    }

    fn entry(key: String, outcome: Outcome) -> Entry {
        Entry {
            key,
            revision: 1,
            outcome,
            started: None,
            finished: None,
            note: None,
        }
    }

    #[test]
    fn only_the_oldest_digests_are_forgotten_and_none_that_a_revision_names() {
        let mut entries = vec![
            entry("k1".to_owned(), Outcome::Succeeded),
            entry(digest(1000), Outcome::MarkedApplied),
        ];
        entries.extend((0..70).map(|number| entry(digest(number), Outcome::Succeeded)));
        let named = digest(2);
        forget_digests(&mut entries, &BTreeSet::from([named.as_str()]));
        let kept: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut expected = vec!["k1".to_owned(), digest(1000), digest(2)];
        expected.extend((6..70).map(digest));
        assert_eq!(kept, expected);
        let before = entries.clone();
        forget_digests(&mut entries, &BTreeSet::from([named.as_str()]));
        assert_eq!(entries, before);
    }

    #[test]
    fn declared_keys_are_never_forgotten() {
        let mut entries: Vec<Entry> = (0..200)
            .map(|number| entry(format!("{number:040x}"), Outcome::Succeeded))
            .collect();
        forget_digests(&mut entries, &BTreeSet::new());
        assert_eq!(entries.len(), 200);
    }
}
