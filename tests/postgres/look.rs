//! What a look at a database says, and that a hostile database cannot make it say or do anything else.

use std::time::{Duration, Instant};

use towpath::postgres::{Access, Databases, Question, Servers};

use crate::server::{PASSWORD, Server};
use crate::{as_owner, found, name, refused, role, silent, wanted};

#[tokio::test]
async fn a_wrong_login_is_refused_and_named_without_the_secret() {
    let server = Server::start().await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let wrong = as_owner(&server.admin(), &want).as_role(&role("owner", "Wr0ng-S3cret"));
    let sentence = refused(Servers.look(&wrong, &Question::default()).await);
    assert_eq!(
        sentence,
        "PostgreSQL refused the login of user 'owner' (28P01): the Secret must hold the right password"
    );
    let missing = server.admin().to_database(&name("missing"));
    assert!(
        refused(Servers.look(&missing, &Question::default()).await)
            .contains("no database 'missing'")
    );
    let without =
        Access::parse(&format!("postgres://owner@127.0.0.1:{}/shop", server.port)).expect("a URL");
    assert!(
        refused(Servers.look(&without, &Question::default()).await)
            .contains("must hold a user and a password")
    );
    let elsewhere = as_owner(&server.admin(), &want).to_database(&name("postgres"));
    assert!(
        found(Servers.look(&elsewhere, &Question::default()).await)
            .record
            .is_empty()
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_is_silent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|port| port.local_addr())
        .expect("a port");
    let access = Access::parse(&format!("postgres://shop:S3cret@{closed}/shop")).expect("a URL");
    let sentence = silent(Servers.look(&access, &Question::default()).await);
    assert_eq!(
        sentence,
        format!("PostgreSQL at {closed} did not answer: it refused the connection")
    );

    let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = mute.local_addr().expect("its address");
    let access = Access::parse(&format!("postgres://shop:S3cret@{address}/shop")).expect("a URL");
    let begun = Instant::now();
    let sentence = silent(Servers.look(&access, &Question::default()).await);
    assert_eq!(
        sentence,
        format!("PostgreSQL at {address} did not answer: it did not answer in time")
    );
    assert!(begun.elapsed() < Duration::from_secs(7));
}

#[tokio::test]
async fn a_server_that_goes_down_or_is_full_is_silent() {
    let server = Server::start_with(&[
        "max_connections=5",
        "superuser_reserved_connections=0",
        "max_wal_senders=0",
    ])
    .await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let mut held = Vec::new();
    while let Ok(client) = server.connect("postgres", PASSWORD, "postgres").await {
        held.push(client);
    }
    let sentence = silent(
        Servers
            .look(&as_owner(&server.admin(), &want), &Question::default())
            .await,
    );
    assert!(sentence.contains("53300"), "{sentence}");
}

#[tokio::test]
async fn a_locked_record_is_silent_within_its_time() {
    let server = Server::start().await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let migration = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    let table = "CREATE SCHEMA towpath; CREATE TABLE towpath.migrations (key text)";
    migration.batch_execute(table).await.expect("a table");
    migration
        .batch_execute("BEGIN; LOCK TABLE towpath.migrations")
        .await
        .expect("locked");
    let question = Question {
        record: true,
        ..Question::default()
    };
    let sentence = silent(
        Servers
            .look(&as_owner(&server.admin(), &want), &question)
            .await,
    );
    assert!(sentence.contains("55P03"), "{sentence}");
}

#[tokio::test]
async fn backends_of_a_migration_are_seen_until_they_are_gone() {
    let server = Server::start().await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let access = as_owner(&server.admin(), &want);
    let by_role = Question {
        migration_role: Some(name("owner")),
        ..Question::default()
    };
    let by_name = Question {
        application_prefix: Some("shop-migration-".into()),
        ..Question::default()
    };
    assert!(
        found(Servers.look(&access, &by_role).await)
            .backends
            .is_empty(),
        "the look itself does not count"
    );

    let migration = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    migration
        .batch_execute("SET application_name = 'alembic'")
        .await
        .expect("a name");
    let serving = server
        .connect("app", "App-S3cret", "shop")
        .await
        .expect("logs in");
    serving
        .batch_execute("SET application_name = 'shop-migration-3'")
        .await
        .expect("a name");
    assert_eq!(
        found(Servers.look(&access, &by_role).await).backends,
        ["alembic"]
    );
    assert_eq!(
        found(Servers.look(&access, &by_name).await).backends,
        ["shop-migration-3"]
    );
    let both = Question {
        migration_role: by_role.migration_role.clone(),
        ..by_name
    };
    assert_eq!(
        found(Servers.look(&access, &both).await).backends,
        ["alembic", "shop-migration-3"]
    );
    assert!(
        found(Servers.look(&access, &Question::default()).await)
            .backends
            .is_empty(),
        "none was asked for"
    );

    drop((migration, serving));
    for _ in 0..1200 {
        if found(Servers.look(&access, &both).await)
            .backends
            .is_empty()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the backends did not go");
}

#[tokio::test]
async fn a_database_that_shadows_functions_and_operators_changes_nothing() {
    let server = Server::start().await;
    let want = wanted("");
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let hostile = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    hostile
        .batch_execute(
            "CREATE FUNCTION public.lies(text, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'shadowed'; END$$;
             CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.lies);
             CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.lies);
             CREATE FUNCTION public.current_database() RETURNS name LANGUAGE plpgsql AS $$BEGIN RAISE 'shadowed'; END$$;
             CREATE FUNCTION public.starts_with(text, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'shadowed'; END$$;
             CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS $$BEGIN RAISE 'shadowed'; END$$;
             CREATE TABLE public.pg_database (datname name, oid oid); INSERT INTO public.pg_database VALUES ('other', 1);
             CREATE TABLE public.pg_roles (rolname name, rolsuper bool);
             ALTER ROLE owner SET search_path = public, pg_catalog; ALTER ROLE owner SET statement_timeout = 0",
        )
        .await
        .expect("the owner may do all this");
    let admin = server.superuser("postgres").await;
    admin
        .batch_execute("ALTER DATABASE shop SET search_path = public, pg_catalog")
        .await
        .expect("a setting");
    let question = Question {
        application_prefix: Some("x".into()),
        migration_role: Some(name("owner")),
        roles: Some(crate::roles(&want)),
        record: true,
    };
    let seen = found(
        Servers
            .look(&as_owner(&server.admin(), &want), &question)
            .await,
    );
    assert_eq!(seen.identity, identity);
    assert!(seen.roles_ready);
    assert_eq!(Servers.provide(&server.admin(), &want).await, Ok(identity));
}

#[tokio::test]
async fn sslmode_is_kept_as_libpq_keeps_it() {
    let server = Server::start_with(&[
        "ssl=on",
        "ssl_cert_file=../cert.pem",
        "ssl_key_file=../key.pem",
    ])
    .await;
    let access = |server: &Server, mode: &str| {
        Access::parse(&format!(
            "{}?sslmode={mode}",
            server.url("postgres", PASSWORD, "postgres")
        ))
        .expect("a URL")
    };
    for (mode, encrypted) in [("disable", false), ("prefer", true), ("require", true)] {
        let seen = Servers
            .look(&access(&server, mode), &Question::default())
            .await;
        assert_eq!(found(seen).identity.database, "postgres", "{mode}");
        let line = server
            .log()
            .lines()
            .rev()
            .find(|line| line.contains("application_name=towpath") && line.contains("authorized"))
            .map(String::from);
        assert_eq!(
            line.expect("connections are logged")
                .contains("SSL enabled"),
            encrypted,
            "{mode}"
        );
    }
    let refusal = refused(
        Servers
            .look(&access(&server, "verify-full"), &Question::default())
            .await,
    );
    assert!(
        refusal.contains("certificate must be valid for sslmode=verify-full"),
        "{refusal}"
    );
    let plain = Server::start().await;
    let refusal = refused(
        Servers
            .look(&access(&plain, "require"), &Question::default())
            .await,
    );
    assert!(refusal.contains("has no TLS"), "{refusal}");
    assert_eq!(
        found(
            Servers
                .look(&access(&plain, "prefer"), &Question::default())
                .await
        )
        .identity
        .database,
        "postgres"
    );
}

#[tokio::test]
async fn a_migration_may_grant_more_than_must_be() {
    let server = Server::start().await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let more =
        "SET ROLE owner; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON TYPES TO app";
    let shop = server.superuser("shop").await;
    shop.batch_execute(more).await.expect("a grant more");
    let question = Question {
        roles: Some(crate::roles(&want)),
        ..Question::default()
    };
    let at = as_owner(&server.admin(), &want);
    assert!(found(Servers.look(&at, &question).await).roles_ready);
    let less =
        "ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public REVOKE ALL ON SEQUENCES FROM app";
    shop.batch_execute(less).await.expect("a grant less");
    assert!(!found(Servers.look(&at, &question).await).roles_ready);
}
