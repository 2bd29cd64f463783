//! Makes a database and its two roles. Every step first looks at what is there, so that the whole can be repeated after
//! it ended anywhere.

use postgres_protocol::escape::escape_literal;
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::ownership::{is_ownership, succeeds};
use super::session::{Session, Trouble};
use super::{Access, Failure, Identifier, Identity, Role, Wanted};
use super::{look, template};

/// Makes all that is wanted. While this runs nobody else provides or drops databases of the same family on the same server.
pub async fn provide(admin: &Access, want: &Wanted) -> Result<Identity, Failure> {
    let server = Session::open(admin).await?;
    lock(&server, &want.family).await?;
    let owner_is_new = role(&server, &want.owner, want).await?;
    let app_is_new = role(&server, &want.app, want).await?;
    let mark = database(&server, want).await?;
    let inside = Session::open(&admin.to_database(&want.database)).await?;
    act_for(&inside, &want.owner.name).await?;
    let maker = match maker(&inside, want, mark).await {
        Err(why @ Failure::Refused(_)) if mark == Mark::New => {
            // Another template may be named; a copy of this one is of no use.
            let name = want.database.quoted();
            server
                .run(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .await?;
            return Err(why);
        }
        maker => maker?,
    };
    if mark != Mark::Ours {
        let (name, comment) = (want.database.quoted(), escape_literal(&want.comment));
        server
            .run(&format!("COMMENT ON DATABASE {name} IS {comment}"))
            .await?;
    }
    inside.run(&rights(want, &maker)).await?;
    grant_what_is_there(&inside, want, &maker).await?;
    for (role, is_new) in [(&want.owner, owner_is_new), (&want.app, app_is_new)] {
        if !is_new {
            keep_password(&server, role, &want.database).await?;
        }
    }
    Ok(look::identity(&inside).await?)
}

/// Keeps everybody else from this family of databases on this server, as long as the session lasts.
pub async fn lock(server: &Session, family: &Identifier) -> Result<(), Trouble> {
    let lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
    let name = family.as_str();
    server.rows(lock, &[(&name, Type::TEXT)]).await.map(drop)
}

/// The role that owns what migrations make: the owner, or in a copy of a golden database the role that owns what was copied.
/// A copy that carries the comment has it settled.
async fn maker(inside: &Session, want: &Wanted, mark: Mark) -> Result<Identifier, Failure> {
    let owner = &want.owner.name;
    if let Some(group) = template::acts_as(inside, owner).await? {
        act_for(inside, &group).await?;
        return Ok(group);
    }
    let copied = match mark {
        Mark::New | Mark::None => template::group(inside).await?,
        Mark::Ours | Mark::Earlier | Mark::Foreign => None,
    };
    let Some(group) = copied else {
        return Ok(owner.clone());
    };
    act_for(inside, &group).await?;
    let (name, database) = (group.quoted(), want.database.quoted());
    let owner = owner.quoted();
    let act = format!("ALTER ROLE {owner} IN DATABASE {database} SET role = {name}");
    inside
        .run(&format!("GRANT {name} TO {owner}; {act}"))
        .await?;
    Ok(group)
}

/// Whose a database or role is, by its comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ours,
    /// Ours by an earlier comment, which is to be replaced.
    Earlier,
    /// Without a comment.
    None,
    /// Made just now, still without one.
    New,
    Foreign,
}

impl Mark {
    fn of(comment: Option<&str>, want: &Wanted) -> Self {
        match comment.filter(|comment| !comment.is_empty()) {
            None => Self::None,
            Some(comment) if comment == want.comment => Self::Ours,
            Some(comment) if Some(comment) == want.adopts.as_deref() => Self::Earlier,
            Some(comment) if succeeds(comment, &want.comment) => Self::Earlier,
            Some(comment) if want.whole_server && is_ownership(comment) => Self::Earlier,
            Some(_) => Self::Foreign,
        }
    }
}

/// Makes a role, or mends one of ours; says whether it is new. A role and its comment are made in one transaction, so one
/// without our comment is not ours.
async fn role(server: &Session, role: &Role, want: &Wanted) -> Result<bool, Failure> {
    // That of the database does not count what it does in others, such as `postgres`.
    let limit = want.connection_limit.map(i32::from);
    let limited = limit.map(|limit| format!(" CONNECTION LIMIT {limit}"));
    let limited = limited.unwrap_or_default();
    let found = server
        .row(
            "SELECT shobj_description(oid, 'pg_authid'), NOT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, \
             rolbypassrls, rolconnlimit <> coalesce($2, rolconnlimit) FROM pg_roles WHERE rolname = $1",
            &[(&role.name.as_str(), Type::TEXT), (&limit, Type::INT4)],
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
            "CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE{limited} PASSWORD {verifier}"
        );
        server.run(&format!("{create}; {comment}")).await?;
        return Ok(true);
    };
    let mark: Option<String> = server.get(&found, 0)?;
    match Mark::of(mark.as_deref(), want) {
        Mark::Ours => {}
        Mark::Earlier => server.run(&comment).await?,
        Mark::None | Mark::New | Mark::Foreign => {
            return Err(belongs_to_another("role", &role.name));
        }
    }
    // Only what differs is named: who is no superuser may not even name the attributes of one.
    let mut mended = String::new();
    let words = [
        " LOGIN",
        " NOSUPERUSER",
        " NOCREATEDB",
        " NOCREATEROLE",
        " NOREPLICATION",
        " NOBYPASSRLS",
        &limited,
    ];
    for (column, word) in (1..).zip(words) {
        if server.get(&found, column)? {
            mended.push_str(word);
        }
    }
    if !mended.is_empty() {
        server.run(&format!("ALTER ROLE {name}{mended}")).await?;
    }
    Ok(false)
}

/// Makes the database, or accepts one of ours, and says what it carries. It belongs to the role that provides, because an
/// owner can rewrite the comment that guards it. One without a comment is what a crash between its creation and its comment
/// leaves, if it belongs to that role.
async fn database(server: &Session, want: &Wanted) -> Result<Mark, Failure> {
    let found = server
        .row(
            "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) = current_user, datconnlimit = $2 \
             FROM pg_database WHERE datname = $1",
            &[
                (&want.database.as_str(), Type::TEXT),
                (&UNFINISHED, Type::INT4),
            ],
        )
        .await?;
    let Some(found) = found else {
        create(server, want).await?;
        return Ok(Mark::New);
    };
    let comment: Option<String> = server.get(&found, 0)?;
    let made: bool = server.get(&found, 1)?;
    let unfinished: bool = server.get(&found, 2)?;
    match Mark::of(comment.as_deref(), want) {
        Mark::Foreign => Err(belongs_to_another("database", &want.database)),
        Mark::None if !made => Err(belongs_to_another("database", &want.database)),
        // Nobody has looked yet at what was copied, and the template may be another one by now.
        Mark::None if unfinished && want.template.is_some() => {
            let name = want.database.quoted();
            server
                .run(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .await?;
            create(server, want).await?;
            Ok(Mark::New)
        }
        mark => Ok(mark),
    }
}

/// The connection limit of a copy that was not looked at yet: enough for who makes it.
pub const UNFINISHED: i32 = 1;

/// Copying is the one statement that may take long. It must be alone in its message.
async fn create(server: &Session, want: &Wanted) -> Result<(), Failure> {
    server.run("SET statement_timeout = '30s'").await?;
    match &want.template {
        Some(template) => template::copy(server, &want.database, template).await,
        None => {
            let name = want.database.quoted();
            let create = format!("CREATE DATABASE {name} TEMPLATE template0");
            Ok(server.run(&create).await?)
        }
    }
}

fn belongs_to_another(what: &str, name: &Identifier) -> Failure {
    Failure::Refused(format!(
        "the {what} {} belongs to another: it must carry the comment of this Environment, or not exist",
        name.quoted()
    ))
}

/// Lets a provisioner that is no superuser act for a role; since PostgreSQL 16 having made it is not enough.
pub async fn act_for(session: &Session, role: &Identifier) -> Result<(), Trouble> {
    if session.is_superuser().await? {
        return Ok(());
    }
    let options = if session.version().await? >= 160_000 {
        " WITH SET TRUE, INHERIT TRUE"
    } else {
        ""
    };
    let grant = format!("GRANT {} TO CURRENT_USER{options}", role.quoted());
    session.run(&grant).await
}

/// Who may do what, as one transaction. Repeating it changes nothing.
fn rights(want: &Wanted, maker: &Identifier) -> String {
    let (database, owner, app) = (
        want.database.quoted(),
        want.owner.name.quoted(),
        want.app.name.quoted(),
    );
    let maker = maker.quoted();
    let defaults = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {maker} IN SCHEMA public GRANT");
    // A copy has the limit of what is unfinished until now.
    let copied = want.template.as_ref().map(|_| -1);
    let limit = want.connection_limit.map(i32::from).or(copied);
    let limit = limit.map(|limit| format!("ALTER DATABASE {database} CONNECTION LIMIT {limit}"));
    let rights = [
        format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"),
        format!("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO {owner}"),
        // The role that several databases share may connect to none of them.
        format!("GRANT CREATE, TEMPORARY ON DATABASE {database} TO {maker}"),
        format!("GRANT CONNECT ON DATABASE {database} TO {app}"),
        format!("ALTER DATABASE {database} SET search_path = public"),
        "CREATE SCHEMA IF NOT EXISTS public".into(),
        format!("ALTER SCHEMA public OWNER TO {maker}"),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC".into(),
        format!("GRANT USAGE ON SCHEMA public TO {app}"),
        format!("{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}"),
        format!("{defaults} USAGE, SELECT, UPDATE ON SEQUENCES TO {app}"),
        format!("{defaults} EXECUTE ON FUNCTIONS TO {app}"),
    ];
    let all: Vec<String> = limit.into_iter().chain(rights).collect();
    all.join("; ")
}

/// Grants the app what was made before the default privileges were there: a restored dump, or a `public` that
/// a migration dropped and made anew.
async fn grant_what_is_there(
    inside: &Session,
    want: &Wanted,
    maker: &Identifier,
) -> Result<(), Trouble> {
    let app = want.app.name.quoted();
    for (kinds, rights, object) in [
        ("rpvmf", "SELECT, INSERT, UPDATE, DELETE", "TABLE"),
        ("S", "USAGE, SELECT, UPDATE", "SEQUENCE"),
    ] {
        let names = inside
            .row(
                "SELECT string_agg(format('public.%I', c.relname), ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'public' AND pg_get_userbyid(c.relowner) = $1 AND position(c.relkind::text IN $2) > 0",
                &[(&maker.as_str(), Type::TEXT), (&kinds, Type::TEXT)],
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
pub fn verifier(role: &Role) -> String {
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
            family: Identifier::new("shop").expect("a name"),
            owner: role("own'er"),
            app: role("app"),
            comment: "cluster/Environment/shop".into(),
            adopts: Some("cluster/Environment/old".into()),
            whole_server: false,
            template: None,
            connection_limit: Some(20),
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
        let want = wanted();
        let sql = rights(&want, &want.owner.name);
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
