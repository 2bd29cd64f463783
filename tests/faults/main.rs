//! Faults: the n-th request of the controller fails, is done but its answer lost, or is the last of its process, for every n
//! of each scenario, on a real etcd and kube-apiserver. The end of the store, and how often each object was made and
//! deleted, are those of the undisturbed run.
//!
//! After every write the process dies once; of the other ways in which a request goes wrong each gets one, in turns.
//! `FAULTS=all` gives every request every way, which takes three times as long.
//! `FAULT=update:7:Lost cargo test --test faults` runs one case.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod database;
mod host;
mod oracle;
mod run;
mod scenario;
mod shown;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod ticks;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use jiff::SignedDuration;
use run::{Fault, Outcome};
use scenario::Scenario;
use similar_asserts::SimpleDiff;
use support::apiserver::Apiserver;
use wire::{MODES, Mode, READ_MODES};

/// By how much a fault may put off the end: the process may be away for half of it.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// Runs at the same time, of one scenario.
const RUNS: usize = 4;

/// Runs cases one after the other, each in a namespace of its own, on a thread with a clock of its own.
struct Worker {
    runtime: tokio::runtime::Runtime,
    server: &'static Apiserver,
    client: kube::Client,
    probes: reqwest::Client,
}

impl Worker {
    fn new(server: &'static Apiserver) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let client = runtime.block_on(async { server.client() });
        let proxy = reqwest::Proxy::http(healthy()).expect("an address");
        let probes = reqwest::Client::builder().proxy(proxy).build();
        Self {
            runtime,
            server,
            client,
            probes: probes.expect("a client"),
        }
    }

    fn run(&self, scenario: &Scenario, fault: Option<Fault>) -> Outcome {
        self.runtime.block_on(async {
            let namespace = self.server.namespace(scenario.name).await;
            run::run(&self.client, scenario, namespace, fault, &self.probes).await
        })
    }
}

/// A proxy behind which everything is healthy: there is no network of pods here.
fn healthy() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    let answer = || axum::Router::new().fallback(|| async { "ok" });
    ADDRESS.get_or_init(|| format!("http://{}", served(answer)))
}

/// A registry that has every image: 64 times the first character of its tag is its digest.
pub fn registry() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    let answer = |uri: http::Uri| async move {
        let tag = uri.path().rsplit('/').next().unwrap_or_default();
        let digest = tag.chars().next().unwrap_or('0').to_string().repeat(64);
        [
            ("docker-content-digest", format!("sha256:{digest}")),
            (
                "content-type",
                "application/vnd.oci.image.manifest.v1+json".to_owned(),
            ),
        ]
    };
    ADDRESS.get_or_init(|| served(move || axum::Router::new().fallback(answer)))
}

/// Serves on a thread of its own; its address.
fn served(app: impl FnOnce() -> axum::Router + Send + 'static) -> String {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a port");
            let address = listener.local_addr().expect("its address");
            send.send(address.to_string()).expect("somebody waits");
            axum::serve(listener, app()).await.expect("it serves");
        });
    });
    receive.recv().expect("an address")
}

/// What `FAULT` asks for. `None`: everything.
fn asked_for() -> Option<(String, Fault)> {
    let asked = std::env::var("FAULT").ok()?;
    let parts: Vec<&str> = asked.split(':').collect();
    let [scenario, at, mode] = parts.as_slice() else {
        panic!("FAULT must read scenario:n:mode; it is '{asked}'");
    };
    let fault = Fault {
        at: at.parse().expect("a number"),
        mode: mode.parse().expect("a mode"),
    };
    Some(((*scenario).to_owned(), fault))
}

/// Every request of a scenario goes wrong.
fn every_request_goes_wrong(scenario: &Scenario) {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let asked = asked_for();
    if asked
        .as_ref()
        .is_some_and(|(name, _)| name != scenario.name)
    {
        return;
    }
    let begun = Instant::now();
    let worker = Worker::new(server);
    let undisturbed = worker.run(scenario, None);
    let again = worker.run(scenario, None);
    assert_same(&undisturbed, &again);
    assert!(undisturbed.broken.is_empty(), "{:?}", undisturbed.broken);
    if asked.is_some() {
        eprintln!("{}\n{:#?}", undisturbed.end, undisturbed.requests);
    }
    let cases: Vec<Fault> = match asked {
        Some((_, fault)) => vec![fault],
        None => cases(&undisturbed.requests),
    };
    let wrong = all(server, scenario, &undisturbed, &cases);
    eprintln!(
        "{}: {} requests, {} runs, {} wrong, {:.0?}",
        scenario.name,
        undisturbed.requests.len(),
        cases.len() + 2,
        wrong.len(),
        begun.elapsed()
    );
    let shown: Vec<String> = wrong.into_values().collect();
    assert!(shown.is_empty(), "{}", shown.join("\n\n"));
}

/// Every request and what goes wrong with it. What only reads is the same whether it was done or not.
fn cases(requests: &[String]) -> Vec<Fault> {
    let all = std::env::var("FAULTS").is_ok_and(|asked| asked == "all");
    let modes = |index: usize, request: &String| {
        let reads = request.starts_with("GET ") || request == "database look";
        match (reads, all) {
            (true, true) => READ_MODES.to_vec(),
            (false, true) => MODES.to_vec(),
            (true, false) => in_turns(index, &READ_MODES),
            (false, false) => {
                let others = MODES.into_iter().filter(|mode| *mode != Mode::DieAfter);
                let others: Vec<Mode> = others.collect();
                [in_turns(index, &others), vec![Mode::DieAfter]].concat()
            }
        }
    };
    let each = requests.iter().enumerate();
    each.flat_map(|(index, request)| {
        let modes = modes(index, request).into_iter();
        modes.map(move |mode| Fault {
            at: index + 1,
            mode,
        })
    })
    .collect()
}

fn in_turns(index: usize, modes: &[Mode]) -> Vec<Mode> {
    let chosen = modes.iter().cycle().nth(index % modes.len());
    chosen.copied().into_iter().collect()
}

/// Runs all cases; what went wrong in which.
fn all(
    server: &'static Apiserver,
    scenario: &Scenario,
    undisturbed: &Outcome,
    cases: &[Fault],
) -> BTreeMap<usize, String> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    let work = || {
        let worker = Worker::new(server);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(fault) = cases.get(index) else {
                return;
            };
            let outcome = worker.run(scenario, Some(*fault));
            if let Some(why) = difference(undisturbed, &outcome, Some(fault.mode)) {
                let request = outcome.requests.get(fault.at - 1);
                let Fault { at, mode } = fault;
                let title = format!("FAULT={}:{at}:{mode:?} ({request:?})", scenario.name);
                let mut wrong = wrong.lock().expect("nobody panics here");
                wrong.insert(index, format!("{title}\n{why}"));
            }
        }
    };
    std::thread::scope(|scope| {
        (0..RUNS.min(cases.len())).for_each(|_| {
            scope.spawn(work);
        });
    });
    wrong.into_inner().expect("nobody panics here")
}

/// What a run came to that it should not have. `None`: it came to what it should.
fn difference(undisturbed: &Outcome, outcome: &Outcome, mode: Option<Mode>) -> Option<String> {
    let mut sentences = outcome.broken.clone();
    let (mut one, mut other) = (undisturbed.end.clone(), outcome.end.clone());
    if mode == Some(Mode::DieLong) {
        // A release may have failed before all of it was begun: what is left in the end is the same.
        (one, other) = (without_effort(&one), without_effort(&other));
    }
    let late = outcome.took - undisturbed.took;
    if late > LATE {
        sentences.push(format!("it came to rest {late} later"));
    }
    if one != other {
        let (one, other) = (&one, &other);
        sentences.push(SimpleDiff::from_str(one, other, "undisturbed", "disturbed").to_string());
        sentences.push(format!("its requests: {:#?}", outcome.requests));
    }
    (!sentences.is_empty()).then(|| sentences.join("\n"))
}

/// An end without how often Deployments were changed and how many pods came and went.
fn without_effort(end: &str) -> String {
    let lines = end.lines().filter(|line| {
        let effort = line.starts_with("Pod ") || line.trim_start().starts_with("\"generation\":");
        !effort
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_same(undisturbed: &Outcome, again: &Outcome) {
    if let Some(why) = difference(undisturbed, again, None) {
        panic!("two undisturbed runs differ: {why}");
    }
}

#[test]
fn a_first_release() {
    every_request_goes_wrong(&scenario::RELEASE);
}

#[test]
fn an_update_with_a_migration() {
    every_request_goes_wrong(&scenario::UPDATE);
}

#[test]
fn a_failed_migration() {
    every_request_goes_wrong(&scenario::FAILED_MIGRATION);
}

#[test]
fn a_failed_rollout() {
    every_request_goes_wrong(&scenario::FAILED_ROLLOUT);
}

#[test]
fn a_changed_config_map() {
    every_request_goes_wrong(&scenario::CONFIG);
}

#[test]
fn a_rotated_secret() {
    every_request_goes_wrong(&scenario::SECRET);
}

#[test]
fn what_is_no_longer_declared() {
    every_request_goes_wrong(&scenario::REMOVAL);
}

#[test]
fn a_deletion_in_the_middle() {
    every_request_goes_wrong(&scenario::DELETION);
}

#[test]
fn a_first_release_on_a_shared_server() {
    every_request_goes_wrong(&scenario::SHARED);
}

#[test]
fn a_deletion_with_the_database_on_a_shared_server() {
    every_request_goes_wrong(&scenario::SHARED_DELETION);
}

#[test]
fn a_deletion_and_a_return() {
    every_request_goes_wrong(&scenario::RETURN);
}

#[test]
fn a_pull_request_is_opened() {
    every_request_goes_wrong(&scenario::OPENED);
}

#[test]
fn an_announced_pull_request_is_opened() {
    every_request_goes_wrong(&scenario::ANNOUNCED);
}

#[test]
fn an_announced_pull_request_is_closed() {
    every_request_goes_wrong(&scenario::ANNOUNCED_CLOSED);
}

#[test]
fn a_pull_request_is_pushed_to() {
    every_request_goes_wrong(&scenario::PUSHED);
}

#[test]
fn a_pull_request_is_closed() {
    every_request_goes_wrong(&scenario::CLOSED);
}

#[test]
fn a_pull_request_at_the_source_is_opened_and_closed() {
    every_request_goes_wrong(&scenario::SOURCED);
}

#[test]
fn a_pull_request_at_the_source_is_pushed_to() {
    every_request_goes_wrong(&scenario::SOURCED_PUSH);
}

#[test]
fn a_pull_request_gets_a_fresh_database() {
    every_request_goes_wrong(&scenario::RESET);
}

#[test]
fn a_pull_request_whose_migration_fails_on_a_fresh_database() {
    every_request_goes_wrong(&scenario::FAILED_RESET);
}

#[test]
fn a_preview_sleeps_and_a_request_wakes_it() {
    every_request_goes_wrong(&scenario::SLEEP);
}

#[test]
fn a_preview_with_a_shared_server_sleeps_and_a_request_wakes_it() {
    every_request_goes_wrong(&scenario::SLEEP_ON_A_SHARED_SERVER);
}
