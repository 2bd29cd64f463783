//! Databases of previews on a shared server, with what was noted of those that belong to nobody any more, and roles that outlived
//! theirs. The notes stand in the database's comment, which only who made it may write.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::session::Session;
use super::{Access, Failure, Identifier, Ownership, Unwanted, provision, teardown};
use crate::build::shared::is_made;

/// When it was first seen to belong to nobody, in seconds since 1970; behind whose it was.
const UNSEEN: &str = " unseen=";
/// When it was put aside, in seconds since 1970; behind the first note.
const ASIDE: &str = " aside=";
/// What the name of a database ends in that was put aside.
const SUFFIX: &str = "_orphan";

/// The kind of owner whose databases go with it.
pub const PREVIEW: &str = "Preview";

/// A database that was made for a preview, or its roles, where they alone are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrphan {
    /// Its name.
    pub database: Identifier,
    /// Whether it is gone, and its roles are left.
    pub gone: bool,
    /// Whose it is, by its comment.
    pub owner: Ownership,
    /// Since when it is known to belong to nobody.
    pub unseen: Option<Timestamp>,
    /// When it was put aside.
    pub aside: Option<Timestamp>,
}

/// A comment without notes.
pub fn bare(comment: &str) -> &str {
    comment.split(UNSEEN).next().unwrap_or(comment)
}

/// The times that are noted in a comment.
fn notes(comment: &str) -> (Option<Timestamp>, Option<Timestamp>) {
    let Some((_, notes)) = comment.split_once(UNSEEN) else {
        return (None, None);
    };
    let (unseen, aside) = match notes.split_once(ASIDE) {
        Some((unseen, aside)) => (unseen, Some(aside)),
        None => (notes, None),
    };
    let read = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
    (read(unseen), aside.and_then(read))
}

/// The databases that this login made for previews of this cluster, and the roles of those that are gone.
pub async fn find(admin: &Access, cluster: &str) -> Result<Vec<SeenOrphan>, Failure> {
    let server = Session::open(admin).await?;
    let rows = server
        .rows(
            "SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database \
             WHERE pg_get_userbyid(datdba) = current_user AND NOT datistemplate ORDER BY 1",
            &[],
        )
        .await?;
    let mut found = roles_alone(&server, cluster).await?;
    for row in &rows {
        let (name, comment): (String, Option<String>) = (server.get(row, 0)?, server.get(row, 1)?);
        let comment = comment.unwrap_or_default();
        if let Some(owner) = of_preview(&comment, cluster).filter(|_| was_made(&name)) {
            let (unseen, aside) = notes(&comment);
            found.push(SeenOrphan {
                database: Identifier::new(name).map_err(Failure::Refused)?,
                gone: false,
                owner,
                unseen,
                aside,
            });
        }
    }
    Ok(found)
}

/// Whose a preview of this cluster is, by the comment on what was made for it.
fn of_preview(comment: &str, cluster: &str) -> Option<Ownership> {
    let owner = bare(comment).parse::<Ownership>().ok()?;
    (owner.cluster == cluster && owner.kind == PREVIEW).then_some(owner)
}

/// The roles of databases that are gone: whoever dropped those ended before the roles were.
async fn roles_alone(server: &Session, cluster: &str) -> Result<Vec<SeenOrphan>, Failure> {
    let databases = named(
        server,
        "SELECT datname::text, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database",
    )
    .await?;
    let roles = named(
        server,
        "SELECT DISTINCT regexp_replace(rolname::text, '_(owner|app)$', ''), coalesce(shobj_description(oid, 'pg_authid'), '') \
         FROM pg_roles WHERE NOT rolsuper ORDER BY 1",
    )
    .await?;
    let mut found = Vec::new();
    for (name, comment) in roles.into_iter().filter(|(name, _)| is_made(name)) {
        let is_its = |(database, said): &(String, String)| {
            database.starts_with(&name) || said.starts_with(&comment)
        };
        let Some(owner) = of_preview(&comment, cluster) else {
            continue;
        };
        if !databases.iter().any(is_its) {
            found.push(SeenOrphan {
                database: Identifier::new(name).map_err(Failure::Refused)?,
                gone: true,
                owner,
                unseen: None,
                aside: None,
            });
        }
    }
    Ok(found)
}

/// Names and comments.
async fn named(server: &Session, query: &str) -> Result<Vec<(String, String)>, Failure> {
    let rows = server.rows(query, &[]).await?;
    let read = |row| Ok((server.get(row, 0)?, server.get(row, 1)?));
    rows.iter().map(read).collect()
}

fn was_made(name: &str) -> bool {
    is_made(name.strip_suffix(SUFFIX).unwrap_or(name))
}

/// Notes that it belongs to nobody.
pub async fn note(admin: &Access, orphan: &SeenOrphan, now: Timestamp) -> Result<(), Failure> {
    let comment = format!("{}{UNSEEN}{}", orphan.owner, now.as_second());
    let server = Session::open(admin).await?;
    Ok(server.run(&said_of(&orphan.database, &comment)).await?)
}

/// The statement that writes a comment. Whose a database is has no character that would end the text.
fn said_of(database: &Identifier, comment: &str) -> String {
    let text = comment.replace('\'', "''");
    format!("COMMENT ON DATABASE {} IS '{text}'", database.quoted())
}

/// Puts it aside: nobody may connect, and it gets another name.
pub async fn put_aside(admin: &Access, orphan: &SeenOrphan, now: Timestamp) -> Result<(), Failure> {
    let server = Session::open(admin).await?;
    let name = &orphan.database;
    let quoted = name.quoted();
    act_for_roles(&server, orphan).await?;
    server
        .run(&format!(
            "ALTER DATABASE {quoted} WITH ALLOW_CONNECTIONS false"
        ))
        .await?;
    server
        .rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname::text = $1 AND backend_type = 'client backend' \
             AND NOT coalesce((SELECT rolsuper FROM pg_roles WHERE oid = usesysid), false)",
            &[(&name.as_str(), Type::TEXT)],
        )
        .await?;
    let bare = name.as_str().strip_suffix(SUFFIX).unwrap_or(name.as_str());
    let aside = Identifier::new(format!("{bare}{SUFFIX}")).map_err(Failure::Refused)?;
    let since = orphan.unseen.unwrap_or(now).as_second();
    let comment = format!("{}{UNSEEN}{since}{ASIDE}{}", orphan.owner, now.as_second());
    let comment = said_of(&aside, &comment);
    let rename = format!("ALTER DATABASE {quoted} RENAME TO {}", aside.quoted());
    Ok(server
        .run(&format!("BEGIN; {rename}; {comment}; COMMIT"))
        .await?)
}

/// Who is no superuser must be a member of roles to end their connections.
async fn act_for_roles(server: &Session, orphan: &SeenOrphan) -> Result<(), Failure> {
    let unwanted = unwanted(orphan);
    for role in teardown::roles(server, &unwanted).await? {
        provision::act_for(server, &role).await?;
    }
    Ok(())
}

/// Makes it as it was before it was noted.
pub async fn restore(admin: &Access, orphan: &SeenOrphan) -> Result<(), Failure> {
    let server = Session::open(admin).await?;
    let name = orphan.database.quoted();
    let comment = said_of(&orphan.database, &orphan.owner.to_string());
    let mut steps =
        format!("BEGIN; ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true; {comment}; ");
    if let Some(bare) = orphan.database.as_str().strip_suffix(SUFFIX) {
        let bare = Identifier::new(bare).map_err(Failure::Refused)?;
        steps += &format!("ALTER DATABASE {name} RENAME TO {}; ", bare.quoted());
    }
    Ok(server.run(&(steps + "COMMIT")).await?)
}

/// Drops it, if it is there, and the roles of its owner.
pub async fn discard(admin: &Access, orphan: &SeenOrphan) -> Result<(), Failure> {
    teardown::remove(admin, &unwanted(orphan)).await
}

fn unwanted(orphan: &SeenOrphan) -> Unwanted {
    Unwanted {
        family: orphan.database.clone(),
        comment: orphan.owner.to_string(),
        is_made: was_made,
        only: None,
    }
}
