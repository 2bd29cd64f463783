//! The sweeper itself, with caches and a server: databases that belong to nobody are noted, put aside and dropped.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::json;
use towpath::api::Environment;
use towpath::caches::{Caches, Named, Place};
use towpath::config::{Config, PostgresServer};
use towpath::context::{Context, Failures, HashKey, Memories, Silences};
use towpath::git::Hosts;
use towpath::lease::Held;
use towpath::metrics::Metrics;
use towpath::postgres::{Databases, Ownership, Servers, Wanted};
use towpath::registry::Registry;
use towpath::sweeper;

use crate::server::{Cut, Server};
use crate::shared::{left, provisioner, unwanted, wanted};

const CLUSTER: &str = "production-1";
const WATCHED: &str = "shop-previews";

thread_local! {
    /// The time of the test on this thread.
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::UNIX_EPOCH) };
}

fn hours_pass(hours: i64) {
    NOW.set(NOW.get() + SignedDuration::from_hours(hours));
}

fn seconds() -> i64 {
    NOW.get().as_second()
}

/// A controller that sweeps one server.
struct Sweeper {
    ctx: Context,
    /// How it reaches the server: what its Secret says.
    url: Arc<Mutex<String>>,
}

impl Sweeper {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        NOW.set(Timestamp::from_second(1_800_000_000).expect("a time"));
        let url = Arc::new(Mutex::new(String::new()));
        let client = apiserver(url.clone());
        let metrics = Metrics::new();
        let caches = Arc::new(Caches::new(metrics.clone()));
        let mut config = Config {
            cluster_id: Some(CLUSTER.to_owned()),
            ..Config::default()
        };
        let server = PostgresServer::for_all("previews", "previews-admin");
        config.postgres.servers.push(server);
        let git = Hosts::new(&config, &BTreeMap::new()).expect("no hosts");
        let ctx = Context {
            registry: Registry::new(&config, &BTreeMap::new()).expect("no registries"),
            git: Arc::new(git),
            config: Arc::new(config),
            namespace: "towpath".to_owned(),
            named: Named::new(client.clone(), caches.clone()),
            recorder: Recorder::new(client.clone(), Reporter::from("towpath".to_owned())),
            client,
            caches,
            databases: Arc::new(Servers),
            probes: reqwest::Client::new(),
            clock: || NOW.get(),
            hash_key: HashKey::new(b"test"),
            held: Held::always(),
            metrics,
            memories: Memories::default(),
            silences: Silences::default(),
            failures: Failures::default(),
        };
        Self { ctx, url }
    }

    /// Sweeps once, over this port. Whether all of it was done is not told: what was not is done the next time.
    async fn sweeps(&self, port: u16) {
        let url = format!("postgres://provisioner:p@127.0.0.1:{port}/postgres?sslmode=disable");
        *self.url.lock().expect("nobody panics here") = url;
        let [server] = self.ctx.config.postgres.servers.as_slice() else {
            panic!("there is one server");
        };
        let scope = BTreeSet::from([WATCHED.to_owned()]);
        let _ = sweeper::one(server, &scope, &self.ctx).await;
    }

    /// An Environment is there.
    fn has(&self, number: u32) {
        let environment = json!({
            "metadata": {"namespace": WATCHED, "name": name(number), "uid": uid(number), "resourceVersion": "1"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "shop:1"}},
        });
        let environment: Environment = serde_json::from_value(environment).expect("one");
        self.ctx.caches.environments.applied(Ok(environment));
    }

    /// An Environment is there, and cannot be read.
    fn has_unreadable(&self, number: u32) {
        let spoiled = (place(number), "spec: missing field `appRef`".to_owned());
        self.ctx.caches.environments.applied(Err(spoiled));
    }

    /// An Environment is gone.
    fn loses(&self, number: u32) {
        let gone = (place(number), String::new());
        self.ctx.caches.environments.removed(Err(gone));
    }
}

/// An apiserver that has one Secret.
fn apiserver(url: Arc<Mutex<String>>) -> kube::Client {
    let answer = move |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        assert_eq!(path, "/api/v1/namespaces/towpath/secrets/previews-admin");
        let url = url.lock().expect("nobody panics here").clone();
        let data = json!({"url": k8s_openapi::ByteString(url.into_bytes())});
        let secret = json!({"metadata": {"name": "previews-admin"}, "data": data});
        async move { Ok::<_, Infallible>(Response::new(Body::from(secret.to_string().into_bytes()))) }
    };
    kube::Client::new(tower::service_fn(answer), "towpath")
}

fn uid(number: u32) -> String {
    format!("{number:08x}-5d6c-4c0e-9f0a-3f6e0c2b7a11")
}

fn name(number: u32) -> String {
    format!("shop-pr-{number}")
}

fn place(number: u32) -> Place {
    Place::new(WATCHED, name(number))
}

fn owner(number: u32) -> Ownership {
    Ownership {
        cluster: CLUSTER.into(),
        kind: "Preview".into(),
        namespace: WATCHED.into(),
        name: name(number),
        uid: uid(number),
    }
}

fn database(owner: &Ownership) -> Wanted {
    Wanted {
        comment: owner.to_string(),
        ..wanted(&owner.uid)
    }
}

/// Name, comment and whether anybody may connect, of each database that was made here.
async fn databases(server: &Server) -> BTreeMap<String, (String, bool)> {
    let all = "SELECT datname::text, coalesce(shobj_description(oid, 'pg_database'), ''), datallowconn \
               FROM pg_database WHERE datname LIKE 'towpath%'";
    let rows = server.superuser("postgres").await.query(all, &[]).await;
    let rows = rows.expect("databases");
    rows.iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect()
}

#[tokio::test]
async fn only_what_belongs_to_nobody_goes_and_only_after_two_days() {
    let server = Server::start().await;
    let (admin, sweeper) = (provisioner(&server).await, Sweeper::new());
    let elsewhere = Ownership {
        cluster: "staging-1".into(),
        ..owner(4)
    };
    let unwatched = Ownership {
        namespace: "others".into(),
        ..owner(5)
    };
    let kept = Ownership {
        kind: "Environment".into(),
        ..owner(6)
    };
    for owner in [owner(1), owner(2), owner(3), elsewhere, unwatched, kept] {
        let made = Servers.provide(&admin, &database(&owner)).await;
        made.expect("provided");
    }
    sweeper.has(2);
    sweeper.has_unreadable(3);
    let before = databases(&server).await;
    let orphan = database(&owner(1));
    let others = |mut all: BTreeMap<String, (String, bool)>| {
        all.retain(|name, _| !name.starts_with(orphan.database.as_str()));
        all
    };
    let (first, noted) = (orphan.database.as_str(), seconds());
    sweeper.sweeps(server.port).await;
    hours_pass(23);
    sweeper.sweeps(server.port).await;
    let comment = format!("{} unseen={noted}", orphan.comment);
    assert_eq!(databases(&server).await[first], (comment.clone(), true));

    hours_pass(1);
    sweeper.sweeps(server.port).await;
    let comment = format!("{comment} aside={}", seconds());
    hours_pass(23);
    sweeper.sweeps(server.port).await;
    let now = databases(&server).await;
    assert_eq!(now[&format!("{first}_orphan")], (comment, false));
    assert!(!now.contains_key(first));
    assert_eq!(others(now), others(before.clone()));

    hours_pass(1);
    sweeper.sweeps(server.port).await;
    assert_eq!(databases(&server).await, others(before.clone()));
    let rest = left(&server).await;
    assert_eq!(rest.len(), 5 * 3, "its roles are gone as well: {rest:?}");

    // The one that cannot be read goes, and comes back when all is noted.
    sweeper.loses(3);
    sweeper.sweeps(server.port).await;
    assert_ne!(databases(&server).await, others(before.clone()));
    sweeper.has(3);
    sweeper.sweeps(server.port).await;
    assert_eq!(databases(&server).await, others(before));
}

/// A step of the sweeper.
#[derive(Clone, Copy, Debug)]
enum Step {
    Note,
    PutAside,
    Drop,
    Restore,
    /// Its owner comes back while it is put aside.
    RestoreInTheMiddle,
}

/// Breaks off a step at a statement, lets it be done again, and says whether it was broken off.
async fn broken_and_repeated(server: &Server, step: Step, cut: Cut, statement: usize) -> bool {
    let (admin, sweeper) = (
        server.admin().as_role(&crate::role("provisioner", "p")),
        Sweeper::new(),
    );
    let want = database(&owner(1));
    Servers.provide(&admin, &want).await.expect("provided");
    let noted = seconds();
    if !matches!(step, Step::Note) {
        sweeper.sweeps(server.port).await;
        hours_pass(24);
    }
    let aside = seconds();
    if matches!(step, Step::Drop | Step::Restore) {
        sweeper.sweeps(server.port).await;
        hours_pass(24);
    }
    if matches!(step, Step::Restore) {
        sweeper.has(1);
    }
    let wire = server.wire(statement, cut).await;
    sweeper.sweeps(wire.port).await;
    if matches!(step, Step::RestoreInTheMiddle) {
        sweeper.has(1);
    }
    sweeper.sweeps(server.port).await;
    let (name, comment) = (want.database.as_str().to_owned(), &want.comment);
    let end = match step {
        Step::Note => BTreeMap::from([(name, (format!("{comment} unseen={noted}"), true))]),
        Step::PutAside => {
            let comment = format!("{comment} unseen={noted} aside={aside}");
            BTreeMap::from([(name + "_orphan", (comment, false))])
        }
        Step::Restore | Step::RestoreInTheMiddle => {
            BTreeMap::from([(name, (comment.clone(), true))])
        }
        Step::Drop => BTreeMap::new(),
    };
    let case = format!("{step:?}, {cut:?} at {statement}");
    assert_eq!(databases(server).await, end, "{case}");
    let roles = left(server).await.len() - end.len();
    assert_eq!(roles, if end.is_empty() { 0 } else { 2 }, "{case}");
    // What is left of it goes for the next case.
    sweeper.has(1);
    sweeper.sweeps(server.port).await;
    let mut rest = unwanted(&uid(1));
    rest.comment.clone_from(&want.comment);
    Servers.remove(&admin, &rest).await.expect("dropped");
    wire.is_broken()
}

#[tokio::test]
async fn it_can_end_at_any_statement_and_be_repeated() {
    let server = Server::start().await;
    provisioner(&server).await;
    for step in [
        Step::Note,
        Step::PutAside,
        Step::Drop,
        Step::Restore,
        Step::RestoreInTheMiddle,
    ] {
        for cut in [Cut::Statement, Cut::Answer] {
            let mut statement = 0;
            while broken_and_repeated(&server, step, cut, statement).await {
                statement += 1;
            }
            eprintln!("{step:?}, {cut:?}: {statement} statements");
            assert!(statement > 1, "{step:?} has more statements");
        }
    }
}
