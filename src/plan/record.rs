//! The record of migrations: it lives with the data that it describes, and where it differs from a revision it counts.

use kube::ResourceExt;

use super::{database, situation};
use crate::api::environment::Provider;
use crate::build::{config_map, names};
use crate::postgres::{Answer, Entry, Outcome};
use crate::seen::SeenEnvironment;

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
            .find(|entry| entry.outcome != Outcome::Failed)
    }
}
