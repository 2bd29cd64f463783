//! `towpath golden`, and between its two ends the tools of PostgreSQL, as the chart and the guide call them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::golden::{TEMPLATE, assert_in_place, copy, row_of};
use crate::role;
use crate::server::{PASSWORD, Server};
use crate::shared::provisioner;

/// Ways to fill, each of a dump of the database behind `$SOURCE_URL`.
const WAYS: [&str; 4] = [
    r#"pg_dump --no-owner --no-acl --format=custom --file=dump "$SOURCE_URL"
       pg_restore --no-owner --no-acl --exit-on-error --dbname=service=golden dump"#,
    // Owners and rights are left out when it is restored, too.
    r#"pg_dump --format=directory --file=dumps "$SOURCE_URL"
       pg_restore --no-owner --no-acl --exit-on-error --dbname=service=golden dumps"#,
    r#"pg_dump --no-owner --no-acl --file=dump.sql "$SOURCE_URL"
       psql --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --single-transaction --dbname=service=golden --file=dump.sql"#,
    r#"pg_dump --no-owner --no-acl "$SOURCE_URL" | psql --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --dbname=service=golden
       psql --set=ON_ERROR_STOP=1 --dbname="$(cat "$DATABASE_URL_FILE")" --file=- <<'SQL'
         UPDATE goods SET name = 'masked';
         ANALYZE goods;
SQL"#,
];

/// A folder as the pod has one, with the URL of who makes databases in it.
fn folder(server: &Server) -> TempDir {
    let folder = TempDir::new_in("/tmp").expect("a folder");
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("open");
    let url = server.url("provisioner", "p", "postgres");
    fs::write(folder.path().join("admin"), format!("{url}\n")).expect("a file");
    folder
}

/// One of both ends.
fn towpath(folder: &TempDir, step: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["golden", step, "--template", TEMPLATE, "--url-file"]);
    command.arg(folder.path().join("admin"));
    command.arg("--directory").arg(folder.path());
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What fills, as another user, who knows what the chart tells it and nothing else.
fn fill(server: &Server, folder: &TempDir, script: &str) {
    let mut bash = server.program("/bin/bash");
    bash.env("PGSERVICEFILE", folder.path().join("service.conf"));
    bash.env("DATABASE_URL_FILE", folder.path().join("url"));
    bash.env("SOURCE_URL", server.url("postgres", PASSWORD, "production"));
    bash.args(["-euo", "pipefail", "-c", script])
        .current_dir(folder.path());
    said(&bash.output().expect("it runs"));
}

/// A database whose schema and rows belong to somebody.
async fn source(server: &Server) {
    let superuser = server.superuser("postgres").await;
    let create = "CREATE DATABASE production";
    superuser.batch_execute(create).await.expect("a source");
    let inside = server.superuser("production").await;
    let content = "CREATE ROLE boss; GRANT CREATE ON DATABASE production TO boss; ALTER SCHEMA public OWNER TO boss; \
                   CREATE EXTENSION citext; SET ROLE boss; CREATE SCHEMA more; GRANT ALL ON SCHEMA public TO PUBLIC; \
                   CREATE TABLE goods (id serial PRIMARY KEY, name text); INSERT INTO goods (name) VALUES ('dumped'); \
                   CREATE TABLE more.people (name public.citext); GRANT SELECT ON goods TO PUBLIC";
    inside.batch_execute(content).await.expect("content");
}

#[tokio::test]
async fn the_tools_of_postgresql_fill_what_it_made() {
    let server = Server::start().await;
    provisioner(&server).await;
    source(&server).await;
    let folder = folder(&server);
    let admin = server.admin().as_role(&role("provisioner", "p"));
    for (number, way) in WAYS.into_iter().enumerate() {
        let begun = said(&towpath(&folder, "begin"));
        assert!(
            begun.starts_with("shop_template_next is there, empty, at 127.0.0.1:"),
            "{begun}"
        );
        fill(&server, &folder, way);
        let swapped = said(&towpath(&folder, "swap"));
        assert!(
            swapped.starts_with("shop_template is the new one: "),
            "{swapped}"
        );
        assert!(swapped.contains(" KiB, made in "), "{swapped}");
        assert_in_place(&server).await;
        let row = if way.contains("masked") {
            "masked"
        } else {
            "dumped"
        };
        assert_eq!(row_of(&server, &admin, &copy(number)).await, row, "{way}");
        let url = fs::read_to_string(folder.path().join("url")).expect("a URL");
        let secret = url.split([':', '@']).nth(2).expect("a password");
        let log = server.log();
        assert!(secret.len() > 20 && !log.contains(secret));
        assert!(!begun.contains(secret) && !swapped.contains(secret));
    }
}

#[tokio::test]
async fn what_is_refused_ends_with_its_sentence_and_nothing_of_the_url() {
    let server = Server::start().await;
    provisioner(&server).await;
    let folder = folder(&server);
    said(&towpath(&folder, "begin"));
    let empty = towpath(&folder, "swap");
    assert_eq!(empty.status.code(), Some(1));
    assert_eq!(
        text(&empty.stderr),
        "error: \"shop_template_next\" must hold something, and it is empty\n"
    );
    for (url, code, sentence) in [
        (
            "postgres://provisioner:S3cret@127.0.0.1:PORT/postgres",
            1,
            "the Secret must hold the right password",
        ),
        (
            "provisioner:S3cret@127.0.0.1",
            2,
            "the connection URL must have the form",
        ),
    ] {
        let url = url.replace("PORT", &server.port.to_string());
        fs::write(folder.path().join("admin"), url).expect("a file");
        for step in ["begin", "swap"] {
            let refused = towpath(&folder, step);
            let why = text(&refused.stderr) + &text(&refused.stdout);
            assert_eq!(refused.status.code(), Some(code), "{why}");
            assert!(why.contains(sentence) && !why.contains("S3cret"), "{why}");
        }
    }
}
