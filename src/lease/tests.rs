//! Elections on an apiserver that knows one Lease.

use std::sync::Mutex;
use std::time::Instant;

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// The Lease as stored, and what was asked.
#[derive(Default)]
struct Store {
    lease: Option<Value>,
    version: u64,
    down: bool,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Store>>;

const QUICK: Timing = Timing {
    duration: Duration::from_secs(1),
    deadline: Duration::from_millis(600),
    retry: Duration::from_millis(50),
    request: Duration::from_millis(200),
};

impl Store {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
        self.asked.push(format!("{method} {path}"));
        if *method == Method::GET {
            return match &self.lease {
                Some(lease) => (StatusCode::OK, lease.clone()),
                None => (StatusCode::NOT_FOUND, status(404, "NotFound")),
            };
        }
        let mut sent: Value = serde_json::from_slice(body).expect("a Lease");
        let read = self
            .lease
            .as_ref()
            .map(|lease| lease["metadata"]["resourceVersion"].clone());
        let fits = match (method, &read) {
            (&Method::POST, None) => true,
            (&Method::PUT, Some(version)) => sent["metadata"]["resourceVersion"] == *version,
            _ => false,
        };
        if !fits {
            let reason = if *method == Method::POST {
                "AlreadyExists"
            } else {
                "Conflict"
            };
            return (StatusCode::CONFLICT, status(409, reason));
        }
        self.version += 1;
        sent["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(sent.clone());
        (StatusCode::OK, sent)
    }

    fn holder(&self) -> Option<String> {
        self.lease.as_ref()?["spec"]["holderIdentity"]
            .as_str()
            .map(Into::into)
    }

    /// Somebody edits the Lease.
    fn set_holder(&mut self, holder: &str) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(lease) = &mut self.lease {
            lease["spec"]["holderIdentity"] = json!(holder);
            lease["metadata"]["resourceVersion"] = json!(version);
        }
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

fn client(store: &Shared) -> Client {
    let store = store.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let store = store.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.expect("a body");
            if store.lock().expect("the store").down {
                std::future::pending::<()>().await;
            }
            let (code, value) =
                store
                    .lock()
                    .expect("the store")
                    .answer(&parts.method, parts.uri.path(), &body);
            let response = Response::builder()
                .status(code)
                .body(Body::from(value.to_string().into_bytes()));
            Ok::<_, std::io::Error>(response.expect("a response"))
        }
    });
    Client::new(service, "default")
}

async fn elected(store: &Shared, identity: &str) -> Held {
    contend(store, identity, CancellationToken::new())
        .await
        .expect("leadership")
}

async fn contend(store: &Shared, identity: &str, shutdown: CancellationToken) -> Option<Held> {
    let settings = Settings {
        namespace: "towpath".into(),
        name: "towpath".into(),
        identity: identity.into(),
    };
    acquire_within(client(store), settings, QUICK, shutdown).await
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work)
        .await
        .expect("it takes too long")
}

#[tokio::test]
async fn the_second_waits_until_the_first_releases() {
    let store = Shared::default();
    let first = elected(&store, "first").await;
    assert_eq!(first.check(), Ok(()));
    let waiting = contend(&store, "second", CancellationToken::new());
    tokio::pin!(waiting);
    assert!(
        tokio::time::timeout(QUICK.duration * 2, &mut waiting)
            .await
            .is_err(),
        "the first renews"
    );
    let other = first.clone();
    first.release().await;
    assert_eq!(other.check(), Err(NotLeader));
    within(Duration::from_secs(1), other.lost()).await;
    let second = within(Duration::from_millis(500), waiting)
        .await
        .expect("leadership");
    assert_eq!(second.check(), Ok(()));
    let stored = store
        .lock()
        .expect("the store")
        .lease
        .clone()
        .expect("a Lease");
    assert_eq!(
        (
            &stored["spec"]["holderIdentity"],
            &stored["spec"]["leaseTransitions"]
        ),
        (&json!("second"), &json!(1))
    );
}

#[tokio::test]
async fn of_many_that_begin_at_once_one_leads() {
    let store = Shared::default();
    let shutdown = CancellationToken::new();
    let names: Vec<String> = (0..8).map(|number| format!("candidate-{number}")).collect();
    let contenders = names
        .iter()
        .map(|name| contend(&store, name, shutdown.clone()));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        shutdown.cancel();
    };
    let (held, ()) = tokio::join!(futures::future::join_all(contenders), stop);
    let leaders: Vec<_> = held.into_iter().flatten().collect();
    assert_eq!(leaders.len(), 1);
    assert_eq!(leaders[0].check(), Ok(()));
}

#[tokio::test]
async fn a_holder_that_is_gone_is_waited_for_and_then_followed() {
    let store = Shared::default();
    let gone = json!({"holderIdentity": "gone", "leaseDurationSeconds": 1, "renewTime": "2020-01-01T00:00:00.000000Z"});
    store.lock().expect("the store").lease =
        Some(json!({"metadata": {"name": "towpath", "resourceVersion": "0"}, "spec": gone}));
    let begun = Instant::now();
    let held = within(Duration::from_secs(3), elected(&store, "next")).await;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "old times in the Lease shorten no wait"
    );
    assert_eq!(held.check(), Ok(()));
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_before_another_may_begin() {
    let store = Shared::default();
    let held = elected(&store, "first").await;
    store.lock().expect("the store").down = true;
    let begun = Instant::now();
    within(QUICK.duration, held.lost()).await;
    assert!(begun.elapsed() < QUICK.duration);
    assert_eq!(held.check(), Err(NotLeader));
    store.lock().expect("the store").down = false;
    tokio::time::sleep(QUICK.retry * 4).await;
    assert_eq!(held.check(), Err(NotLeader), "lost is lost");
}

#[tokio::test]
async fn a_process_that_wakes_up_late_may_not_write() {
    let leading = Leading::since(
        uptime().saturating_sub(Duration::from_secs(11)),
        Duration::from_secs(10),
    );
    let held = Held(Some(Arc::new(leading)));
    assert_eq!(held.check(), Err(NotLeader));
    within(Duration::from_millis(10), held.lost()).await;
}

#[tokio::test]
async fn a_lease_that_was_taken_away_is_lost_and_not_taken_back() {
    for holder in ["other", ""] {
        let store = Shared::default();
        let held = elected(&store, "first").await;
        store.lock().expect("the store").set_holder(holder);
        within(QUICK.deadline, held.lost()).await;
        tokio::time::sleep(QUICK.retry * 4).await;
        assert_eq!(
            store.lock().expect("the store").holder().as_deref(),
            Some(holder)
        );
    }
}

#[tokio::test]
async fn a_deleted_lease_is_made_again_and_an_edited_one_is_renewed() {
    let store = Shared::default();
    let held = elected(&store, "first").await;
    store.lock().expect("the store").lease = None;
    tokio::time::sleep(QUICK.retry * 4).await;
    store.lock().expect("the store").set_holder("first");
    tokio::time::sleep(QUICK.duration).await;
    assert_eq!(held.check(), Ok(()));
    assert_eq!(
        store.lock().expect("the store").holder().as_deref(),
        Some("first")
    );
}

#[tokio::test]
async fn whoever_stops_waiting_has_not_touched_the_lease() {
    let store = Shared::default();
    let _held = elected(&store, "first").await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    assert!(contend(&store, "second", shutdown).await.is_none());
    assert_eq!(
        store.lock().expect("the store").holder().as_deref(),
        Some("first")
    );
}

#[tokio::test]
async fn nothing_but_the_lease_is_asked_for() {
    let store = Shared::default();
    elected(&store, "first").await.release().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/towpath/leases";
    let asked = store.lock().expect("the store").asked.clone();
    let expected = [
        format!("GET {leases}/towpath"),
        format!("POST {leases}"),
        format!("GET {leases}/towpath"),
        format!("PUT {leases}/towpath"),
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn without_an_election_leadership_is_always_held() {
    let held = Held::always();
    assert_eq!(held.check(), Ok(()));
    assert!(
        tokio::time::timeout(Duration::from_millis(10), held.lost())
            .await
            .is_err()
    );
    held.release().await;
}
