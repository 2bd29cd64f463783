//! The databases and roles that a golden database is made with, as the server has them.

use tokio_postgres::types::Type;

use super::{Golden, Part, Seen, foreign};
use crate::postgres::session::{Session, Trouble};
use crate::postgres::{Access, Failure, Identifier, provision, teardown};

/// Opens a session for work on a golden database, which nobody else works on in the meantime.
pub async fn open(admin: &Access, golden: &Golden) -> Result<Session, Failure> {
    let server = Session::open(admin).await?;
    provision::lock(&server, &golden.database).await?;
    // Large files take a while to be unlinked, and a rename waits for who is on the way out.
    server.run("SET statement_timeout = '60s'").await?;
    Ok(server)
}

/// A database by its name.
pub async fn database(server: &Session, name: &Identifier) -> Result<Option<Seen>, Failure> {
    let row = server
        .row(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), ''), pg_get_userbyid(datdba) = current_user, \
             datallowconn, datistemplate, datconnlimit FROM pg_database WHERE datname::text = $1",
            &[(&name.as_str(), Type::TEXT)],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Seen {
        comment: server.get(&row, 0)?,
        is_own: server.get(&row, 1)?,
        accepts: server.get(&row, 2)?,
        is_template: server.get(&row, 3)?,
        limit: server.get(&row, 4)?,
    }))
}

/// Drops a database of ours, whoever is connected to it; what is gone already is done.
pub async fn drop_database(server: &Session, golden: &Golden, part: Part) -> Result<(), Failure> {
    let name = golden.name(part);
    let Some(seen) = database(server, name).await? else {
        return Ok(());
    };
    if !seen.is_ours(part) {
        return Err(Failure::Refused(foreign(golden, part)));
    }
    let name = name.quoted();
    if seen.is_template {
        let plain = format!("ALTER DATABASE {name} WITH IS_TEMPLATE false");
        server.run(&plain).await?;
    }
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    Ok(server.run(&drop).await?)
}

/// Whether a role is there. One without our comment is refused: a role and its comment are made in one transaction.
pub async fn has_role(server: &Session, golden: &Golden, part: Part) -> Result<bool, Failure> {
    let name = golden.name(part).as_str();
    let row = server
        .row(
            "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname::text = $1",
            &[(&name, Type::TEXT)],
        )
        .await?;
    let comment: Option<String> = row.map(|row| server.get(&row, 0)).transpose()?;
    match comment {
        None => Ok(false),
        Some(comment) if part.is_marked(&comment) => Ok(true),
        Some(_) => Err(Failure::Refused(foreign(golden, part))),
    }
}

/// Makes a role with its comment.
pub async fn create_role(
    server: &Session,
    golden: &Golden,
    part: Part,
    attributes: &str,
) -> Result<(), Trouble> {
    let (name, mark) = (golden.name(part).quoted(), part.mark());
    let create = format!("CREATE ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE {attributes}");
    server
        .run(&format!("{create}; COMMENT ON ROLE {name} IS '{mark}'"))
        .await
}

/// Lets the login in no more, and lets the provisioner end its connections. Says whether there is one.
pub async fn shut_out(server: &Session, golden: &Golden) -> Result<bool, Failure> {
    let is_there = has_role(server, golden, Part::Login).await?;
    if is_there {
        provision::act_for(server, &golden.login).await?;
        let login = golden.login.quoted();
        server.run(&format!("ALTER ROLE {login} NOLOGIN")).await?;
    }
    Ok(is_there)
}

/// Drops the login, with what it may have made in databases that let everybody in.
pub async fn drop_login(server: &Session, golden: &Golden) -> Result<(), Failure> {
    if !shut_out(server, golden).await? {
        return Ok(());
    }
    teardown::disown(server, &golden.login).await?;
    let login = golden.login.quoted();
    Ok(server.run(&format!("DROP ROLE IF EXISTS {login}")).await?)
}
