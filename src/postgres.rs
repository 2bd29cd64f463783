//! Everything that is asked of PostgreSQL: who a database is, what its record says, and that it and its roles exist.
//!
//! Sessions resolve names in `pg_catalog` only, and run under time limits; see [`client`](self).

mod access;
mod identifier;
mod record;

pub use access::Access;
pub use identifier::{Identifier, Identity};
pub use record::{Entry, Outcome};

use std::fmt;

use async_trait::async_trait;

/// The database servers, as the controller asks them. A trait so that a simulated cluster can answer instead.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Looks at a database: who it is, what its record says, which backends of migrations are left. Changes nothing.
    async fn look(&self, at: &Access, question: &Question) -> Answer;
    /// Makes database and roles as wanted; what exists already is left or mended; safe to repeat after a crash at any
    /// statement. `admin` names a database that always exists, such as `postgres`.
    async fn provide(&self, admin: &Access, want: &Wanted) -> Result<Identity, Failure>;
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

/// The two roles of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Owns the schema; migrations run as it.
    pub owner: Identifier,
    /// Reads and writes rows; the app runs as it.
    pub app: Identifier,
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
    /// Whether the roles asked about are as they must be; true where none were asked about.
    pub roles_ready: bool,
}

/// A database that must exist, with its roles.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the database.
    pub database: Identifier,
    /// The role that owns the schema and migrates.
    pub owner: Role,
    /// The role that reads and writes.
    pub app: Role,
    /// Comment on the database and on its roles: whose they are. What carries another comment is refused.
    pub comment: String,
    /// An earlier comment of the same owner that may be replaced, when kept data is adopted again.
    pub adopts: Option<String>,
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
}

/// PostgreSQL servers, over the network.
#[derive(Clone, Debug, Default)]
pub struct Servers {}

#[async_trait]
impl Databases for Servers {
    async fn look(&self, _at: &Access, _question: &Question) -> Answer {
        Answer::Silent("not asked".into())
    }

    async fn provide(&self, _admin: &Access, _want: &Wanted) -> Result<Identity, Failure> {
        Err(Failure::Silent("not asked".into()))
    }

    async fn record(&self, _at: &Access, _entry: &Entry) -> Result<(), Failure> {
        Err(Failure::Silent("not asked".into()))
    }
}
