//! Databases and roles are made and mended.

use futures::{StreamExt, stream};
use towpath::postgres::{Databases, Failure, Identity, Question, Servers, Wanted};

use crate::server::{Cut, PASSWORD, Server};
use crate::{as_owner, found, name, role, roles, wanted};

/// All that must hold of a provided database.
pub async fn assert_provided(server: &Server, want: &Wanted, identity: &Identity) {
    let (owner, app, database) = (
        want.owner.name.as_str(),
        want.app.name.as_str(),
        want.database.as_str(),
    );
    let question = Question {
        roles: Some(roles(want)),
        ..Question::default()
    };
    let seen = found(
        Servers
            .look(&as_owner(&server.admin(), want), &question)
            .await,
    );
    assert!(seen.roles_ready);
    assert_eq!(&seen.identity, identity);

    let migration = server
        .connect(owner, "0wner-S3cret", database)
        .await
        .expect("the owner logs in");
    let table = "DROP TABLE IF EXISTS carts; CREATE TABLE carts (id serial PRIMARY KEY, item text); CREATE SCHEMA IF NOT EXISTS more";
    migration
        .batch_execute(table)
        .await
        .expect("the owner makes tables and schemas");
    let serving = server
        .connect(app, "App-S3cret", database)
        .await
        .expect("the app logs in");
    let work = "INSERT INTO carts (item) VALUES ('tea'); UPDATE carts SET item = 'milk'; SELECT * FROM carts; DELETE FROM carts";
    serving
        .batch_execute(work)
        .await
        .expect("the app reads and writes");
    for forbidden in [
        "CREATE TABLE mine (id int)",
        "DROP TABLE carts",
        "ALTER TABLE carts ADD more text",
        "CREATE SCHEMA mine",
        "TRUNCATE carts",
    ] {
        let error = serving.batch_execute(forbidden).await.expect_err(forbidden);
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("42501"),
            "{forbidden}: {error}"
        );
    }

    let admin = server.superuser(database).await;
    let count = "SELECT count(*) FROM pg_roles WHERE rolname IN ($1, $2) AND rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole \
                 OR rolreplication OR rolbypassrls) AND shobj_description(oid, 'pg_authid') = $3";
    let plain: i64 = admin
        .query_one(count, &[&owner, &app, &want.comment])
        .await
        .expect("roles")
        .get(0);
    assert_eq!(plain, 2);
    let marked = "SELECT shobj_description(oid, 'pg_database') = $2 AND pg_get_userbyid(datdba) NOT IN ($3, $4) FROM pg_database WHERE datname = $1";
    let marked = admin
        .query_one(marked, &[&database, &want.comment, &owner, &app])
        .await
        .expect("the database");
    assert!(
        marked.get::<_, bool>(0),
        "it carries the comment and belongs to neither role"
    );
}

async fn passwords(server: &Server) -> Vec<String> {
    let admin = server.superuser("postgres").await;
    let rows = admin.query("SELECT rolname || ' ' || rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1", &[]).await;
    rows.expect("the superuser may read them")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test]
async fn providing_twice_is_providing_once() {
    let server = Server::start().await;
    let want = wanted("");
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    assert_provided(&server, &want, &identity).await;
    let before = passwords(&server).await;
    assert_eq!(
        Servers.provide(&server.admin(), &want).await,
        Ok(identity.clone())
    );
    assert_provided(&server, &want, &identity).await;
    assert_eq!(
        passwords(&server).await,
        before,
        "no verifier is written again"
    );
    assert!(
        before
            .iter()
            .all(|line| line.contains(" SCRAM-SHA-256$4096:")),
        "{before:?}"
    );
}

#[tokio::test]
async fn two_at_once_provide_one() {
    let server = Server::start().await;
    let (want, admin) = (wanted(""), server.admin());
    let (one, two) = tokio::join!(
        Servers.provide(&admin, &want),
        Servers.provide(&admin, &want)
    );
    let identity = one.expect("provided");
    assert_eq!(two, Ok(identity.clone()));
    assert_provided(&server, &want, &identity).await;
}

/// Provides over a wire that breaks at a statement, and then again over one that does not; says whether it broke.
async fn broken_and_repeated(server: &Server, cut: Cut, statement: usize) -> bool {
    let want = wanted(&format!(
        "_{}_{statement}",
        format!("{cut:?}").to_lowercase()
    ));
    let wire = server.wire(statement, cut).await;
    let broken = Servers.provide(&wire.admin(), &want).await;
    let identity = Servers.provide(&server.admin(), &want).await;
    let identity = identity.unwrap_or_else(|why| panic!("{cut:?} at {statement}: {why}"));
    assert_provided(server, &want, &identity).await;
    match broken {
        Ok(_) => false,
        Err(Failure::Silent(_)) => true,
        Err(why) => panic!("{cut:?} at {statement}: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_end_at_any_statement_and_be_repeated() {
    let server = Server::start().await;
    for cut in [Cut::Statement, Cut::Answer] {
        let runs = (0..20).map(|statement| broken_and_repeated(&server, cut, statement));
        let broke: Vec<bool> = stream::iter(runs).buffered(5).collect().await;
        let statements = broke.iter().take_while(|broke| **broke).count();
        assert!(
            statements > 10 && !broke[statements..].contains(&true),
            "{broke:?}"
        );
        assert!(
            statements < broke.len(),
            "providing has more statements than were broken: {broke:?}"
        );
    }
}

#[tokio::test]
async fn hostile_names_stay_names() {
    let server = Server::start().await;
    let mut want = wanted("");
    want.database = name("shop\"; DROP ROLE postgres; --");
    want.owner = role("own'er\" SUPERUSER; --", "it's \\ a \"pass'word");
    want.app = role("app $$ \\ %I \n", "0");
    want.comment = "it's\\' \"quoted\" $$".into();
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    assert_eq!(identity.database, want.database.as_str());
    assert_eq!(Servers.provide(&server.admin(), &want).await, Ok(identity));
    let migration = server
        .connect(
            want.owner.name.as_str(),
            "it's \\ a \"pass'word",
            want.database.as_str(),
        )
        .await
        .expect("logs in");
    migration
        .batch_execute(r#"CREATE TABLE "x""; DROP TABLE y; --" (id serial)"#)
        .await
        .expect("a table");
    // The schema is made anew, so what is in it is granted name by name.
    migration
        .batch_execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM PUBLIC")
        .await
        .expect("defaults");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided again");
    let names = "SELECT count(*) FROM pg_roles WHERE rolsuper";
    let superusers: i64 = server
        .superuser("postgres")
        .await
        .query_one(names, &[])
        .await
        .expect("roles")
        .get(0);
    assert_eq!(superusers, 1);
}

#[tokio::test]
async fn no_password_is_ever_logged() {
    let server = Server::start().await;
    let mut want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    want.app = role("app", "An0ther-S3cret");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided with a new password");
    let log = server.log();
    assert!(
        log.contains("CREATE ROLE") && log.contains("ALTER ROLE"),
        "the log shows the statements: {log}"
    );
    for secret in [PASSWORD, "0wner-S3cret", "App-S3cret", "An0ther-S3cret"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_changed_password_and_changed_rights_are_mended() {
    let server = Server::start().await;
    let mut want = wanted("");
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let admin = server.superuser("shop").await;
    admin.batch_execute("ALTER ROLE app SUPERUSER NOLOGIN CREATEDB PASSWORD 'x'; ALTER ROLE owner BYPASSRLS CREATEROLE").await.expect("roles");
    admin.batch_execute("DROP SCHEMA public CASCADE; SET ROLE owner; CREATE SCHEMA public; CREATE TABLE public.old (id serial)").await.expect("a schema");
    let question = Question {
        roles: Some(roles(&want)),
        ..Question::default()
    };
    assert!(
        !found(
            Servers
                .look(&as_owner(&server.admin(), &want), &question)
                .await
        )
        .roles_ready
    );
    assert_eq!(
        Servers.provide(&server.admin(), &want).await,
        Ok(identity.clone())
    );
    assert_provided(&server, &want, &identity).await;
    let serving = server
        .connect("app", "App-S3cret", "shop")
        .await
        .expect("the app logs in");
    serving
        .batch_execute("INSERT INTO old DEFAULT VALUES; SELECT * FROM old")
        .await
        .expect("what was there is granted");

    want.owner = role("owner", "N3w-S3cret");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided with a new password");
    assert!(
        server
            .connect("owner", "0wner-S3cret", "shop")
            .await
            .is_err()
    );
    assert!(server.connect("owner", "N3w-S3cret", "shop").await.is_ok());
}
