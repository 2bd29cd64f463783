//! Makes a database and its two roles. Every step first looks at what is there, so that the whole can be repeated after
//! it ended anywhere.

use postgres_protocol::escape::escape_literal;
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::look;
use super::session::{Session, Trouble};
use super::{Access, Failure, Identifier, Identity, Role, Wanted};

/// Makes all that is wanted. While this runs nobody else provides the same database on the same server.
pub async fn provide(admin: &Access, want: &Wanted) -> Result<Identity, Failure> {
    let server = Session::open(admin).await?;
    let name = want.database.as_str();
    server
        .rows(
            "SELECT pg_advisory_lock(hashtextextended($1, 0))",
            &[(&name, Type::TEXT)],
        )
        .await?;
    let owner_is_new = role(&server, &want.owner, want).await?;
    let app_is_new = role(&server, &want.app, want).await?;
    database(&server, want).await?;
    let inside = Session::open(&admin.to_database(&want.database)).await?;
    act_for_owner(&inside, &want.owner.name).await?;
    inside.run(&rights(want)).await?;
    grant_what_is_there(&inside, want).await?;
    for (role, is_new) in [(&want.owner, owner_is_new), (&want.app, app_is_new)] {
        if !is_new {
            keep_password(&server, role, &want.database).await?;
        }
    }
    Ok(look::identity(&inside).await?)
}

/// Whose a database or role is, by its comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ours,
    /// Ours by an earlier comment, which is to be replaced.
    Earlier,
    /// Without a comment.
    None,
    Foreign,
}

impl Mark {
    fn of(comment: Option<&str>, want: &Wanted) -> Self {
        match comment.filter(|comment| !comment.is_empty()) {
            None => Self::None,
            Some(comment) if comment == want.comment => Self::Ours,
            Some(comment) if Some(comment) == want.adopts.as_deref() => Self::Earlier,
            Some(_) => Self::Foreign,
        }
    }
}

/// Makes a role, or mends one of ours; says whether it is new. A role and its comment are made in one transaction, so one
/// without our comment is not ours.
async fn role(server: &Session, role: &Role, want: &Wanted) -> Result<bool, Failure> {
    let found = server
        .row(
            "SELECT shobj_description(oid, 'pg_authid'), NOT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, \
             rolbypassrls FROM pg_roles WHERE rolname = $1",
            &[(&role.name.as_str(), Type::TEXT)],
        )
        .await?;
    let name = role.name.quoted();
    let comment = format!(
        "COMMENT ON ROLE {name} IS {}",
        escape_literal(&want.comment)
    );
    let Some(found) = found else {
        let verifier = escape_literal(&verifier(role));
        let create = format!(
            "CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {verifier}"
        );
        server.run(&format!("{create}; {comment}")).await?;
        return Ok(true);
    };
    let mark: Option<String> = server.get(&found, 0)?;
    match Mark::of(mark.as_deref(), want) {
        Mark::Ours => {}
        Mark::Earlier => server.run(&comment).await?,
        Mark::None | Mark::Foreign => return Err(belongs_to_another("role", &role.name)),
    }
    // Only what differs is named: who is no superuser may not even name the attributes of one.
    let mut mended = String::new();
    let words = [
        "LOGIN",
        "NOSUPERUSER",
        "NOCREATEDB",
        "NOCREATEROLE",
        "NOREPLICATION",
        "NOBYPASSRLS",
    ];
    for (column, word) in (1..).zip(words) {
        if server.get(&found, column)? {
            mended = format!("{mended} {word}");
        }
    }
    if !mended.is_empty() {
        server.run(&format!("ALTER ROLE {name}{mended}")).await?;
    }
    Ok(false)
}

/// Makes the database, or accepts one of ours. It belongs to the role that provides, because an owner can rewrite the
/// comment that guards it. One without a comment is what a crash between its creation and its comment leaves, if it
/// belongs to that role.
async fn database(server: &Session, want: &Wanted) -> Result<(), Failure> {
    let name = want.database.quoted();
    let found = server
        .row(
            "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = $1",
            &[(&want.database.as_str(), Type::TEXT)],
        )
        .await?;
    let mark = match &found {
        None => {
            // Copying the template is the one statement that may take long. It must be alone in its message.
            server.run("SET statement_timeout = '30s'").await?;
            server
                .run(&format!("CREATE DATABASE {name} TEMPLATE template0"))
                .await?;
            Mark::None
        }
        Some(found) => {
            let comment: Option<String> = server.get(found, 0)?;
            match Mark::of(comment.as_deref(), want) {
                Mark::None if !server.get(found, 1)? => Mark::Foreign,
                mark => mark,
            }
        }
    };
    match mark {
        Mark::Ours => Ok(()),
        Mark::None | Mark::Earlier => {
            let comment = escape_literal(&want.comment);
            Ok(server
                .run(&format!("COMMENT ON DATABASE {name} IS {comment}"))
                .await?)
        }
        Mark::Foreign => Err(belongs_to_another("database", &want.database)),
    }
}

fn belongs_to_another(what: &str, name: &Identifier) -> Failure {
    Failure::Refused(format!(
        "the {what} {} belongs to another: it must carry the comment of this Environment, or not exist",
        name.quoted()
    ))
}

/// Lets a provisioner that is no superuser act for the owner role; since PostgreSQL 16 having made a role is not enough.
async fn act_for_owner(inside: &Session, owner: &Identifier) -> Result<(), Trouble> {
    if inside.is_superuser().await? {
        return Ok(());
    }
    let row = inside
        .row("SELECT current_setting('server_version_num')::int", &[])
        .await?;
    let version: i32 = row.map_or(Ok(0), |row| inside.get(&row, 0))?;
    let options = if version >= 160_000 {
        " WITH SET TRUE, INHERIT TRUE"
    } else {
        ""
    };
    inside
        .run(&format!(
            "GRANT {} TO CURRENT_USER{options}",
            owner.quoted()
        ))
        .await
}

/// Who may do what, as one transaction. Repeating it changes nothing.
fn rights(want: &Wanted) -> String {
    let (database, owner, app) = (
        want.database.quoted(),
        want.owner.name.quoted(),
        want.app.name.quoted(),
    );
    let defaults = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT");
    [
        format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"),
        format!("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO {owner}"),
        format!("GRANT CONNECT ON DATABASE {database} TO {app}"),
        format!("ALTER DATABASE {database} SET search_path = public"),
        "CREATE SCHEMA IF NOT EXISTS public".into(),
        format!("ALTER SCHEMA public OWNER TO {owner}"),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC".into(),
        format!("GRANT USAGE ON SCHEMA public TO {app}"),
        format!("{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}"),
        format!("{defaults} USAGE, SELECT, UPDATE ON SEQUENCES TO {app}"),
        format!("{defaults} EXECUTE ON FUNCTIONS TO {app}"),
    ]
    .join("; ")
}

/// Grants the app what the owner role made before the default privileges were there: a restored dump, or a `public` that
/// a migration dropped and made anew.
async fn grant_what_is_there(inside: &Session, want: &Wanted) -> Result<(), Trouble> {
    let app = want.app.name.quoted();
    for (kinds, rights, object) in [
        ("rpvmf", "SELECT, INSERT, UPDATE, DELETE", "TABLE"),
        ("S", "USAGE, SELECT, UPDATE", "SEQUENCE"),
    ] {
        let names = inside
            .row(
                "SELECT string_agg(format('public.%I', c.relname), ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'public' AND pg_get_userbyid(c.relowner) = $1 AND position(c.relkind::text IN $2) > 0",
                &[(&want.owner.name.as_str(), Type::TEXT), (&kinds, Type::TEXT)],
            )
            .await?;
        let names: Option<String> = names.map_or(Ok(None), |row| inside.get(&row, 0))?;
        if let Some(names) = names {
            inside
                .run(&format!("GRANT {rights} ON {object} {names} TO {app}"))
                .await?;
        }
    }
    Ok(())
}

/// Sets a role's password if it does not let the role in. A verifier has a new salt each time, so it is not written
/// unless it must be.
async fn keep_password(
    server: &Session,
    role: &Role,
    database: &Identifier,
) -> Result<(), Failure> {
    let access = server.at().as_role(role).to_database(database);
    match Session::open(&access).await {
        Ok(_) => return Ok(()),
        Err(trouble) if trouble.code == Some(SqlState::INVALID_PASSWORD) => {}
        Err(trouble) => return Err(trouble.into()),
    }
    let verifier = escape_literal(&verifier(role));
    server
        .run(&format!(
            "ALTER ROLE {} PASSWORD {verifier}",
            role.name.quoted()
        ))
        .await?;
    Session::open(&access).await?;
    Ok(())
}

/// What the server needs to check a password. The password itself never reaches it.
fn verifier(role: &Role) -> String {
    scram_sha_256(role.password.0.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Password;

    fn role(name: &str) -> Role {
        Role {
            name: Identifier::new(name).expect(name),
            password: Password::new("S3cret"),
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            database: Identifier::new("shop\"; DROP TABLE x; --").expect("a name"),
            owner: role("own'er"),
            app: role("app"),
            comment: "cluster/Environment/shop".into(),
            adopts: Some("cluster/Environment/old".into()),
        }
    }

    #[test]
    fn a_comment_says_whose_it_is() {
        let want = wanted();
        for (comment, mark) in [
            (None, Mark::None),
            (Some(""), Mark::None),
            (Some("cluster/Environment/shop"), Mark::Ours),
            (Some("cluster/Environment/old"), Mark::Earlier),
            (Some("somebody else"), Mark::Foreign),
        ] {
            assert_eq!(Mark::of(comment, &want), mark, "{comment:?}");
        }
    }

    #[test]
    fn names_are_quoted_wherever_they_meet_sql() {
        let sql = rights(&wanted());
        assert!(
            sql.contains(r#"ON DATABASE "shop""; DROP TABLE x; --" FROM PUBLIC"#),
            "{sql}"
        );
        assert!(sql.contains(r#"FOR ROLE "own'er" IN SCHEMA"#), "{sql}");
    }

    #[test]
    fn the_verifier_does_not_hold_the_password() {
        let verifier = verifier(&role("app"));
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:") && !verifier.contains("S3cret"));
    }
}
