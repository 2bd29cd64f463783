//! Everything that is asked of PostgreSQL: who a database is, what its record says, and that it and its roles exist.
//!
//! Sessions resolve names in `pg_catalog` only and run under limits of time, set where the database's owner cannot undo them.

mod access;
pub mod golden;
mod identifier;
mod look;
pub mod orphans;
mod ownership;
mod provision;
mod record;
mod session;
mod teardown;
mod template;

pub use access::Access;
pub use identifier::{Identifier, Identity};
pub use orphans::SeenOrphan;
pub use ownership::Ownership;
pub use record::{Entry, Outcome};

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::outbound::Fault;

/// The database servers, as the controller asks them. A trait so that a simulated cluster can answer instead.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Looks at a database: who it is, what its record says, which backends of migrations are left. Changes nothing.
    async fn look(&self, at: &Access, question: &Question) -> Answer;
    /// Makes database and roles as wanted; what exists already is left or mended; safe to repeat after a crash at any
    /// statement. `admin` names a database that always exists, such as `postgres`.
    async fn provide(&self, admin: &Access, want: &Wanted) -> Result<Identity, Failure>;
    /// Drops databases and their roles, if they carry the comment; what is gone already is done.
    async fn remove(&self, admin: &Access, unwanted: &Unwanted) -> Result<(), Failure>;
    /// Writes one row into the record, as the migration role; the same row twice is one row.
    async fn record(&self, at: &Access, entry: &Entry) -> Result<(), Failure>;
}

/// What is asked of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Counts backends whose `application_name` starts with this. Default: none by name.
    pub application_prefix: Option<String>,
    /// Counts every backend of this role. Leave it out where the app serves with the migration's role: its own
    /// connections would count.
    pub migration_role: Option<Identifier>,
    /// Asks whether these roles and their rights are as [`Databases::provide`] makes them.
    pub roles: Option<Roles>,
    /// Reads the record. Only the migration role may; as another role the answer is a refusal.
    pub record: bool,
}

/// The two roles of a database, and whose all three are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Owns the schema; migrations run as it.
    pub owner: Identifier,
    /// Reads and writes rows; the app runs as it.
    pub app: Identifier,
    /// The comment that the database and both roles must carry.
    pub comment: String,
    /// The first database with these roles: others carry its name with a number.
    pub family: Identifier,
}

/// What a database said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Found(SeenDatabase),
    /// It said no: a person must change something. A sentence without secrets.
    Refused(String),
    /// No answer: no connection, a time-out, or it is starting up.
    Silent(String),
}

/// A database as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenDatabase {
    /// Who it is.
    pub identity: Identity,
    /// Its record, the oldest entry first; empty where it was not asked for.
    pub record: Vec<Entry>,
    /// `application_name` of each backend that [`Question`] counts, sorted.
    pub backends: Vec<String>,
    /// The other databases with the roles asked about, sorted.
    pub others: Vec<Identifier>,
    /// Whether the roles asked about are as they must be; true where none were asked about.
    pub roles_ready: bool,
}

/// A database that must exist, with its roles.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the database.
    pub database: Identifier,
    /// The first database with these roles, which others stand beside: what is made or dropped of them is under its lock.
    pub family: Identifier,
    /// The role that owns the schema and migrates.
    pub owner: Role,
    /// The role that reads and writes.
    pub app: Role,
    /// Comment on the database and on its roles: whose they are. What carries another comment is refused.
    pub comment: String,
    /// An earlier comment of the same owner that may be replaced, beside those that say the same but for the uid.
    pub adopts: Option<String>,
    /// Whether the server is the owner's alone: what was made there for whomever is adopted, such as on a volume that comes
    /// from another cluster.
    pub whole_server: bool,
    /// The golden database that a new one is a copy of. Default: an empty one.
    pub template: Option<Identifier>,
    /// How many connections it takes at most. Default: as many as the server.
    pub connection_limit: Option<u16>,
}

/// Databases that must not exist any more, and their roles.
#[derive(Clone, Debug)]
pub struct Unwanted {
    /// Name that the first got when it was made; the others carry it with a number. An adopted one has another, and is found
    /// by its comment.
    pub family: Identifier,
    /// The comment that it must carry.
    pub comment: String,
    /// Whether a database or a role of this name can have been made here.
    pub is_made: fn(&str) -> bool,
    /// Only these databases, and no role. Default: all.
    pub only: Option<Vec<Identifier>>,
}

/// A role that can log in.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: Identifier,
    /// Its password.
    pub password: Password,
}

/// A password. Its Debug prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why something asked for was not done. Sentences without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server said no: a person must change something.
    #[error("{0}")]
    Refused(String),
    /// No answer: no connection, a time-out, or it is starting up.
    #[error("{0}")]
    Silent(String),
    /// Something that it needs is in use, which ends by itself.
    #[error("{0}")]
    Busy(String),
}

/// PostgreSQL servers, over the network: a connection for each question, and none that stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Servers;

/// How long each question may take in all, whatever the server does. Statements have limits of their own within.
const LOOK: Duration = Duration::from_secs(15);
const PROVIDE: Duration = Duration::from_secs(60);

#[async_trait]
impl Databases for Servers {
    async fn look(&self, at: &Access, question: &Question) -> Answer {
        match within(LOOK, at, look::look(at, question)).await {
            Ok(seen) => Answer::Found(seen),
            Err(Failure::Refused(why)) => Answer::Refused(why),
            Err(Failure::Silent(why) | Failure::Busy(why)) => Answer::Silent(why),
        }
    }

    async fn provide(&self, admin: &Access, want: &Wanted) -> Result<Identity, Failure> {
        within(PROVIDE, admin, provision::provide(admin, want)).await
    }

    async fn remove(&self, admin: &Access, unwanted: &Unwanted) -> Result<(), Failure> {
        within(PROVIDE, admin, teardown::remove(admin, unwanted)).await
    }

    async fn record(&self, at: &Access, entry: &Entry) -> Result<(), Failure> {
        within(LOOK, at, record::write(at, entry)).await
    }
}

async fn within<T>(
    limit: Duration,
    at: &Access,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let silent = |_| {
        Failure::Silent(format!(
            "PostgreSQL at {} did not answer: {}",
            at.address(),
            Fault::TimedOut
        ))
    };
    tokio::time::timeout(limit, work).await.map_err(silent)?
}
