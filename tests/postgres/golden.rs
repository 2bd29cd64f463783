//! Golden databases that are made anew beside the present one and swapped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Client;
use towpath::postgres::golden::{Golden, Run, Swapped, begin, swap};
use towpath::postgres::{Access, Databases, Failure, Password, Servers, Wanted};

use crate::server::{Cut, PASSWORD, Server};
use crate::shared::{provisioner, unwanted, wanted};
use crate::{name, role};

pub const TEMPLATE: &str = "shop_template";
const NEXT: &str = "shop_template_next";
const LOGIN: &str = "shop_template_fill";
const FILL: &str = "F1ll-S3cret";

fn golden() -> Golden {
    Golden::new(TEMPLATE).expect("a name")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

async fn began(admin: &Access) -> Run {
    let run = Run::random();
    let begun = begin(admin, &golden(), &Password::new(FILL), &run).await;
    let access = begun.expect("begun");
    assert_eq!((access.user(), access.database()), (LOGIN, NEXT));
    run
}

async fn swapped(admin: &Access, run: &Run) -> Result<Swapped, Failure> {
    swap(admin, &golden(), run, now()).await
}

fn why(refused: Result<Swapped, Failure>) -> String {
    match refused {
        Err(Failure::Refused(why)) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// The connection of what fills.
async fn filler(server: &Server) -> Client {
    let filler = server.connect(LOGIN, FILL, NEXT).await;
    filler.expect("the login fills")
}

/// Fills as people do, with one row that tells one filling from another.
async fn fill(server: &Server, row: &str) {
    let fill = format!(
        "CREATE TABLE goods (id serial PRIMARY KEY, name text); INSERT INTO goods (name) VALUES ('{row}'); \
         CREATE SCHEMA more; CREATE EXTENSION citext; CREATE TABLE more.people (name citext)"
    );
    let filler = filler(server).await;
    filler.batch_execute(&fill).await.expect("filled");
}

/// The whole of it.
async fn make(server: &Server, admin: &Access, row: &str) {
    let run = began(admin).await;
    fill(server, row).await;
    let swapped = swapped(admin, &run).await.expect("swapped");
    assert!(
        swapped.bytes > 1 << 20 && swapped.left.is_none(),
        "{swapped:?}"
    );
    assert_in_place(server).await;
}

async fn texts(server: &Server, sql: &str) -> Vec<String> {
    let rows = server.superuser("postgres").await.query(sql, &[]).await;
    let rows = rows.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The golden database stands alone, closed, and nothing is left of how it was made.
pub async fn assert_in_place(server: &Server) {
    let all = "SELECT datname::text || ' ' || datistemplate || ' ' || datallowconn FROM pg_database WHERE datname LIKE 'shop%' \
               UNION ALL SELECT rolname::text || ' ' || rolcanlogin FROM pg_roles WHERE rolname LIKE 'shop%' ORDER BY 1";
    assert_eq!(
        texts(server, all).await,
        ["shop_template true false", "shop_template_group false"]
    );
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop_template'";
    let comment = texts(server, comment).await.concat();
    assert!(
        comment.starts_with("towpath golden database run=") && comment.contains(" refreshed=20"),
        "{comment}"
    );
}

/// A preview's database, made as the controller makes it.
pub fn copy(number: usize) -> Wanted {
    let uid = format!("{number:08x}-5d6c-4c0e-9f0a-3f6e0c2b7a11");
    Wanted {
        template: Some(name(TEMPLATE)),
        ..wanted(&uid)
    }
}

/// What the app of a copy reads; its owner can migrate.
pub async fn row_of(server: &Server, admin: &Access, want: &Wanted) -> String {
    Servers.provide(admin, want).await.expect("provided");
    let database = want.database.as_str();
    let owner = server.connect(want.owner.name.as_str(), "0wner-S3cret", database);
    let migration = "ALTER TABLE goods ADD IF NOT EXISTS price int; ALTER TABLE more.people ADD IF NOT EXISTS age int";
    let migrated = owner
        .await
        .expect("the owner")
        .batch_execute(migration)
        .await;
    migrated.expect("it migrates what was copied");
    let app = server.connect(want.app.name.as_str(), "App-S3cret", database);
    let row = app
        .await
        .expect("the app")
        .query_one("SELECT name FROM goods WHERE id = 1", &[])
        .await;
    row.expect("a row").get(0)
}

#[tokio::test]
async fn each_refresh_is_copied_by_new_previews_and_leaves_the_others_alone() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "first").await;
    assert_eq!(row_of(&server, &admin, &copy(1)).await, "first");

    let run = began(&admin).await;
    fill(&server, "second").await;
    assert_eq!(
        row_of(&server, &admin, &copy(2)).await,
        "first",
        "until it is put into place, previews are copies of the one before"
    );
    let present = server
        .connect(LOGIN, FILL, "postgres")
        .await
        .expect("still there");
    swapped(&admin, &run).await.expect("swapped");
    assert!(present.batch_execute("SELECT 1").await.is_ok());
    swapped(&admin, &run).await.expect("twice is once");
    assert_in_place(&server).await;
    assert_eq!(row_of(&server, &admin, &copy(3)).await, "second");
    assert_eq!(row_of(&server, &admin, &copy(1)).await, "first");
    for number in [1, 2, 3] {
        let uid = format!("{number:08x}-5d6c-4c0e-9f0a-3f6e0c2b7a11");
        Servers
            .remove(&admin, &unwanted(&uid))
            .await
            .expect("dropped");
    }
    assert_in_place(&server).await;
    let log = server.log();
    assert!(log.contains("CREATE ROLE \"shop_template_fill\""), "{log}");
    for secret in [PASSWORD, FILL] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_superuser_makes_the_same() {
    let server = Server::start().await;
    let admin = server.admin();
    make(&server, &admin, "first").await;
    make(&server, &admin, "second").await;
    assert_eq!(row_of(&server, &admin, &copy(1)).await, "second");
}

#[tokio::test]
async fn while_it_is_filled_only_its_login_gets_in() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "first").await;
    let want = copy(1);
    row_of(&server, &admin, &want).await;
    began(&admin).await;
    for (user, password) in [(&want.owner, "0wner-S3cret"), (&want.app, "App-S3cret")] {
        let (user, what) = (
            user.name.as_str(),
            "a role of a preview, of the same group, stays out",
        );
        assert!(
            server.connect(user, password, NEXT).await.is_err(),
            "{what}"
        );
    }
    // Whoever is still connected is made to go when it is put into place, with what was not committed.
    let filler = filler(&server).await;
    let open = "CREATE TABLE goods (); BEGIN; CREATE TABLE late ()";
    filler.batch_execute(open).await.expect("a table");
    let again = began(&admin).await;
    assert!(
        filler.batch_execute("SELECT 1").await.is_err(),
        "another run ends it"
    );
    fill(&server, "second").await;
    let late = self::filler(&server).await;
    late.batch_execute("BEGIN; CREATE TABLE late ()")
        .await
        .expect("a table");
    swapped(&admin, &again).await.expect("swapped");
    assert!(late.batch_execute("COMMIT").await.is_err());
    let copied = copy(2);
    assert_eq!(row_of(&server, &admin, &copied).await, "second");
    let inside = server.superuser(copied.database.as_str()).await;
    assert!(inside.batch_execute("SELECT FROM late").await.is_err());
}

#[tokio::test]
async fn who_was_overtaken_puts_nothing_into_place() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let first = began(&admin).await;
    fill(&server, "first").await;
    let second = began(&admin).await;
    let said = why(swapped(&admin, &first).await);
    assert!(said.contains("another run has begun anew"), "{said}");
    fill(&server, "second").await;
    swapped(&admin, &second).await.expect("swapped");
    let said = why(swapped(&admin, &first).await);
    assert!(said.contains("another run has begun anew"), "{said}");
    assert_in_place(&server).await;
    assert_eq!(row_of(&server, &admin, &copy(1)).await, "second");
}

#[tokio::test]
async fn what_the_login_made_as_itself_is_refused_and_the_one_before_stays() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "first").await;
    for (number, hostile) in [
        "RESET ROLE; SET ROLE NONE; CREATE TABLE mine (id int)",
        "CREATE TABLE goods (); SET ROLE NONE; CREATE FUNCTION now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE goods (); SET ROLE NONE; SELECT lo_create(0)",
        "CREATE TABLE goods (); SET ROLE NONE; CREATE COLLATION mine FROM \"C\"",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let run = began(&admin).await;
        filler(&server).await.batch_execute(hostile).await.expect(hostile);
        let said = why(swapped(&admin, &run).await);
        assert!(said.contains("must"), "{said}");
        assert!(said.contains("it is empty") == hostile.is_empty(), "{said}");
        assert_eq!(row_of(&server, &admin, &copy(number)).await, "first", "{hostile}");
    }
    // The next run takes away what was left, also what it made elsewhere and what was granted to it.
    let superuser = server.superuser("postgres").await;
    let open = "GRANT CREATE ON SCHEMA public TO PUBLIC";
    superuser.batch_execute(open).await.expect("an old server");
    let run = began(&admin).await;
    let elsewhere = server
        .connect(LOGIN, FILL, "postgres")
        .await
        .expect("it may");
    elsewhere
        .batch_execute("CREATE TABLE mine ()")
        .await
        .expect("a table");
    fill(&server, "second").await;
    let grant = format!(
        "GRANT SELECT ON goods TO {LOGIN}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {LOGIN}; \
         GRANT ALL ON SCHEMA public TO PUBLIC"
    );
    filler(&server)
        .await
        .batch_execute(&grant)
        .await
        .expect("granted");
    let swapped = swapped(&admin, &run).await.expect("swapped");
    assert_eq!(swapped.left, None);
    assert_in_place(&server).await;
    assert_eq!(row_of(&server, &admin, &copy(9)).await, "second");
}

#[tokio::test]
async fn what_was_made_by_hand_is_not_touched_until_it_is_handed_over() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let superuser = server.superuser("postgres").await;
    for statement in [
        "CREATE DATABASE shop_template",
        "CREATE DATABASE shop_template_next OWNER provisioner",
        "ALTER DATABASE shop_template WITH IS_TEMPLATE true ALLOW_CONNECTIONS false",
    ] {
        superuser.batch_execute(statement).await.expect(statement);
    }
    let refusal = async || {
        let begun = begin(&admin, &golden(), &Password::new(FILL), &Run::random()).await;
        match begun.err() {
            Some(Failure::Refused(why)) => why,
            other => panic!("it was not refused: {other:?}"),
        }
    };
    let said = refusal().await;
    let (sentence, statements) = said
        .split_once("made here: ")
        .expect("a sentence and statements");
    assert!(sentence.contains("must be handed over"), "{said}");
    superuser
        .batch_execute(statements)
        .await
        .expect("what the sentence says");
    let said = refusal().await;
    assert!(
        said.contains("\"shop_template_next\" must not exist"),
        "{said}"
    );
    superuser
        .batch_execute("DROP DATABASE shop_template_next")
        .await
        .expect("gone");
    for part in ["group", "fill"] {
        let foreign = format!("CREATE ROLE shop_template_{part}");
        superuser.batch_execute(&foreign).await.expect("a role");
        let said = refusal().await;
        assert!(
            said.contains(&format!("the role \"shop_template_{part}\" must not exist")),
            "{said}"
        );
        let gone = format!("DROP ROLE shop_template_{part}");
        superuser.batch_execute(&gone).await.expect("gone");
    }
    let left = texts(
        &server,
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'shop%'",
    )
    .await;
    assert_eq!(left, [TEMPLATE]);
    make(&server, &admin, "first").await;
}

#[tokio::test]
async fn while_the_present_one_is_in_use_it_waits() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "first").await;
    let run = began(&admin).await;
    fill(&server, "second").await;
    // The lock that a copy holds on what it copies.
    let superuser = server.superuser("postgres").await;
    let copying = "BEGIN; COMMENT ON DATABASE shop_template IS 'x'";
    superuser.batch_execute(copying).await.expect("a lock");
    let busy =
        |answer| matches!(answer, Err(Failure::Busy(why)) if why.contains("is being copied"));
    assert!(busy(swapped(&admin, &run).await));
    superuser.batch_execute("ROLLBACK").await.expect("it ends");
    // Somebody looks into it.
    let open = "ALTER DATABASE shop_template ALLOW_CONNECTIONS true";
    superuser.batch_execute(open).await.expect("open");
    let inside = server.superuser(TEMPLATE).await;
    assert!(busy(swapped(&admin, &run).await));
    drop(inside);
    tokio::time::sleep(Duration::from_millis(100)).await;
    swapped(&admin, &run).await.expect("swapped");
    assert_in_place(&server).await;
    assert_eq!(row_of(&server, &admin, &copy(1)).await, "second");
}

/// Copies are made until somebody says stop, each tried again as the controller does; gives what each of them holds.
async fn copies(server: &Server, admin: &Access, from: usize, stop: &AtomicBool) -> Vec<String> {
    let mut rows = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let want = copy(from + rows.len());
        match Servers.provide(admin, &want).await {
            Ok(_) => rows.push(row_of(server, admin, &want).await),
            Err(Failure::Busy(_) | Failure::Silent(_)) => {}
            Err(refused) => panic!("a copy is refused: {refused}"),
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_are_copied_all_along() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "0").await;
    let stop = AtomicBool::new(false);
    let refreshes = async {
        for number in 1..=4 {
            let run = began(&admin).await;
            fill(&server, &number.to_string()).await;
            loop {
                match swapped(&admin, &run).await {
                    Ok(_) => break,
                    Err(Failure::Busy(_) | Failure::Silent(_)) => {}
                    Err(refused) => panic!("it is refused: {refused}"),
                }
            }
            assert_in_place(&server).await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (one, two) = (
        copies(&server, &admin, 0, &stop),
        copies(&server, &admin, 1000, &stop),
    );
    let (one, two, ()) = tokio::join!(one, two, refreshes);
    for rows in [one, two] {
        assert!(rows.len() > 3, "{rows:?}");
        assert!(rows.is_sorted(), "none is older than one before: {rows:?}");
    }
    assert_eq!(row_of(&server, &admin, &copy(2000)).await, "4");
}

/// Runs a step over a wire that breaks at a statement; says whether it broke.
fn broke<T: std::fmt::Debug>(answer: Result<T, Failure>) -> bool {
    match answer {
        Ok(_) => false,
        Err(Failure::Silent(_)) => true,
        Err(other) => panic!("it did not break: {other:?}"),
    }
}

/// One whole run that ends at a statement of its first step, and then of its last; says which of them broke.
async fn broken_and_repeated(server: &Server, cut: Cut, at: usize) -> [bool; 2] {
    let admin = server.admin().as_role(&role("provisioner", "p"));
    let wire = server.wire(at, cut).await;
    let broken = wire.admin().as_role(&role("provisioner", "p"));
    let (golden, password) = (golden(), Password::new(FILL));
    let begun = broke(begin(&broken, &golden, &password, &Run::random()).await);
    let exists = "SELECT datname::text FROM pg_database WHERE datname = 'shop_template' AND datistemplate AND NOT datallowconn";
    assert_eq!(texts(server, exists).await, [TEMPLATE]);
    let run = began(&admin).await;
    let row = format!("{cut:?} {at}");
    fill(server, &row).await;
    let wire = server.wire(at, cut).await;
    let broken = wire.admin().as_role(&role("provisioner", "p"));
    let ended = broke(swapped(&broken, &run).await);
    assert_eq!(texts(server, exists).await, [TEMPLATE]);
    // Either the same run goes on, or another begins.
    match at % 2 {
        0 => drop(swapped(&admin, &run).await.expect("swapped")),
        _ => make(server, &admin, &row).await,
    }
    assert_in_place(server).await;
    let want = copy(at + 100 * usize::from(matches!(cut, Cut::Answer)));
    assert_eq!(row_of(server, &admin, &want).await, row);
    [begun, ended]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_end_at_any_statement_and_be_repeated() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    make(&server, &admin, "first").await;
    for cut in [Cut::Statement, Cut::Answer] {
        let mut counts = [0, 0];
        for at in 0.. {
            let broke = broken_and_repeated(&server, cut, at).await;
            for (count, broke) in counts.iter_mut().zip(broke) {
                *count += usize::from(broke);
            }
            if broke == [false, false] {
                break;
            }
        }
        assert!(
            counts.iter().all(|count| (12..40).contains(count)),
            "{counts:?}"
        );
    }
}
