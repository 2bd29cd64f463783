//! The record of migrations: a table beside the data that it describes, so that a restored backup brings the right one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::session::{Session, Trouble};
use super::{Access, Failure};

/// More than any app has migrations; a database is not trusted with the controller's memory.
const MOST_ENTRIES: i64 = 10_000;

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

impl Outcome {
    /// Its name in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::MarkedApplied => "MarkedApplied",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Succeeded, Self::Failed, Self::MarkedApplied]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| {
                format!("an outcome must be Succeeded, Failed or MarkedApplied; it is {text:?}")
            })
    }
}

/// Reads the record; where there is none yet it is empty. A session of a superuser may read it too: the table is held and
/// checked to be a plain one first, because reading a view would run its owner's code with the reader's rights.
pub async fn read(session: &Session) -> Result<Vec<Entry>, Failure> {
    if !exists(session).await? {
        return Ok(Vec::new());
    }
    session
        .run("BEGIN READ ONLY; LOCK TABLE towpath.migrations IN ACCESS SHARE MODE")
        .await?;
    must_be_plain(session).await?;
    let rows = session
        .rows(
            "SELECT left(key, 512), revision, outcome, started, finished, left(note, 1024) FROM ONLY towpath.migrations \
             ORDER BY finished DESC NULLS FIRST, revision DESC, key DESC LIMIT $1",
            &[(&MOST_ENTRIES, Type::INT8)],
        )
        .await?;
    session.run("COMMIT").await?;
    rows.iter()
        .rev()
        .map(|row| entry(row).ok_or_else(malformed))
        .collect()
}

/// Writes one entry, making the table if there is none. The same entry twice is one row; a later outcome of the same key
/// and revision replaces an earlier one, but a failure never replaces a success.
pub async fn write(at: &Access, entry: &Entry) -> Result<(), Failure> {
    let session = Session::open(at).await?;
    // A trigger on the table would run with the writer's rights.
    if session.is_superuser().await? {
        return Err(Failure::Refused(format!(
            "the record must be written by the migration role, and '{}' is a superuser",
            at.user()
        )));
    }
    session
        .run("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('towpath.migrations', 0))")
        .await?;
    if !exists(&session).await? {
        session.run(TABLE).await?;
    }
    must_be_plain(&session).await?;
    insert(&session, entry).await?;
    must_have(&session, entry).await?;
    Ok(session.run("COMMIT").await?)
}

/// A trigger or a rule of the migration role may have swallowed it: then it would be written without end.
async fn must_have(session: &Session, entry: &Entry) -> Result<(), Failure> {
    let row = session
        .row(
            "SELECT 1 FROM ONLY towpath.migrations WHERE key = $1 AND revision = $2",
            &[(&entry.key, Type::TEXT), (&entry.revision, Type::INT8)],
        )
        .await?;
    row.map(|_| ()).ok_or_else(|| {
        let sentence = "what is written to towpath.migrations must stay there: a trigger, a rule or row security takes it away";
        Failure::Refused(sentence.into())
    })
}

/// Nothing is granted to anyone: the app has no business here.
const TABLE: &str = "CREATE SCHEMA IF NOT EXISTS towpath; \
    CREATE TABLE towpath.migrations (key text, revision bigint, outcome text NOT NULL, started timestamptz, finished timestamptz, \
    note text, PRIMARY KEY (key, revision))";

async fn insert(session: &Session, entry: &Entry) -> Result<(), Trouble> {
    session
        .rows(
            "INSERT INTO towpath.migrations AS m (key, revision, outcome, started, finished, note) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (key, revision) DO UPDATE SET outcome = excluded.outcome, started = excluded.started, \
             finished = excluded.finished, note = excluded.note \
             WHERE NOT (excluded.outcome = 'Failed' AND m.outcome <> 'Failed') AND (m.outcome, m.started, m.finished, m.note) \
             IS DISTINCT FROM (excluded.outcome, excluded.started, excluded.finished, excluded.note)",
            &[
                (&entry.key, Type::TEXT),
                (&entry.revision, Type::INT8),
                (&entry.outcome.as_str(), Type::TEXT),
                (&entry.started, Type::TIMESTAMPTZ),
                (&entry.finished, Type::TIMESTAMPTZ),
                (&entry.note, Type::TEXT),
            ],
        )
        .await?;
    Ok(())
}

async fn exists(session: &Session) -> Result<bool, Trouble> {
    let row = session
        .row(
            "SELECT count(*) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'towpath' AND c.relname = 'migrations'",
            &[],
        )
        .await?;
    row.map_or(Ok(false), |row| session.get(&row, 0))
}

/// Refuses a record that is anything but a table of the system's own types: then reading it runs nobody's code.
async fn must_be_plain(session: &Session) -> Result<(), Failure> {
    let row = session
        .row(
            "SELECT c.relkind = 'r' AND 6 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped \
               AND a.attgenerated = '' AND (a.attname::text, a.atttypid) IN (('key', 'text'::regtype), ('revision', 'int8'::regtype), \
               ('outcome', 'text'::regtype), ('started', 'timestamptz'::regtype), ('finished', 'timestamptz'::regtype), \
               ('note', 'text'::regtype))) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'towpath' AND c.relname = 'migrations'",
            &[],
        )
        .await?;
    let plain: bool = row.map_or(Ok(false), |row| session.get(&row, 0))?;
    if plain { Ok(()) } else { Err(malformed()) }
}

fn malformed() -> Failure {
    Failure::Refused(
        "towpath.migrations must be a table (key text, revision bigint, outcome text, started timestamptz, finished timestamptz, \
         note text) whose outcomes are Succeeded, Failed or MarkedApplied"
            .into(),
    )
}

fn entry(row: &Row) -> Option<Entry> {
    let outcome: String = row.try_get(2).ok()?;
    Some(Entry {
        key: row.try_get(0).ok()?,
        revision: row.try_get(1).ok()?,
        outcome: outcome.parse().ok()?,
        started: row.try_get(3).ok()?,
        finished: row.try_get(4).ok()?,
        note: row.try_get(5).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_written() {
        for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::MarkedApplied] {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        assert!("succeeded".parse::<Outcome>().is_err());
    }
}
