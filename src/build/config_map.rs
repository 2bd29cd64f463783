//! `ConfigMap`: immutable copies of the user's, named by content; and the record of an external database.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::metadata::Of;
use super::{hash, names};
use crate::api::{Environment, labels};
use crate::postgres::{Entry, Outcome};

/// Key of the record's entries.
const ENTRIES: &str = "entries";

/// Names the content of a ConfigMap.
#[must_use]
pub fn content(original: &ConfigMap) -> String {
    hash::of(&(&original.data, &original.binary_data), 10)
}

/// The immutable copy of a ConfigMap.
#[must_use]
pub fn copy(environment: &Environment, original: &ConfigMap) -> ConfigMap {
    let name = names::config(&environment.name_any(), &content(original));
    let mut metadata = Of::environment(environment).owned(name);
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "config".to_owned());
    ConfigMap {
        metadata,
        data: original.data.clone(),
        binary_data: original.binary_data.clone(),
        immutable: Some(true),
    }
}

/// The record of an external database: kept like data.
#[must_use]
pub fn record(environment: &Environment, identity: &str, entries: &[Entry]) -> ConfigMap {
    let mut metadata = Of::environment(environment).data(names::record(&environment.name_any()));
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "record".to_owned());
    metadata.annotations = Some(BTreeMap::from([(
        labels::DATABASE_IDENTITY.to_owned(),
        identity.to_owned(),
    )]));
    let lines: Vec<String> = entries.iter().map(line).collect();
    ConfigMap {
        metadata,
        data: Some(BTreeMap::from([(ENTRIES.to_owned(), lines.join("\n"))])),
        ..ConfigMap::default()
    }
}

/// The entries of a record; lines that nobody wrote here are passed over.
#[must_use]
pub fn entries(record: &ConfigMap) -> Vec<Entry> {
    let text = record.data.as_ref().and_then(|data| data.get(ENTRIES));
    text.map(|text| text.lines().filter_map(read).collect())
        .unwrap_or_default()
}

#[derive(Deserialize, Serialize)]
struct Line {
    key: String,
    revision: i64,
    outcome: String,
    finished: Option<jiff::Timestamp>,
}

fn line(entry: &Entry) -> String {
    let line = Line {
        key: entry.key.clone(),
        revision: entry.revision,
        outcome: format!("{:?}", entry.outcome),
        finished: entry.finished,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

fn read(text: &str) -> Option<Entry> {
    let line: Line = serde_json::from_str(text).ok()?;
    let outcome = match line.outcome.as_str() {
        "Succeeded" => Outcome::Succeeded,
        "MarkedApplied" => Outcome::MarkedApplied,
        _ => Outcome::Failed,
    };
    Some(Entry {
        key: line.key,
        revision: line.revision,
        outcome,
        started: None,
        finished: line.finished,
        note: None,
    })
}
