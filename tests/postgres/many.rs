//! Many databases at once on one shared server, and large golden ones. What it takes is printed: `--nocapture` shows it.

use std::time::Instant;

use futures::{StreamExt, stream};
use towpath::postgres::{Databases, Failure, Servers, Wanted};

use crate::name;
use crate::server::Server;
use crate::shared::{left, provisioner, unwanted, wanted};

const MANY: u32 = 50;
/// As many passes as a controller makes at the same time.
const AT_ONCE: usize = 16;

fn uid(number: u32) -> String {
    format!("{number:08x}-5d6c-4c0e-9f0a-3f6e0c2b7a11")
}

/// A golden database with a table of this many megabytes.
async fn golden(server: &Server, megabytes: u32) {
    let superuser = server.superuser("postgres").await;
    for statement in [
        "CREATE ROLE golden_group NOLOGIN",
        "GRANT golden_group TO provisioner WITH ADMIN OPTION",
        "CREATE DATABASE golden OWNER provisioner",
    ] {
        superuser.batch_execute(statement).await.expect(statement);
    }
    let inside = server.superuser("golden").await;
    // Eight rows fill a page of 8 KiB.
    let content = format!(
        "ALTER SCHEMA public OWNER TO golden_group; SET ROLE golden_group;
         CREATE TABLE goods (id int, note text); ALTER TABLE goods ALTER note SET STORAGE plain;
         INSERT INTO goods SELECT n, repeat('x', 980) FROM generate_series(1, {}) n",
        megabytes * 128 * 8
    );
    inside.batch_execute(&content).await.expect("content");
    drop(inside);
    let close = "ALTER DATABASE golden WITH IS_TEMPLATE true ALLOW_CONNECTIONS false";
    superuser.batch_execute(close).await.expect("closed");
    // It was written long before it is copied.
    superuser.batch_execute("CHECKPOINT").await.expect("done");
}

/// Provides it, and again while the template is in use.
async fn provide(server: &Server, want: &Wanted) -> u32 {
    let admin = server.admin().as_role(&crate::role("provisioner", "p"));
    let mut busy = 0;
    loop {
        match Servers.provide(&admin, want).await {
            Ok(_) => return busy,
            Err(Failure::Busy(why)) => {
                assert!(why.contains("in use"), "{why}");
                busy += 1;
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

async fn provide_many(server: &Server, from: Option<&str>) -> u32 {
    let wanted = (1..=MANY).map(|number| Wanted {
        template: from.map(name),
        ..wanted(&uid(number))
    });
    let each = stream::iter(wanted).map(async |want| provide(server, &want).await);
    let waited: Vec<u32> = each.buffer_unordered(AT_ONCE).collect().await;
    waited.iter().sum()
}

async fn remove_many(server: &Server) {
    let admin = server.admin().as_role(&crate::role("provisioner", "p"));
    let unwanted = (1..=MANY).map(|number| unwanted(&uid(number)));
    let each = stream::iter(unwanted).map(async |it| Servers.remove(&admin, &it).await);
    let removed: Vec<_> = each.buffer_unordered(AT_ONCE).collect().await;
    assert!(removed.iter().all(Result::is_ok), "{removed:?}");
}

#[tokio::test]
async fn fifty_empty_databases_are_made_at_once_and_dropped() {
    let server = Server::start().await;
    provisioner(&server).await;
    let began = Instant::now();
    provide_many(&server, None).await;
    let made = began.elapsed();
    assert_eq!(left(&server).await.len(), 3 * MANY as usize);
    let began = Instant::now();
    remove_many(&server).await;
    eprintln!(
        "{MANY} empty databases: made in {made:.1?}, dropped in {:.1?}",
        began.elapsed()
    );
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn fifty_copies_of_a_golden_database_wait_for_each_other() {
    let server = Server::start().await;
    provisioner(&server).await;
    golden(&server, 1).await;
    let began = Instant::now();
    let busy = provide_many(&server, Some("golden")).await;
    eprintln!(
        "{MANY} copies of 1 MB: {:.1?}, told to wait {busy} times",
        began.elapsed()
    );
    assert_eq!(left(&server).await.len(), 3 * MANY as usize);
    remove_many(&server).await;
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_golden_database_of_a_hundred_megabytes_is_copied_whole() {
    // As a server that keeps its data: with fsync.
    let server = Server::start_with(&["fsync=on", "log_statement=none"]).await;
    provisioner(&server).await;
    golden(&server, 100).await;
    let want = Wanted {
        template: Some(name("golden")),
        ..wanted(&uid(1))
    };
    let began = Instant::now();
    provide(&server, &want).await;
    eprintln!("a copy of 100 MB: {:.1?}", began.elapsed());
    let copy = server.superuser(want.database.as_str()).await;
    let sql = "SELECT count(*), pg_database_size(current_database()) FROM goods";
    let row = copy.query_one(sql, &[]).await.expect("the copy is read");
    assert_eq!(row.get::<_, i64>(0), 100 * 128 * 8);
    assert!(row.get::<_, i64>(1) > 100 << 20);
}
