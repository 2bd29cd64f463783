//! Looks at a database without changing it.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::session::{APPLICATION_NAME, Session, Trouble};
use super::{
    Access, Failure, Identifier, Identity, Question, Roles, SeenDatabase, record, teardown,
};

/// More than a person reads; a database is not trusted with the controller's memory.
const MOST_BACKENDS: i64 = 100;
const MOST_OTHERS: i64 = 100;

/// Answers the whole question over one connection.
pub async fn look(at: &Access, question: &Question) -> Result<SeenDatabase, Failure> {
    let session = Session::open(at).await?;
    let identity = identity(&session).await?;
    let record = if question.record {
        record::read(&session).await?
    } else {
        Vec::new()
    };
    let backends = backends(&session, question).await?;
    let (roles_ready, others) = match &question.roles {
        Some(roles) => (
            roles_ready(&session, roles).await?,
            others(&session, roles).await?,
        ),
        None => (true, Vec::new()),
    };
    Ok(SeenDatabase {
        identity,
        record,
        backends,
        others,
        roles_ready,
    })
}

/// Who the database is.
pub async fn identity(session: &Session) -> Result<Identity, Trouble> {
    let row = session
        .row(
            "SELECT datname::text, oid FROM pg_database WHERE datname = current_database()",
            &[],
        )
        .await?;
    let (database, oid) = match row {
        Some(row) => (session.get(&row, 0)?, session.get(&row, 1)?),
        None => (session.at().database().to_string(), 0),
    };
    Ok(Identity {
        server: server(session).await?,
        database,
        oid,
    })
}

/// The server's system identifier. Where it may not be read, or is not known, the address stands for it.
async fn server(session: &Session) -> Result<String, Trouble> {
    match session
        .row(
            "SELECT system_identifier::text FROM pg_control_system()",
            &[],
        )
        .await
    {
        Ok(Some(row)) => session.get(&row, 0),
        Ok(None) => Ok(session.at().address()),
        Err(trouble)
            if matches!(
                trouble.code,
                Some(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::UNDEFINED_FUNCTION)
            ) =>
        {
            Ok(session.at().address())
        }
        Err(trouble) => Err(trouble),
    }
}

/// The backends of migrations in this database; of other roles' backends only the name may be seen. A dead pod's statements run on, so its backends must have ended before
/// the next attempt begins.
async fn backends(session: &Session, question: &Question) -> Result<Vec<String>, Trouble> {
    let role = question.migration_role.as_ref().map(|role| role.as_str());
    let prefix = question
        .application_prefix
        .as_deref()
        .filter(|prefix| !prefix.is_empty());
    if role.is_none() && prefix.is_none() {
        return Ok(Vec::new());
    }
    let rows = session
        .rows(
            "SELECT coalesce(application_name, '') FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND coalesce(backend_type, 'client backend') = 'client backend' AND coalesce(application_name, '') <> $3 \
             AND (usename::text = $1 OR starts_with(application_name, $2)) ORDER BY 1 LIMIT $4",
            &[(&role, Type::TEXT), (&prefix, Type::TEXT), (&APPLICATION_NAME, Type::TEXT), (&MOST_BACKENDS, Type::INT8)],
        )
        .await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

/// The other databases with the same comment, and those that a crash left without one.
async fn others(session: &Session, roles: &Roles) -> Result<Vec<Identifier>, Failure> {
    let family = roles.family.as_str();
    let rows = session
        .rows(
            "SELECT datname::text, coalesce(shobj_description(oid, 'pg_database'), '') = '' FROM pg_database \
             WHERE datname <> current_database() AND (shobj_description(oid, 'pg_database') = $1 OR starts_with(datname::text, $2)) \
             AND coalesce(shobj_description(oid, 'pg_database'), '') IN ('', $1) ORDER BY 1 LIMIT $3",
            &[
                (&roles.comment.as_str(), Type::TEXT),
                (&family, Type::TEXT),
                (&MOST_OTHERS, Type::INT8),
            ],
        )
        .await?;
    let mut others = Vec::new();
    for row in &rows {
        let name: String = session.get(row, 0)?;
        let bare: bool = session.get(row, 1)?;
        if !bare || teardown::is_of(family, &name) {
            others.push(Identifier::new(name).map_err(Failure::Refused)?);
        }
    }
    Ok(others)
}

/// Whether both roles can log in here and are no more than they must be, they and the database carry the comment, the owner
/// owns `public` (itself, or through the role that it acts as), and the app is granted what is made there.
async fn roles_ready(session: &Session, roles: &Roles) -> Result<bool, Trouble> {
    let (owner, app) = (roles.owner.as_str(), roles.app.as_str());
    let row = session
        .row(
            "SELECT (SELECT count(*) = 2 FROM pg_roles r WHERE r.rolname IN ($1, $2) AND r.rolcanlogin AND NOT r.rolsuper \
               AND NOT r.rolcreatedb AND NOT r.rolcreaterole AND has_database_privilege(r.oid, current_database(), 'CONNECT')) \
             AND (SELECT count(*) = 2 FROM pg_roles r WHERE r.rolname IN ($1, $2) AND shobj_description(r.oid, 'pg_authid') = $3) \
             AND (SELECT shobj_description(oid, 'pg_database') = $3 FROM pg_database WHERE datname = current_database()) IS TRUE \
             AND (SELECT count(DISTINCT d.defaclobjtype) = 3 FROM pg_namespace n JOIN pg_roles m ON m.rolname = $1 JOIN pg_roles o \
               ON o.oid = n.nspowner AND (o.oid = m.oid OR NOT o.rolcanlogin AND pg_has_role(m.oid, o.oid, 'MEMBER')) \
               JOIN pg_default_acl d ON d.defaclnamespace = n.oid AND d.defaclrole = o.oid \
               JOIN pg_roles a ON a.rolname = $2 AND has_schema_privilege(a.oid, n.oid, 'USAGE') \
               WHERE n.nspname = 'public' AND d.defaclobjtype IN ('r', 'S', 'f') AND EXISTS (SELECT FROM aclexplode(d.defaclacl) g WHERE g.grantee = a.oid))",
            &[
                (&owner, Type::TEXT),
                (&app, Type::TEXT),
                (&roles.comment.as_str(), Type::TEXT),
            ],
        )
        .await?;
    row.map_or(Ok(false), |row| session.get(&row, 0))
}
