//! Makes an empty database beside a golden one, and the login that fills it. It begins anew each time: what an earlier run left is
//! dropped.

use postgres_protocol::escape::escape_literal;

use super::{Golden, Part, Run, UNFINISHED, may_be_replaced, parts};
use crate::postgres::session::Session;
use crate::postgres::{Access, Failure, Password, Role, provision};

/// Makes the database and its login, and says how to reach it. Nobody but this login and the provisioner may connect.
pub async fn begin(
    admin: &Access,
    golden: &Golden,
    password: &Password,
    run: &Run,
) -> Result<Access, Failure> {
    let server = parts::open(admin, golden).await?;
    // Before hours of filling, not after.
    let present = parts::database(&server, &golden.database).await?;
    may_be_replaced(golden, present.as_ref(), admin.user()).map_err(Failure::Refused)?;
    let has_group = parts::has_role(&server, golden, Part::Group).await?;
    parts::shut_out(&server, golden).await?;
    parts::drop_database(&server, golden, Part::Next).await?;
    parts::drop_database(&server, golden, Part::Old).await?;
    parts::drop_login(&server, golden).await?;
    if !has_group {
        parts::create_role(&server, golden, Part::Group, "NOLOGIN").await?;
    }
    provision::act_for(&server, &golden.group).await?;
    let login = Role {
        name: golden.login.clone(),
        password: password.clone(),
    };
    let verifier = escape_literal(&provision::verifier(&login));
    let attributes = format!("LOGIN PASSWORD {verifier}");
    parts::create_role(&server, golden, Part::Login, &attributes).await?;
    make(&server, golden, run).await?;
    let next = admin.to_database(&golden.next);
    let inside = Session::open(&next).await?;
    inside.run(&schema(golden)).await?;
    Ok(next.as_role(&login))
}

/// Makes the database. Until it is known who may connect, nobody may.
async fn make(server: &Session, golden: &Golden, run: &Run) -> Result<(), Failure> {
    let create = format!(
        "CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false CONNECTION LIMIT {UNFINISHED}",
        golden.next.quoted()
    );
    server.run(&create).await?;
    Ok(server.run(&rights(golden, run)).await?)
}

/// Who may do what in it, and its comment, as one transaction. The group may not connect: roles of previews are its members.
fn rights(golden: &Golden, run: &Run) -> String {
    let (next, group) = (golden.next.quoted(), golden.group.quoted());
    let (login, mark) = (golden.login.quoted(), Part::Next.mark());
    let statements = [
        format!("GRANT {group} TO {login}"),
        format!("REVOKE CONNECT, TEMPORARY ON DATABASE {next} FROM PUBLIC"),
        format!("GRANT CREATE, TEMPORARY ON DATABASE {next} TO {group}"),
        format!("GRANT CONNECT ON DATABASE {next} TO {login}"),
        format!("ALTER DATABASE {next} SET search_path = public"),
        format!("ALTER ROLE {login} IN DATABASE {next} SET role = {group}"),
        format!("ALTER DATABASE {next} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1"),
        format!("COMMENT ON DATABASE {next} IS '{mark} run={run}'"),
    ];
    statements.join("; ")
}

fn schema(golden: &Golden) -> String {
    let group = golden.group.quoted();
    format!(
        "CREATE SCHEMA IF NOT EXISTS public; ALTER SCHEMA public OWNER TO {group}; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    )
}
