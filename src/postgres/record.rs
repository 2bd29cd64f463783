//! The record of migrations, kept beside the data that it describes.

use jiff::Timestamp;

/// One migration, as the record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The migration key.
    pub key: String,
    /// The revision that it ran for.
    pub revision: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began, if known.
    pub started: Option<Timestamp>,
    /// When it ended, if known.
    pub finished: Option<Timestamp>,
    /// A word for people, such as who marked it as applied.
    pub note: Option<String>,
}

/// How a migration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was applied.
    Succeeded,
    /// It was not.
    Failed,
    /// A person said that it is applied.
    MarkedApplied,
}
