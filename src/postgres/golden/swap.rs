//! Puts what was filled in into the place of a golden database. Each step looks at what is there first, so that the whole can be
//! repeated after it ended anywhere.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Golden, Part, Run, Step, next_step, parts};
use crate::postgres::session::{Session, Trouble};
use crate::postgres::{Access, Failure, template};

/// How often it is asked whether connections have ended, and how long it is waited in between.
const LOOKS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swapped {
    /// Size of the new golden database.
    pub bytes: i64,
    /// Why something of the one before is left, which the next run drops.
    pub left: Option<String>,
}

/// Puts it into place. `Busy` while somebody copies the present one, or is connected: that ends by itself.
pub async fn swap(
    admin: &Access,
    golden: &Golden,
    run: &Run,
    now: Timestamp,
) -> Result<Swapped, Failure> {
    let server = parts::open(admin, golden).await?;
    let present = parts::database(&server, &golden.database).await?;
    let next = parts::database(&server, &golden.next).await?;
    let step = next_step(golden, present.as_ref(), next.as_ref(), run, admin.user());
    let step = step.map_err(Failure::Refused)?;
    if step == Step::Check {
        check(&server, golden).await?;
    }
    if step != Step::CleanUp {
        parts::drop_database(&server, golden, Part::Old).await?;
        let exchange = exchange(golden, present.is_some(), run, now);
        let done = server.run(&exchange).await;
        done.map_err(|trouble| busy(trouble, golden))?;
    }
    let left = clean_up(&server, golden, run).await.err();
    Ok(Swapped {
        bytes: size(&server, golden).await?,
        left: left.map(|failure| failure.to_string()),
    })
}

/// Looks at what was filled in when nobody can change it any more, and closes it.
async fn check(server: &Session, golden: &Golden) -> Result<(), Failure> {
    if !parts::shut_out(server, golden).await? {
        let login = golden.login.quoted();
        return Err(Failure::Refused(format!(
            "the role {login} must be there until its work is in place"
        )));
    }
    end_connections(server, golden).await?;
    let inside = Session::open(&server.at().to_database(&golden.next)).await?;
    must_be_of_the_group(&inside, golden).await?;
    // What was granted to the login would keep it, here and in each copy.
    let login = golden.login.quoted();
    inside.run(&format!("DROP OWNED BY {login}")).await?;
    drop(inside);
    let next = golden.next.quoted();
    let close = format!("ALTER DATABASE {next} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
    Ok(server.run(&close).await?)
}

/// Ends the connections to what was filled in, and waits until they have ended. Those of a superuser stay.
async fn end_connections(server: &Session, golden: &Golden) -> Result<(), Failure> {
    let next = golden.next.as_str();
    let within = "FROM pg_stat_activity WHERE datname::text = $1 AND backend_type IN ('client backend', 'parallel worker')";
    let others = "AND NOT coalesce((SELECT rolsuper FROM pg_roles WHERE oid = usesysid), false)";
    let end = format!("SELECT pg_terminate_backend(pid) {within} {others}");
    server.rows(&end, &[(&next, Type::TEXT)]).await?;
    let left = format!("SELECT 1 {within} LIMIT 1");
    for _ in 0..LOOKS {
        let left = server.row(&left, &[(&next, Type::TEXT)]).await?;
        if left.is_none() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let next = golden.next.quoted();
    Err(Failure::Busy(format!(
        "Somebody is still connected to {next}"
    )))
}

/// Copies are possible only of what belongs to one role that cannot log in. The login cannot any more, so it is asked for by name.
async fn must_be_of_the_group(inside: &Session, golden: &Golden) -> Result<(), Failure> {
    let (next, group) = (golden.next.quoted(), golden.group.quoted());
    let owner = template::group(inside).await?;
    let owner = owner
        .ok_or_else(|| Failure::Refused(format!("{next} must hold something, and it is empty")))?;
    let owned = "SELECT 1 FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid AND r.rolname::text = $1 \
                 JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database() \
                 WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' LIMIT 1";
    let login = golden.login.as_str();
    let owned = inside.row(owned, &[(&login, Type::TEXT)]).await?;
    if owner == golden.group && owned.is_none() {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "what {next} holds must belong to {group} alone, as which its login acts: the fill must not change its role"
    )))
}

/// Both renames and comments as one transaction: there is a golden database at every moment.
fn exchange(golden: &Golden, replaces: bool, run: &Run, now: Timestamp) -> String {
    let rename = |from: Part, to: Part, more: &str| {
        let (from, name) = (golden.name(from).quoted(), golden.name(to).quoted());
        let mark = to.mark();
        format!(
            "ALTER DATABASE {from} RENAME TO {name}; COMMENT ON DATABASE {name} IS '{mark}{more}'; "
        )
    };
    let before = match replaces {
        true => rename(Part::Database, Part::Old, ""),
        false => String::new(),
    };
    let note = format!(" run={run} refreshed={now:.0}");
    let into_place = rename(Part::Next, Part::Database, &note);
    format!("BEGIN; {before}{into_place}COMMIT")
}

/// A copy holds a lock on what it copies, and a connection is an object in use.
fn busy(trouble: Trouble, golden: &Golden) -> Failure {
    let code = trouble.code.as_ref().map(|code| code.code().to_owned());
    match code.as_deref() {
        Some("55006" | "55P03") => Failure::Busy(format!(
            "{} is being copied, or somebody is connected to it; it is replaced when it is not",
            golden.database.quoted()
        )),
        _ => trouble.into(),
    }
}

/// Drops what was replaced, and the login unless another run has begun with it.
async fn clean_up(server: &Session, golden: &Golden, run: &Run) -> Result<(), Failure> {
    parts::drop_database(server, golden, Part::Old).await?;
    let next = parts::database(server, &golden.next).await?;
    match next {
        Some(next) if !next.is_of(Part::Next, run) => Ok(()),
        _ => parts::drop_login(server, golden).await,
    }
}

async fn size(server: &Session, golden: &Golden) -> Result<i64, Failure> {
    let row = server
        .row(
            "SELECT pg_database_size(oid) FROM pg_database WHERE datname::text = $1",
            &[(&golden.database.as_str(), Type::TEXT)],
        )
        .await?;
    Ok(row.map_or(Ok(0), |row| server.get(&row, 0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_golden_database_at_every_moment() {
        let golden = Golden::new("shop").expect("a name");
        let run = Run::parse("00112233aabbccdd").expect("a word");
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let first = "BEGIN; ALTER DATABASE \"shop_next\" RENAME TO \"shop\"; COMMENT ON DATABASE \"shop\" IS \
                     'towpath golden database run=00112233aabbccdd refreshed=2027-01-15T08:00:00Z'; COMMIT";
        assert_eq!(exchange(&golden, false, &run, now), first);
        let later = exchange(&golden, true, &run, now);
        let before = "BEGIN; ALTER DATABASE \"shop\" RENAME TO \"shop_old\"; COMMENT ON DATABASE \"shop_old\" IS 'towpath golden old'; ";
        assert_eq!(later.strip_prefix(before), first.strip_prefix("BEGIN; "));
    }
}
