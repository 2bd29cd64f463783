//! A golden database that new ones are copies of: how it is copied, and who owns what was copied.

use tokio_postgres::types::Type;

use super::session::{Session, Trouble};
use super::{Failure, Identifier, provision};

/// Up to this size a copy is written through the log, without the two checkpoints that copying files needs.
const SMALL: i64 = 64 << 20;

/// How the server copies a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// As it always did: servers before 15 know one way only.
    Only,
    /// Block by block, through the log.
    WalLog,
    /// File by file.
    FileCopy,
    /// File by file, by references to the same blocks where the file system can.
    Clone,
}

impl Strategy {
    /// The quickest way to copy so many bytes on a server of this version, such as 150004.
    #[must_use]
    pub fn of(bytes: i64, version: i32) -> Self {
        match version {
            ..150_000 => Self::Only,
            _ if bytes <= SMALL => Self::WalLog,
            150_000..180_000 => Self::FileCopy,
            _ => Self::Clone,
        }
    }

    /// The clause of CREATE DATABASE.
    fn clause(self) -> &'static str {
        match self {
            Self::Only => "",
            Self::WalLog => " STRATEGY wal_log",
            Self::FileCopy | Self::Clone => " STRATEGY file_copy",
        }
    }
}

/// Makes a database as a copy of a golden one.
pub async fn copy(
    server: &Session,
    name: &Identifier,
    template: &Identifier,
) -> Result<(), Failure> {
    let bytes = size(server, template).await?;
    let strategy = Strategy::of(bytes, server.version().await?);
    if strategy == Strategy::Clone {
        server.run("SET file_copy_method = clone").await?;
    }
    let (name, clause) = (name.quoted(), strategy.clause());
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE {}{clause} CONNECTION LIMIT {}",
        template.quoted(),
        provision::UNFINISHED
    );
    server
        .run(&create)
        .await
        .map_err(|trouble| why(trouble, template, strategy))
}

/// Why a golden database was not copied.
fn why(trouble: Trouble, template: &Identifier, strategy: Strategy) -> Failure {
    let code = trouble.code.as_ref().map(|code| code.code().to_owned());
    let template = template.quoted();
    match code.as_deref() {
        // Somebody is connected to what refuses connections, or copies it: that ends by itself.
        Some("55006") => Failure::Busy(format!(
            "The template {template} is in use; it is copied when it is not"
        )),
        Some("53100") => match trouble.into() {
            Failure::Silent(why) => Failure::Refused(why),
            failure => failure,
        },
        // The server stumbles in clearing up, and says that instead of what went wrong before.
        Some("XX000") if strategy == Strategy::WalLog => Failure::Refused(format!(
            "the template {template} could not be copied; the server's disk may have no room for it: {}",
            Failure::from(trouble)
        )),
        _ => trouble.into(),
    }
}

/// The size of a golden database, if it is one.
async fn size(server: &Session, template: &Identifier) -> Result<i64, Failure> {
    let row = server
        .row(
            "SELECT datistemplate AND NOT datallowconn, pg_database_size(oid) \
             FROM pg_database WHERE datname::text = $1",
            &[(&template.as_str(), Type::TEXT)],
        )
        .await?;
    let name = template.quoted();
    let Some(row) = row else {
        return Err(Failure::Refused(format!(
            "the template {name} must exist on the server"
        )));
    };
    match server.get(&row, 0)? {
        true => Ok(server.get(&row, 1)?),
        false => Err(Failure::Refused(format!(
            "the template {name} must be one that refuses connections: ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
        ))),
    }
}

/// The role that owns what a copy holds. `None`: it holds nothing.
pub async fn group(inside: &Session) -> Result<Option<Identifier>, Failure> {
    let owners = [
        owners_in(
            "pg_class",
            "relowner",
            " AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')",
        ),
        owners_in("pg_proc", "proowner", ""),
        owners_in("pg_namespace", "nspowner", ""),
        owners_in("pg_type", "typowner", ""),
    ];
    let rows = inside
        .rows(
            &format!(
                "SELECT r.rolname::text, NOT r.rolcanlogin AND NOT r.rolsuper AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid) \
                 FROM pg_roles r WHERE r.oid IN ({}) ORDER BY 1",
                owners.join(" UNION ")
            ),
            &[],
        )
        .await?;
    let mut owners = Vec::new();
    let mut fits = true;
    for row in &rows {
        owners.push(inside.get::<String>(row, 0)?);
        fits &= inside.get::<bool>(row, 1)?;
    }
    match owners.as_slice() {
        [] => Ok(None),
        [one] if fits => Identifier::new(one).map(Some).map_err(Failure::Refused),
        _ => Err(Failure::Refused(format!(
            "what the template holds must belong to one role that cannot log in, is no superuser and owns no database; it belongs to {}",
            owners.join(", ")
        ))),
    }
}

/// Who owns what people made in a catalog. What an extension brought belongs to who installed it, mostly a superuser; the type of
/// a table goes with its table.
fn owners_in(catalog: &str, owner: &str, more: &str) -> String {
    format!(
        "SELECT {owner} FROM {catalog} o WHERE o.oid >= 16384{more} AND NOT EXISTS (SELECT FROM pg_depend d \
         WHERE d.classid = '{catalog}'::regclass AND d.objid = o.oid AND d.deptype IN ('e', 'i'))"
    )
}

/// The role that this login acts as in this database. The login can write that down itself, so only a role counts that it was
/// made a member of, and that nobody can log in as.
pub async fn acts_as(inside: &Session, login: &Identifier) -> Result<Option<Identifier>, Failure> {
    let row = inside
        .row(
            "SELECT r.rolname::text FROM pg_db_role_setting s JOIN pg_roles m ON m.oid = s.setrole AND m.rolname::text = $1 \
             JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database(), unnest(s.setconfig) setting \
             JOIN pg_roles r ON 'role=' || r.rolname = setting AND NOT r.rolcanlogin AND NOT r.rolsuper \
             WHERE pg_has_role(m.oid, r.oid, 'MEMBER')",
            &[(&login.as_str(), Type::TEXT)],
        )
        .await?;
    let name: Option<String> = row.map_or(Ok(None), |row| inside.get(&row, 0))?;
    let name = name.map(|name| Identifier::new(name).map_err(Failure::Refused));
    name.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_way_depends_on_size_and_version() {
        for (bytes, version, strategy) in [
            (8 << 20, 140_011, Strategy::Only),
            (8 << 30, 140_011, Strategy::Only),
            (8 << 20, 150_004, Strategy::WalLog),
            (64 << 20, 170_000, Strategy::WalLog),
            ((64 << 20) + 1, 150_000, Strategy::FileCopy),
            (8 << 30, 170_002, Strategy::FileCopy),
            (8 << 20, 180_000, Strategy::WalLog),
            (8 << 30, 180_001, Strategy::Clone),
        ] {
            assert_eq!(
                Strategy::of(bytes, version),
                strategy,
                "{bytes} on {version}"
            );
        }
        assert_eq!(Strategy::Only.clause(), "");
        assert_eq!(Strategy::WalLog.clause(), " STRATEGY wal_log");
        assert_eq!(Strategy::Clone.clause(), " STRATEGY file_copy");
    }
}
