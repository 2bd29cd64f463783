//! A golden database made anew: filled beside the present one, looked at, and put into its place. Here is what its parts are called,
//! how they are told from what is somebody else's, and what comes next; nothing here asks the server.

mod begin;
mod handover;
mod parts;
mod swap;

pub use begin::begin;
pub use handover::{SERVICE, service, url};
pub use swap::{Swapped, swap};

use std::fmt;

use super::Identifier;

/// The longest name that leaves room for those of the parts.
const LONGEST: usize = 57;

/// A golden database, and what stands beside it while it is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// What previews are copies of.
    database: Identifier,
    /// What is being filled.
    next: Identifier,
    /// What was replaced and is about to be dropped.
    old: Identifier,
    /// Owns what is filled in, and nobody can log in as it.
    group: Identifier,
    /// Fills, and exists for as long as that takes.
    login: Identifier,
}

impl Golden {
    /// The golden database of this name. It is one that an App may name as its template, so that it needs no quotes anywhere.
    pub fn new(name: &str) -> Result<Self, String> {
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fits = (1..=LONGEST).contains(&name.len()) && name.chars().all(sound);
        if !fits || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!(
                "the name of a golden database must have 1 to {LONGEST} lower-case letters, digits and underscores, no digit first; it is {name:?}"
            ));
        }
        let part = |suffix: &str| Identifier::new(format!("{name}{suffix}"));
        Ok(Self {
            database: part("")?,
            next: part("_next")?,
            old: part("_old")?,
            group: part("_group")?,
            login: part("_fill")?,
        })
    }

    /// Its name.
    pub fn database(&self) -> &Identifier {
        &self.database
    }

    fn name(&self, part: Part) -> &Identifier {
        match part {
            Part::Database => &self.database,
            Part::Next => &self.next,
            Part::Old => &self.old,
            Part::Group => &self.group,
            Part::Login => &self.login,
        }
    }
}

/// One making, told from every other by a random word: who was overtaken by another must not put what the other fills into
/// place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run(String);

impl Run {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// Reads what Display wrote.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == 16 && text.chars().all(hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "the word of a run must have 16 hexadecimal digits; it is {text:?}"
        ))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a golden database is made with: three databases and two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Database,
    Next,
    Old,
    Group,
    Login,
}

impl Part {
    /// How its comment begins. A comment of another part, or of another's, does not count.
    fn mark(self) -> &'static str {
        match self {
            Self::Database => "towpath golden database",
            Self::Next => "towpath golden next",
            Self::Old => "towpath golden old",
            Self::Group => "towpath golden group",
            Self::Login => "towpath golden fill",
        }
    }

    fn is_marked(self, comment: &str) -> bool {
        let rest = comment.strip_prefix(self.mark());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

/// The connection limit of what has no comment yet.
const UNFINISHED: i32 = 1;

/// A database as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    comment: String,
    /// Whether it belongs to the role that asks.
    is_own: bool,
    accepts: bool,
    is_template: bool,
    limit: i32,
}

impl Seen {
    /// Whether it may be dropped or replaced as this part. A comment is the word of the database's owner alone.
    fn is_ours(&self, part: Part) -> bool {
        self.is_own && (part.is_marked(&self.comment) || part == Part::Next && self.is_unfinished())
    }

    /// What a crash between its creation and its comment leaves.
    fn is_unfinished(&self) -> bool {
        self.comment.is_empty() && !self.accepts && !self.is_template && self.limit == UNFINISHED
    }

    fn is_of(&self, part: Part, run: &Run) -> bool {
        let word = format!("run={run}");
        self.is_ours(part) && self.comment.split(' ').any(|known| known == word)
    }

    /// Only what was looked at is made a template.
    fn is_closed(&self) -> bool {
        self.is_template && !self.accepts
    }
}

/// What a run does next with what it has filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Look at what was filled in, and close it.
    Check,
    /// Put it into place.
    Exchange,
    /// Drop what was replaced, and the login.
    CleanUp,
}

/// What comes next, by what stands on the server.
fn next_step(
    golden: &Golden,
    database: Option<&Seen>,
    next: Option<&Seen>,
    run: &Run,
    admin: &str,
) -> Result<Step, String> {
    if database.is_some_and(|seen| seen.is_of(Part::Database, run)) {
        return Ok(Step::CleanUp);
    }
    may_be_replaced(golden, database, admin)?;
    match next.filter(|seen| seen.is_of(Part::Next, run)) {
        Some(seen) if seen.is_closed() => Ok(Step::Exchange),
        Some(seen) if seen.accepts => Ok(Step::Check),
        _ => Err(format!(
            "what was filled in must still be there as {}, and it is not: another run has begun anew. {} stays as it is",
            golden.next.quoted(),
            golden.database.quoted()
        )),
    }
}

/// Refuses a database that was made by hand, until it is handed over.
fn may_be_replaced(golden: &Golden, seen: Option<&Seen>, admin: &str) -> Result<(), String> {
    let Some(seen) = seen.filter(|seen| !seen.is_ours(Part::Database)) else {
        return Ok(());
    };
    let name = golden.database.quoted();
    let owner = postgres_protocol::escape::escape_identifier(admin);
    let give = match seen.is_own {
        true => String::new(),
        false => format!("ALTER DATABASE {name} OWNER TO {owner}; "),
    };
    Err(format!(
        "the database {name} must be handed over before it is replaced and dropped, as it was not made here: {give}COMMENT ON DATABASE {name} IS '{}'",
        Part::Database.mark()
    ))
}

/// A database or role whose name is needed, and which is not ours.
fn foreign(golden: &Golden, part: Part) -> String {
    let what = match part {
        Part::Group | Part::Login => "role",
        Part::Database | Part::Next | Part::Old => "database",
    };
    format!(
        "the {what} {} must not exist, or carry the comment '{}': a golden database is made with one of this name",
        golden.name(part).quoted(),
        part.mark()
    )
}

#[cfg(test)]
mod tests;
