//! The record of migrations.

use jiff::Timestamp;
use towpath::postgres::{Access, Databases, Entry, Failure, Outcome, Question, Servers};

use crate::server::Server;
use crate::{as_owner, found, refused, wanted};

fn entry(key: &str, revision: i64, outcome: Outcome, finished: i64) -> Entry {
    Entry {
        key: key.into(),
        revision,
        outcome,
        started: Timestamp::from_second(finished - 5).ok(),
        finished: Timestamp::from_second(finished).ok(),
        note: None,
    }
}

async fn recorded(access: &Access) -> Vec<Entry> {
    found(
        Servers
            .look(
                access,
                &Question {
                    record: true,
                    ..Question::default()
                },
            )
            .await,
    )
    .record
}

async fn provided() -> (Server, Access) {
    let server = Server::start().await;
    let want = wanted("");
    Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let access = as_owner(&server.admin(), &want);
    (server, access)
}

#[tokio::test]
async fn entries_are_read_as_they_were_written_the_oldest_first() {
    let (_server, access) = provided().await;
    assert_eq!(recorded(&access).await, []);
    let second = entry("b", 2, Outcome::Succeeded, 2000);
    let first = entry("it's \"a\"", 1, Outcome::Failed, 1000);
    let marked = Entry {
        started: None,
        note: Some("by hand".into()),
        ..entry("c", 3, Outcome::MarkedApplied, 3000)
    };
    for entry in [&second, &first, &marked, &second] {
        Servers.record(&access, entry).await.expect("recorded");
    }
    assert_eq!(recorded(&access).await, [first, second, marked]);
}

#[tokio::test]
async fn a_success_replaces_a_failure_and_never_the_other_way() {
    let (_server, access) = provided().await;
    Servers
        .record(&access, &entry("a", 1, Outcome::Failed, 1000))
        .await
        .expect("recorded");
    Servers
        .record(&access, &entry("a", 1, Outcome::Failed, 1001))
        .await
        .expect("recorded");
    let success = entry("a", 1, Outcome::Succeeded, 2000);
    Servers.record(&access, &success).await.expect("recorded");
    Servers
        .record(&access, &entry("a", 1, Outcome::Failed, 3000))
        .await
        .expect("kept");
    assert_eq!(recorded(&access).await, [success]);
}

#[tokio::test]
async fn two_first_writes_at_once_make_one_table() {
    let (_server, access) = provided().await;
    let (one, two) = (
        entry("a", 1, Outcome::Succeeded, 1000),
        entry("b", 2, Outcome::Succeeded, 2000),
    );
    let (first, second) =
        tokio::join!(Servers.record(&access, &one), Servers.record(&access, &two));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(recorded(&access).await, [one, two]);
}

#[tokio::test]
async fn the_app_cannot_touch_the_record_and_its_refusal_is_no_empty_record() {
    let (server, access) = provided().await;
    Servers
        .record(&access, &entry("a", 1, Outcome::Succeeded, 1000))
        .await
        .expect("recorded");
    let serving = server
        .connect("app", "App-S3cret", "shop")
        .await
        .expect("logs in");
    for statement in [
        "SELECT * FROM towpath.migrations",
        "INSERT INTO towpath.migrations (key, revision, outcome) VALUES ('x', 1, 'Succeeded')",
    ] {
        assert!(
            serving.batch_execute(statement).await.is_err(),
            "{statement}"
        );
    }
    let app = access.as_role(&wanted("").app);
    let question = Question {
        record: true,
        ..Question::default()
    };
    assert!(refused(Servers.look(&app, &question).await).contains("42501"));
    assert!(
        found(Servers.look(&app, &Question::default()).await)
            .record
            .is_empty()
    );
    let failure = Servers
        .record(&app, &entry("b", 2, Outcome::Succeeded, 1000))
        .await
        .expect_err("the app may not");
    assert!(matches!(failure, Failure::Refused(_)), "{failure}");
}

#[tokio::test]
async fn a_superuser_neither_runs_what_the_owner_put_there_nor_writes() {
    let (server, access) = provided().await;
    let admin = server.admin().to_database(&wanted("").database);
    let failure = Servers
        .record(&admin, &entry("a", 1, Outcome::Succeeded, 1000))
        .await
        .expect_err("a superuser");
    assert!(
        matches!(&failure, Failure::Refused(why) if why.contains("must be written by the migration role")),
        "{failure}"
    );

    let hostile = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    let trap = "CREATE SCHEMA towpath; CREATE TABLE towpath.stolen (who text);
        CREATE FUNCTION towpath.trap() RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE owner SUPERUSER'; RETURN 'x'; END$$;
        CREATE VIEW towpath.migrations AS SELECT towpath.trap() AS key, 1::bigint AS revision, 'Succeeded'::text AS outcome,
        now() AS started, now() AS finished, ''::text AS note";
    hostile
        .batch_execute(trap)
        .await
        .expect("the owner may do all this");
    let question = Question {
        record: true,
        ..Question::default()
    };
    for reader in [&admin, &access] {
        assert!(refused(Servers.look(reader, &question).await).contains("must be a table"));
    }
    let failure = Servers
        .record(&access, &entry("a", 1, Outcome::Succeeded, 1000))
        .await
        .expect_err("a view");
    assert!(
        matches!(&failure, Failure::Refused(why) if why.contains("must be a table")),
        "{failure}"
    );
    let row = server
        .superuser("shop")
        .await
        .query_one("SELECT rolsuper FROM pg_roles WHERE rolname = 'owner'", &[])
        .await;
    assert!(
        !row.expect("a role").get::<_, bool>(0),
        "the trap was not sprung"
    );
}

#[tokio::test]
async fn a_record_that_a_person_has_spoilt_is_refused_not_guessed() {
    let (server, access) = provided().await;
    Servers
        .record(&access, &entry("a", 1, Outcome::Succeeded, 1000))
        .await
        .expect("recorded");
    let owner = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    owner
        .batch_execute("UPDATE towpath.migrations SET outcome = 'fine'")
        .await
        .expect("spoilt");
    let question = Question {
        record: true,
        ..Question::default()
    };
    assert!(
        refused(Servers.look(&access, &question).await)
            .contains("outcomes are Succeeded, Failed or MarkedApplied")
    );
}

#[tokio::test]
async fn a_record_that_swallows_what_is_written_is_refused() {
    let (server, access) = provided().await;
    let first = entry("a", 1, Outcome::Succeeded, 1000);
    Servers.record(&access, &first).await.expect("recorded");
    let owner = server
        .connect("owner", "0wner-S3cret", "shop")
        .await
        .expect("logs in");
    for swallows in [
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER nothing BEFORE INSERT ON towpath.migrations FOR EACH ROW EXECUTE FUNCTION nothing()",
        "DROP TRIGGER nothing ON towpath.migrations; \
         CREATE RULE nothing AS ON INSERT TO towpath.migrations DO INSTEAD NOTHING",
    ] {
        owner.batch_execute(swallows).await.expect("spoilt");
        let second = entry("b", 2, Outcome::Succeeded, 2000);
        let written = Servers.record(&access, &second).await;
        let why = written.expect_err("it is not there").to_string();
        assert!(why.contains("must stay there"), "{why}");
    }
    assert_eq!(recorded(&access).await, [first]);
}
