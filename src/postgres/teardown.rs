//! Drops a database and its roles: only those that carry the comment of their owner, which is read just before. What is gone
//! already is done.

use tokio_postgres::types::Type;

use super::session::Session;
use super::{Access, Failure, Identifier, Unwanted, orphans, provision};
use crate::build::names;

/// Drops all that is not wanted any more. It runs outside of the database that it drops, so that nothing in there is asked.
pub async fn remove(admin: &Access, unwanted: &Unwanted) -> Result<(), Failure> {
    let server = Session::open(admin).await?;
    provision::lock(&server, &unwanted.family).await?;
    // Both before anything is dropped: what is foreign is found while all of it still stands.
    let databases = databases(&server, unwanted).await?;
    let roles = roles(&server, unwanted).await?;
    for role in &roles {
        // Who is no superuser must be a member to end their connections.
        provision::act_for(&server, role).await?;
    }
    server.run("SET statement_timeout = '25s'").await?;
    for database in databases {
        let name = database.quoted();
        server
            .run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await?;
    }
    if unwanted.only.is_some() {
        return Ok(());
    }
    if is_left(&server, &unwanted.comment).await? {
        // The last database of its owner takes the roles along.
        return Ok(());
    }
    for role in roles {
        let name = role.quoted();
        disown(&server, &role).await?;
        server.run(&format!("DROP ROLE IF EXISTS {name}")).await?;
    }
    Ok(())
}

/// Whether a database of this owner is left, with notes or without.
async fn is_left(server: &Session, comment: &str) -> Result<bool, Failure> {
    let row = server
        .row(
            "SELECT true FROM pg_database WHERE left(shobj_description(oid, 'pg_database'), length($1)) = $1 LIMIT 1",
            &[(&comment, Type::TEXT)],
        )
        .await?;
    Ok(row.is_some())
}

/// What it made elsewhere, in databases that let everybody in, would keep it.
pub async fn disown(server: &Session, role: &Identifier) -> Result<(), Failure> {
    let drop = format!("DROP OWNED BY {}", role.quoted());
    let rows = server
        .rows(
            "SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid AND d.datallowconn \
             JOIN pg_roles r ON r.oid = s.refobjid WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname::text = $1 \
             AND d.datname <> current_database()",
            &[(&role.as_str(), Type::TEXT)],
        )
        .await?;
    for row in &rows {
        let elsewhere = identifier(server.get(row, 0)?)?;
        let inside = Session::open(&server.at().to_database(&elsewhere)).await?;
        inside.run(&drop).await?;
    }
    Ok(server.run(&drop).await?)
}

/// The databases that carry the comment, and those of that name that a crash left without one.
async fn databases(server: &Session, unwanted: &Unwanted) -> Result<Vec<Identifier>, Failure> {
    let (family, comment) = (unwanted.family.as_str(), unwanted.comment.as_str());
    let rows = server
        .rows(
            "SELECT datname::text, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) = current_user FROM pg_database \
             WHERE starts_with(datname::text, $1) OR shobj_description(oid, 'pg_database') = $2 ORDER BY 1",
            &[(&family, Type::TEXT), (&comment, Type::TEXT)],
        )
        .await?;
    let mut databases = Vec::new();
    for row in &rows {
        let name = identifier(server.get(row, 0)?)?;
        let said: Option<String> = server.get(row, 1)?;
        let made: bool = server.get(row, 2)?;
        let said = said.as_deref().unwrap_or_default();
        let is_spared = |only: &Vec<Identifier>| !only.contains(&name);
        let is_meant = said == comment || is_of(family, name.as_str());
        if !is_meant || unwanted.only.as_ref().is_some_and(is_spared) {
            continue;
        }
        let ours = match said {
            "" => true,
            said => orphans::bare(said) == comment && (unwanted.is_made)(name.as_str()),
        };
        if !ours || !made {
            return Err(Failure::Refused(format!(
                "the database {} is not dropped: it must carry the comment of this Environment and belong to '{}'",
                name.quoted(),
                server.at().user()
            )));
        }
        databases.push(name);
    }
    Ok(databases)
}

/// Whether a name is that of the first database of a family, or it with a number.
pub fn is_of(family: &str, name: &str) -> bool {
    names::nth_of(family, '_', name).is_some()
}

/// The roles that carry the comment.
pub async fn roles(server: &Session, unwanted: &Unwanted) -> Result<Vec<Identifier>, Failure> {
    let comment = unwanted.comment.as_str();
    let rows = server
        .rows(
            "SELECT rolname::text FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = $1 AND NOT rolsuper ORDER BY 1",
            &[(&comment, Type::TEXT)],
        )
        .await?;
    let names = rows.iter().map(|row| identifier(server.get(row, 0)?));
    let names: Vec<Identifier> = names.collect::<Result<_, Failure>>()?;
    let made = names.into_iter();
    Ok(made
        .filter(|name| (unwanted.is_made)(name.as_str()))
        .collect())
}

fn identifier(name: String) -> Result<Identifier, Failure> {
    Identifier::new(name).map_err(Failure::Refused)
}
