//! Databases on a shared server: made empty or from a golden one, and dropped when they carry their owner's comment.

use std::time::Duration;

use towpath::build::shared as names;
use towpath::postgres::{
    Access, Databases, Entry, Failure, Outcome, Ownership, Question, Servers, Unwanted, Wanted,
};

use crate::provision::assert_provided;
use crate::server::{PASSWORD, Server};
use crate::{as_owner, found, name, role, roles};

const UID: &str = "0b51e9b2-5d6c-4c0e-9f0a-3f6e0c2b7a11";
const OTHER: &str = "1c51e9b2-5d6c-4c0e-9f0a-3f6e0c2b7a22";

fn comment(uid: &str) -> String {
    let ownership = Ownership {
        cluster: "production-1".into(),
        kind: "Environment".into(),
        namespace: "shop-previews".into(),
        name: "shop-pr-42".into(),
        uid: uid.into(),
    };
    ownership.to_string()
}

pub fn wanted(uid: &str) -> Wanted {
    let database = names::database(uid);
    Wanted {
        owner: role(&names::owner(&database), "0wner-S3cret"),
        app: role(&names::app(&database), "App-S3cret"),
        database: name(&database),
        family: name(&database),
        comment: comment(uid),
        adopts: None,
        whole_server: false,
        template: None,
        connection_limit: Some(20),
    }
}

pub fn unwanted(uid: &str) -> Unwanted {
    Unwanted {
        family: name(&names::database(uid)),
        comment: comment(uid),
        is_made: names::is_made,
        only: None,
    }
}

/// A provisioner that is no superuser.
pub async fn provisioner(server: &Server) -> Access {
    let make = "CREATE ROLE provisioner LOGIN CREATEDB CREATEROLE PASSWORD 'p'";
    let admin = server.superuser("postgres").await;
    admin.batch_execute(make).await.expect("a role");
    server.admin().as_role(&role("provisioner", "p"))
}

/// Names of what was made here, databases and roles.
pub async fn left(server: &Server) -> Vec<String> {
    let all = "SELECT datname::text FROM pg_database WHERE datname LIKE 'towpath%' \
               UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'towpath%' ORDER BY 1";
    let rows = server.superuser("postgres").await.query(all, &[]).await;
    let rows = rows.expect("names");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn an_empty_database_is_made_and_dropped() {
    let server = Server::start().await;
    let (admin, want) = (provisioner(&server).await, wanted(UID));
    let identity = Servers.provide(&admin, &want).await.expect("provided");
    assert_provided(&server, &want, &identity).await;
    let limit = "SELECT datconnlimit FROM pg_database WHERE datname = $1";
    let superuser = server.superuser("postgres").await;
    let limit = superuser.query_one(limit, &[&want.database.as_str()]).await;
    assert_eq!(limit.expect("a row").get::<_, i32>(0), 20);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'towpath%' AND rolconnlimit = 20";
    let limited = superuser.query_one(roles, &[]).await.expect("a count");
    assert_eq!(
        limited.get::<_, i64>(0),
        2,
        "elsewhere they are limited too"
    );
    let fewer = Wanted {
        connection_limit: Some(10),
        ..want.clone()
    };
    Servers.provide(&admin, &fewer).await.expect("provided");
    let limited = superuser.query_one(roles, &[]).await.expect("a count");
    assert_eq!(limited.get::<_, i64>(0), 0, "another limit reaches them");
    let stranger = Servers.provide(&admin, &wanted(OTHER)).await;
    stranger.expect("another one beside it");
    let database = want.database.as_str();
    let foreign = names::app(&names::database(OTHER));
    let refused = server.connect(&foreign, "App-S3cret", database).await;
    assert!(
        refused.is_err(),
        "one app does not reach another's database"
    );

    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    let rest = left(&server).await;
    assert!(
        rest.len() == 3 && rest.iter().all(|name| !name.starts_with(database)),
        "{rest:?}"
    );
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("what is gone is done");
    Servers
        .remove(&admin, &unwanted(OTHER))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_carries_another_comment_is_not_dropped() {
    let server = Server::start().await;
    let admin = server.admin();
    let want = wanted(UID);
    Servers.provide(&admin, &want).await.expect("provided");
    let database = want.database.as_str();
    let superuser = server.superuser("postgres").await;
    for wrong in [
        comment(OTHER),
        comment(UID).replace("production-1", "production-2"),
        comment(UID).replace("shop-previews", "other"),
        comment(UID) + " ",
        "of somebody else".to_owned(),
    ] {
        let change = format!("COMMENT ON DATABASE {database} IS '{wrong}'");
        superuser.batch_execute(&change).await.expect("a comment");
        let refusal = Servers.remove(&admin, &unwanted(UID)).await;
        let why = refusal.expect_err("it is another's").to_string();
        assert!(
            why.contains("must carry the comment of this Environment"),
            "{why}"
        );
        assert_eq!(left(&server).await.len(), 3);
    }
    // The comment alone is not enough: the name must be one that is made here, and the owner who drops.
    let mine = comment(OTHER);
    let precious = format!("CREATE DATABASE precious; COMMENT ON DATABASE precious IS '{mine}'");
    for statement in precious.split("; ") {
        superuser
            .batch_execute(statement)
            .await
            .expect("a database");
    }
    assert!(Servers.remove(&admin, &unwanted(OTHER)).await.is_err());
    let exists = superuser
        .query("SELECT FROM pg_database WHERE datname = 'precious'", &[])
        .await;
    assert_eq!(exists.expect("rows").len(), 1);
}

#[tokio::test]
async fn what_a_crash_left_without_a_comment_is_dropped() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let database = names::database(UID);
    let make = server
        .connect("provisioner", "p", "postgres")
        .await
        .expect("a connection");
    make.batch_execute(&format!("CREATE DATABASE {database}"))
        .await
        .expect("a database");
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
    // One that somebody else made is not.
    let superuser = server.superuser("postgres").await;
    superuser
        .batch_execute(&format!("CREATE DATABASE {database}"))
        .await
        .expect("a database");
    assert!(Servers.remove(&admin, &unwanted(UID)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_reconnecting_holds_nothing_up() {
    let server = std::sync::Arc::new(Server::start().await);
    let (admin, want) = (provisioner(&server).await, wanted(UID));
    Servers.provide(&admin, &want).await.expect("provided");
    let clients = [&want.app, &want.owner].map(|role| {
        let (server, user) = (server.clone(), role.name.as_str().to_owned());
        let password = if user.ends_with("_app") {
            "App-S3cret"
        } else {
            "0wner-S3cret"
        };
        let database = want.database.as_str().to_owned();
        tokio::spawn(async move {
            loop {
                if let Ok(client) = server.connect(&user, password, &database).await {
                    _ = client.batch_execute("SELECT pg_sleep(60)").await;
                }
            }
        })
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let removed = Servers.remove(&admin, &unwanted(UID)).await;
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    removed.expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_hostile_database_gains_nothing() {
    let server = Server::start().await;
    let (admin, want) = (provisioner(&server).await, wanted(UID));
    Servers.provide(&admin, &want).await.expect("provided");
    let owner = want.owner.name.as_str();
    let inside = server
        .connect(owner, "0wner-S3cret", want.database.as_str())
        .await
        .expect("logs in");
    let trap = "CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
                EXECUTE format('ALTER ROLE %I CREATEDB', session_user); RETURN 'x'; END $$; \
                CREATE FUNCTION public.evil(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.trap() IS NOT NULL'; \
                CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil); \
                CREATE FUNCTION public.shobj_description(oid, text) RETURNS text LANGUAGE sql AS 'SELECT public.trap()'; \
                CREATE FUNCTION public.shobj_description(oid, name) RETURNS text LANGUAGE sql AS 'SELECT public.trap()'; \
                CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT public.trap()'; \
                CREATE VIEW public.pg_roles AS SELECT public.trap() AS rolname; \
                CREATE VIEW public.pg_database AS SELECT public.trap() AS datname";
    inside
        .batch_execute(trap)
        .await
        .expect("it may do that in its own database");
    let event = "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION public.trap()";
    assert!(
        inside.batch_execute(event).await.is_err(),
        "event triggers are for superusers"
    );
    for set in [
        format!("COMMENT ON DATABASE {} IS 'x'", want.database.quoted()),
        format!("COMMENT ON ROLE {} IS 'x'", want.owner.name.quoted()),
        format!(
            "ALTER DATABASE {} OWNER TO {}",
            want.database.quoted(),
            want.owner.name.quoted()
        ),
        format!(
            "ALTER DATABASE {} CONNECTION LIMIT -1",
            want.database.quoted()
        ),
    ] {
        assert!(inside.batch_execute(&set).await.is_err(), "{set}");
    }
    // Newer servers let it write down what it may not do, and older ones refuse.
    for role in ["postgres", "provisioner", "pg_read_all_data"] {
        let act = format!(
            "ALTER ROLE {owner} IN DATABASE {} SET role = {role}",
            want.database.quoted()
        );
        _ = inside.batch_execute(&act).await;
    }
    drop(inside);
    let identity = Servers
        .provide(&admin, &want)
        .await
        .expect("provided again");
    let question = Question {
        roles: Some(roles(&want)),
        record: true,
        ..Question::default()
    };
    let seen = found(
        Servers
            .look(&as_owner(&server.admin(), &want), &question)
            .await,
    );
    assert_eq!(seen.identity, identity);
    let powers = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'towpath%' AND (rolsuper OR rolcreatedb OR rolcreaterole)";
    let powers = server
        .superuser("postgres")
        .await
        .query_one(powers, &[])
        .await;
    assert_eq!(powers.expect("a count").get::<_, i64>(0), 0);
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_role_made_elsewhere_does_not_keep_it() {
    let server = Server::start().await;
    let (admin, want) = (provisioner(&server).await, wanted(UID));
    Servers.provide(&admin, &want).await.expect("provided");
    let superuser = server.superuser("postgres").await;
    let other = "CREATE DATABASE \"of; somebody \"\" else\"";
    superuser.batch_execute(other).await.expect("a database");
    for elsewhere in ["postgres", "template1", "of; somebody \" else"] {
        let open = "GRANT CREATE ON SCHEMA public TO PUBLIC";
        let inside = server.superuser(elsewhere).await.batch_execute(open).await;
        inside.expect("an old server lets everybody in");
        let outside = server
            .connect(want.owner.name.as_str(), "0wner-S3cret", elsewhere)
            .await;
        let outside = outside.expect("it may connect there");
        outside
            .batch_execute("CREATE TABLE left_behind (id int)")
            .await
            .expect("a table");
    }
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_adopted_database_is_found_by_its_comment() {
    let server = Server::start().await;
    let (admin, mut want) = (provisioner(&server).await, wanted(UID));
    let identity = Servers.provide(&admin, &want).await.expect("provided");
    want.comment = comment(OTHER);
    assert_eq!(
        Servers.provide(&admin, &want).await,
        Ok(identity),
        "the same name, another uid"
    );
    // Who had it before drops nothing any more: it carries another's comment.
    assert!(Servers.remove(&admin, &unwanted(UID)).await.is_err());
    Servers
        .remove(&admin, &unwanted(OTHER))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_password_is_logged_when_databases_come_and_go() {
    let server = Server::start().await;
    let (admin, want) = (provisioner(&server).await, wanted(UID));
    Servers.provide(&admin, &want).await.expect("provided");
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    let log = server.log();
    assert!(
        log.contains("CREATE ROLE") && log.contains("WITH (FORCE)"),
        "{log}"
    );
    for secret in [PASSWORD, "0wner-S3cret", "App-S3cret"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Another database of the same owner, beside the first.
fn beside(uid: &str, incarnation: i64) -> Wanted {
    let first = wanted(uid);
    let second = towpath::build::names::nth(first.database.as_str(), '_', incarnation);
    Wanted {
        database: name(&second),
        ..first
    }
}

fn only(uid: &str, databases: &[&Wanted]) -> Unwanted {
    let databases = databases.iter().map(|want| want.database.clone());
    Unwanted {
        only: Some(databases.collect()),
        ..unwanted(uid)
    }
}

async fn others(server: &Server, want: &Wanted) -> Vec<String> {
    let question = Question {
        roles: Some(roles(want)),
        ..Question::default()
    };
    let access = as_owner(&server.admin(), want);
    let seen = found(Servers.look(&access, &question).await);
    assert!(seen.roles_ready);
    let names = seen.others.iter().map(|name| name.as_str().to_owned());
    names.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_beside_another_has_its_own_data_and_the_one_before_is_dropped_alone() {
    let server = std::sync::Arc::new(Server::start().await);
    let admin = provisioner(&server).await;
    let (first, second, stranger) = (wanted(UID), beside(UID, 2), wanted(OTHER));
    for want in [&first, &second, &stranger] {
        let identity = Servers.provide(&admin, want).await.expect("provided");
        assert_eq!(Servers.provide(&admin, want).await, Ok(identity.clone()));
        assert_provided(&server, want, &identity).await;
    }
    let (old, new) = (first.database.as_str(), second.database.as_str());
    assert_eq!(others(&server, &first).await, [new]);
    assert_eq!(others(&server, &second).await, [old]);
    assert_eq!(others(&server, &stranger).await, Vec::<String>::new());

    // Each has a record of its own, and a row that says that it was filled.
    let entry = Entry {
        key: format!("towpath:seed:{UID}"),
        revision: 2,
        outcome: Outcome::Succeeded,
        started: None,
        finished: None,
        note: None,
    };
    let access = as_owner(&admin, &second);
    Servers.record(&access, &entry).await.expect("recorded");
    Servers
        .record(&access, &entry)
        .await
        .expect("twice is once");
    let record = Question {
        record: true,
        ..Question::default()
    };
    assert_eq!(found(Servers.look(&access, &record).await).record, [entry]);
    let before = as_owner(&admin, &first);
    assert_eq!(found(Servers.look(&before, &record).await).record, []);

    // A client that holds on to the old one, and comes back, holds nothing up.
    let client = {
        let (server, user, old) = (
            server.clone(),
            first.app.name.as_str().to_owned(),
            old.to_owned(),
        );
        tokio::spawn(async move {
            loop {
                if let Ok(client) = server.connect(&user, "App-S3cret", &old).await {
                    _ = client.batch_execute("SELECT pg_sleep(60)").await;
                }
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let dropped = Servers.remove(&admin, &only(UID, &[&first])).await;
    client.abort();
    dropped.expect("dropped");
    Servers
        .remove(&admin, &only(UID, &[&first]))
        .await
        .expect("what is gone is done");
    assert_eq!(others(&server, &second).await, Vec::<String>::new());
    let app = second.app.name.as_str();
    server
        .connect(app, "App-S3cret", new)
        .await
        .expect("the other one and its roles are untouched");

    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("all that is left goes with the Environment");
    Servers
        .remove(&admin, &unwanted(OTHER))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn of_what_shall_be_dropped_nothing_foreign_is() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let (first, second) = (wanted(UID), beside(UID, 2));
    for want in [&first, &second] {
        Servers.provide(&admin, want).await.expect("provided");
    }
    let superuser = server.superuser("postgres").await;
    let own = first.database.as_str();
    let foreign = format!("COMMENT ON DATABASE {own} IS '{}'", comment(OTHER));
    superuser.batch_execute(&foreign).await.expect("a comment");
    assert_eq!(others(&server, &second).await, Vec::<String>::new());
    assert!(Servers.remove(&admin, &only(UID, &[&first])).await.is_err());
    // Names that only look alike are nobody's, and no name is SQL.
    for strange in ["_2x", "_02", "_backup", "_2\"; DROP DATABASE x;--"] {
        let quoted = name(&format!("{own}{strange}")).quoted();
        superuser
            .batch_execute(&format!("CREATE DATABASE {quoted}"))
            .await
            .expect("a database");
        let spare = Wanted {
            database: name(&format!("{own}{strange}")),
            ..wanted(UID)
        };
        Servers
            .remove(&admin, &only(UID, &[&spare]))
            .await
            .expect("there is nothing of that name to drop");
    }
    assert_eq!(others(&server, &second).await, Vec::<String>::new());
    let all = "SELECT count(*) FROM pg_database WHERE starts_with(datname, $1)";
    let all = superuser.query_one(all, &[&own]).await.expect("a count");
    assert_eq!(all.get::<_, i64>(0), 6);
}

#[tokio::test]
async fn what_a_crash_left_beside_another_without_a_comment_is_found_and_dropped() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let (first, second) = (wanted(UID), beside(UID, 2));
    Servers.provide(&admin, &first).await.expect("provided");
    let make = server.connect("provisioner", "p", "postgres").await;
    let create = format!("CREATE DATABASE {}", second.database.as_str());
    let made = make.expect("a connection").batch_execute(&create).await;
    made.expect("a database");
    assert_eq!(others(&server, &first).await, [second.database.as_str()]);
    Servers
        .remove(&admin, &only(UID, &[&second]))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await.len(), 3);
    Servers.provide(&admin, &second).await.expect("provided");
    Servers
        .remove(&admin, &unwanted(UID))
        .await
        .expect("dropped");
    assert_eq!(left(&server).await, Vec::<String>::new());
}

/// A golden database of at least so many bytes: its objects belong to a role that cannot log in.
pub async fn golden(server: &Server, bytes: u64) {
    let superuser = server.superuser("postgres").await;
    for statement in [
        "CREATE ROLE shop_group NOLOGIN",
        "GRANT shop_group TO provisioner WITH ADMIN OPTION",
        "CREATE DATABASE shop_template OWNER provisioner",
    ] {
        superuser.batch_execute(statement).await.expect(statement);
    }
    let inside = server.superuser("shop_template").await;
    let content = "ALTER SCHEMA public OWNER TO shop_group; SET ROLE shop_group; \
                   CREATE TABLE goods (id serial PRIMARY KEY, name text); \
                   INSERT INTO goods (name) SELECT 'thing ' || n FROM generate_series(1, 1000) n";
    inside.batch_execute(content).await.expect("content");
    let filling = format!(
        "ALTER TABLE goods ALTER name SET STORAGE external; \
         INSERT INTO goods (name) SELECT repeat('x', 65536) FROM generate_series(0, {bytes} / 65536)"
    );
    if bytes > 0 {
        inside.batch_execute(&filling).await.expect("much content");
    }
    drop(inside);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let close = "ALTER DATABASE shop_template WITH IS_TEMPLATE true ALLOW_CONNECTIONS false";
    superuser
        .batch_execute(close)
        .await
        .expect("it refuses connections");
}

pub fn from_template(uid: &str) -> Wanted {
    Wanted {
        template: Some(name("shop_template")),
        ..wanted(uid)
    }
}

#[tokio::test]
async fn a_golden_database_is_copied_with_its_content() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    golden(&server, 0).await;
    let want = from_template(UID);
    let identity = Servers.provide(&admin, &want).await.expect("provided");
    assert_eq!(Servers.provide(&admin, &want).await, Ok(identity.clone()));
    assert_provided(&server, &want, &identity).await;
    let (owner, app, database) = (
        want.owner.name.as_str(),
        want.app.name.as_str(),
        want.database.as_str(),
    );
    let migration = server
        .connect(owner, "0wner-S3cret", database)
        .await
        .expect("logs in");
    let change = "ALTER TABLE goods ADD price int; CREATE TABLE orders (id serial PRIMARY KEY)";
    migration
        .batch_execute(change)
        .await
        .expect("it migrates what was copied");
    let serving = server
        .connect(app, "App-S3cret", database)
        .await
        .expect("logs in");
    let work = "INSERT INTO goods (name) VALUES ('new'); INSERT INTO orders DEFAULT VALUES; UPDATE goods SET price = 1";
    serving
        .batch_execute(work)
        .await
        .expect("it reads and writes");
    // Another copy is its own: its owner, of the same group, does not get in here.
    let other = from_template(OTHER);
    Servers.provide(&admin, &other).await.expect("provided");
    assert!(
        server
            .connect(other.owner.name.as_str(), "0wner-S3cret", database)
            .await
            .is_err()
    );
    for uid in [UID, OTHER] {
        Servers
            .remove(&admin, &unwanted(uid))
            .await
            .expect("dropped");
    }
    assert_eq!(left(&server).await, Vec::<String>::new());
    let superuser = server.superuser("postgres").await;
    let kept = superuser
        .query(
            "SELECT FROM pg_database WHERE datname = 'shop_template'",
            &[],
        )
        .await;
    assert_eq!(kept.expect("rows").len(), 1, "the golden one stays");
}

#[tokio::test]
async fn a_template_may_have_extensions() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    golden(&server, 0).await;
    let superuser = server.superuser("postgres").await;
    let open = "ALTER DATABASE shop_template ALLOW_CONNECTIONS true";
    superuser.batch_execute(open).await.expect("open");
    let inside = server.superuser("shop_template").await;
    let install = "CREATE EXTENSION citext; CREATE EXTENSION hstore; SET ROLE shop_group; \
                   CREATE TABLE people (name citext, more hstore)";
    inside.batch_execute(install).await.expect("extensions");
    drop(inside);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let close = "ALTER DATABASE shop_template ALLOW_CONNECTIONS false";
    superuser.batch_execute(close).await.expect("closed");
    let want = from_template(UID);
    Servers.provide(&admin, &want).await.expect("provided");
    let app = server
        .connect(want.app.name.as_str(), "App-S3cret", want.database.as_str())
        .await
        .expect("logs in");
    let work = "INSERT INTO people VALUES ('Ada', 'a=>1'); SELECT FROM people WHERE name = 'ADA'";
    app.batch_execute(work).await.expect("it works with them");
}

#[tokio::test]
async fn a_copy_that_a_crash_left_unlooked_at_is_made_again() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    golden(&server, 0).await;
    let want = from_template(UID);
    let maker = server.connect("provisioner", "p", "postgres").await;
    let maker = maker.expect("a connection");
    let copy = format!(
        "CREATE DATABASE {} TEMPLATE shop_template CONNECTION LIMIT 1",
        want.database.as_str()
    );
    maker.batch_execute(&copy).await.expect("a copy");
    let inside = server.superuser(want.database.as_str()).await;
    let strange = "CREATE TABLE strange (id int)";
    inside
        .batch_execute(strange)
        .await
        .expect("not what it is now");
    drop(inside);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let identity = Servers.provide(&admin, &want).await.expect("provided");
    assert_provided(&server, &want, &identity).await;
    let inside = server.superuser(want.database.as_str()).await;
    let strange = "SELECT FROM pg_class WHERE relname = 'strange'";
    assert!(inside.query(strange, &[]).await.expect("rows").is_empty());
    drop(inside);

    // What has no limit of that kind is no such copy: somebody may have restored it.
    let other = from_template(OTHER);
    let restored = format!("CREATE DATABASE {}", other.database.as_str());
    maker.batch_execute(&restored).await.expect("a database");
    let inside = server.superuser(other.database.as_str()).await;
    let strange = "CREATE TABLE strange (id int)";
    inside.batch_execute(strange).await.expect("data");
    drop(inside);
    assert!(Servers.provide(&admin, &other).await.is_err());
    let inside = server.superuser(other.database.as_str()).await;
    let strange = "SELECT FROM strange";
    inside
        .batch_execute(strange)
        .await
        .expect("it is still there");
}

#[tokio::test]
async fn a_template_must_be_one() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    golden(&server, 0).await;
    let superuser = server.superuser("postgres").await;
    let mut want = from_template(UID);
    let refused = |answer: Result<_, Failure>| match answer {
        Err(Failure::Refused(why)) => why,
        other => panic!("it was not refused: {other:?}"),
    };
    superuser
        .batch_execute("ALTER DATABASE shop_template ALLOW_CONNECTIONS true")
        .await
        .expect("open");
    let why = refused(Servers.provide(&admin, &want).await);
    assert!(
        why.contains("must be one that refuses connections"),
        "{why}"
    );
    let inside = server.superuser("shop_template").await;
    inside
        .batch_execute("CREATE TABLE strange (id int)")
        .await
        .expect("a table of the superuser's");
    superuser
        .batch_execute("ALTER DATABASE shop_template ALLOW_CONNECTIONS false")
        .await
        .expect("closed");
    let busy = Servers.provide(&admin, &want).await;
    assert!(
        matches!(&busy, Err(Failure::Busy(why)) if why.contains("is in use")),
        "{busy:?}"
    );
    drop(inside);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let why = refused(Servers.provide(&admin, &want).await);
    assert!(
        why.contains("must belong to one role") && why.contains("postgres, shop_group"),
        "{why}"
    );
    want.template = Some(name("nowhere"));
    let why = refused(Servers.provide(&admin, &want).await);
    assert!(why.contains("the template \"nowhere\" must exist"), "{why}");
    want.template = None;
    Servers
        .provide(&admin, &want)
        .await
        .expect("nothing wrong is left behind");
}
