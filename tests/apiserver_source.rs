//! Pull requests reach the controller's process by webhooks: a Git host is played over HTTP, and what is hostile is refused.

mod support;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "no pass is made by hand here")]
mod world;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::{App, Preview};

use support::apiserver::Apiserver;
use world::{World, eventually};

const SECRET: &str = "a secret of sixteen bytes or more";
const PULLS: &str = include_str!("fixtures/git/forgejo/pulls.json");
const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

/// The pull requests of a Forgejo.
#[derive(Clone, Default)]
struct Forgejo(Arc<Mutex<BTreeMap<u64, Value>>>);

impl Forgejo {
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/api/v1/repos/acme/shop/pulls", axum::routing::get(open))
            .route(
                "/api/v1/repos/acme/shop/pulls/{number}",
                axum::routing::get(one),
            )
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    /// A pull request as Forgejo tells of it.
    fn put(&self, number: u64, sha: &str, state: &str) {
        let pulls: Value = serde_json::from_str(PULLS).unwrap();
        let mut pull = pulls[0].clone();
        let mut known = self.0.lock().unwrap();
        pull["number"] = number.into();
        pull["head"]["sha"] = sha.into();
        pull["state"] = state.into();
        // Each change is later than the one before.
        pull["updated_at"] = jiff::Timestamp::now().to_string().into();
        known.insert(number, pull);
    }
}

async fn open(State(host): State<Forgejo>) -> Json<Vec<Value>> {
    let known = host.0.lock().unwrap();
    let open = known.values().filter(|pull| pull["state"] == "open");
    Json(open.cloned().collect())
}

async fn one(
    State(host): State<Forgejo>,
    Path(number): Path<u64>,
) -> Result<Json<Value>, StatusCode> {
    let known = host.0.lock().unwrap();
    known
        .get(&number)
        .cloned()
        .map(Json)
        .ok_or(StatusCode::NOT_FOUND)
}

/// A controller that runs; it is killed when the test ends early.
struct Controller {
    process: Child,
    health: String,
    hooks: String,
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Controller {
    fn start(server: &Apiserver, world: &World, config: &PathBuf) -> Self {
        let (health, hooks) = (address(), address());
        let process = Command::new(env!("CARGO_BIN_EXE_towpath"))
            .args([
                "run",
                "--leader-elect",
                "--listen",
                &health,
                "--listen-webhooks",
                &hooks,
            ])
            .args(["--namespace", &world.namespace])
            .args(["--watch-namespaces", &world.namespace])
            .arg("--config")
            .arg(config)
            .env("KUBECONFIG", server.directory.join("kubeconfig"))
            .env_remove("POD_NAME")
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        Self {
            process,
            health,
            hooks,
        }
    }

    async fn says(&self, path: &str, part: &str) {
        let client = towpath::probe::client().unwrap();
        eventually(part, || async {
            let url = format!("http://{}{path}", self.health);
            let text = client.get(url).send().await.ok()?.text().await.ok()?;
            text.contains(part).then_some(())
        })
        .await;
    }

    /// Sends a webhook; what was answered.
    async fn hook(&self, event: &str, delivery: &str, body: &str, secret: &str) -> (u16, String) {
        let client = towpath::probe::client().unwrap();
        let request = client
            .post(format!("http://{}/hooks/git/forgejo", self.hooks))
            .header("content-type", "application/json")
            .header("x-forgejo-event", event)
            .header("x-forgejo-delivery", delivery)
            .header("x-forgejo-signature", code(secret, body))
            .body(body.to_owned());
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> i64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends as much of 1 GB as is taken, and reads the answer.
    fn flood(&self, head: &str, chunk: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.hooks).unwrap();
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).unwrap();
        stream.set_write_timeout(timeout).unwrap();
        let request = format!(
            "POST /hooks/git/forgejo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{head}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut sent = 0;
        while sent < 1_000_000_000 && stream.write_all(chunk).is_ok() {
            sent += chunk.len();
        }
        assert!(sent < 500_000_000, "all of it was read");
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }
}

fn code(secret: &str, body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let code = ring::hmac::sign(&key, body.as_bytes());
    code.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn event(number: u64) -> String {
    json!({"number": number, "action": "opened", "repository": {"full_name": "acme/shop"}})
        .to_string()
}

/// A namespace with an App whose pull requests get previews, and a configuration that names the host.
async fn stage(server: &Apiserver, host: &Forgejo) -> (World, PathBuf) {
    let world = World::new(server).await;
    let address = host.serve().await;
    for (name, key, value) in [("hook", "secret", SECRET), ("git", "token", "a-token")] {
        let secret = json!({"metadata": {"name": name}, "stringData": {key: value}});
        let _: Secret = world.make(secret).await;
    }
    let config = json!({
        "clusterId": "test",
        "git": {
            "pollSeconds": 3600,
            "hosts": [{"provider": "Forgejo", "url": address, "webhookSecret": "hook"}],
        },
    });
    let path = server.directory.join(format!("{}.yaml", world.namespace));
    std::fs::write(&path, config.to_string()).unwrap();
    let _: App = world
        .make(json!({
            "metadata": {"name": "shop"},
            "spec": {
                "components": [{"name": "web", "role": "Web", "port": 8000}],
                "preview": {
                    "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
                    "source": {
                        "provider": "Forgejo",
                        "repository": "acme/shop",
                        "secretRef": {"name": "git"},
                        "image": "127.0.0.1:1/shop:{shortSha}",
                    },
                },
            },
        }))
        .await;
    (world, path)
}

async fn reason(world: &World) -> Option<String> {
    let app = world.api::<App>().get("shop").await.unwrap();
    let mut conditions = app.status?.conditions.into_iter();
    let ready = conditions.find(|known| known.type_ == "Sourced")?;
    Some(ready.reason)
}

/// Asks often: what is measured is the controller.
async fn soon<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return (answer, begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_webhook_makes_updates_and_ends_a_preview() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let host = Forgejo::default();
    let (world, config) = stage(server, &host).await;
    let first = Controller::start(server, &world, &config);
    first.says("/metrics", "towpath_leader 1").await;
    let sourced = async || (reason(&world).await? == "Sourced").then_some(());
    eventually("the host is asked", sourced).await;
    let previews = world.api::<Preview>();

    host.put(7, ONE, "open");
    let sent = first.hook("pull_request", "d1", &event(7), SECRET).await;
    assert_eq!(sent, (202, "accepted\n".to_owned()));
    let (preview, took) = soon(async || previews.get_opt("shop-pr-7").await.unwrap()).await;
    println!("from the webhook's answer to the Preview: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(
        preview.spec.release.image.as_deref(),
        Some("127.0.0.1:1/shop:1111111")
    );
    assert_eq!(preview.owner_references()[0].kind, "App");

    host.put(7, TWO, "open");
    first.hook("pull_request", "d2", &event(7), SECRET).await;
    let pushed = async || {
        let preview = previews.get("shop-pr-7").await.unwrap();
        let commit = preview.spec.release.commit.unwrap();
        (commit.sha == TWO).then_some(())
    };
    println!("to its new commit: {:?}", soon(pushed).await.1);

    // Another replica does not lead: it hears nothing, and says so.
    let second = Controller::start(server, &world, &config);
    second.says("/readyz", "ok").await;
    let (status, said) = second.hook("pull_request", "d3", &event(7), SECRET).await;
    assert_eq!(status, 503, "{said}");

    host.put(7, TWO, "closed");
    first.hook("pull_request", "d3", &event(7), SECRET).await;
    let gone = async || {
        previews
            .get_opt("shop-pr-7")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    };
    println!("to its end: {:?}", soon(gone).await.1);
}

#[tokio::test]
async fn what_is_hostile_is_refused() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let host = Forgejo::default();
    let (world, config) = stage(server, &host).await;
    let controller = Controller::start(server, &world, &config);
    controller.says("/metrics", "towpath_leader 1").await;
    let sourced = async || (reason(&world).await? == "Sourced").then_some(());
    eventually("the host is asked", sourced).await;
    host.put(7, ONE, "open");

    let hook = async |event: &str, delivery: &str, body: &str, secret: &str| {
        controller.hook(event, delivery, body, secret).await.0
    };
    let wrong = "another secret of sixteen bytes";
    assert_eq!(hook("pull_request", "d1", &event(7), wrong).await, 401);
    assert_eq!(hook("star", "d2", "{}", SECRET).await, 202);
    assert_eq!(
        hook("pull_request", "d3", "{\"number\": 7", SECRET).await,
        400
    );
    let elsewhere = event(7).replace("acme/shop", "acme/other");
    assert_eq!(hook("pull_request", "d4", &elsewhere, SECRET).await, 202);

    let before = controller.memory();
    let answer = controller.flood("content-length: 1000000000", &[b'x'; 65536]);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let chunk = [
        format!("{:x}\r\n", 65536).into_bytes(),
        vec![b'x'; 65536],
        b"\r\n".to_vec(),
    ];
    let answer = controller.flood("transfer-encoding: chunked", &chunk.concat());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let grown = controller.memory() - before;
    println!("1 GB, twice: the process grew by {grown} KiB");
    assert!(grown < 16 * 1024, "{grown} KiB");

    let previews = world.api::<Preview>();
    assert!(
        previews.get_opt("shop-pr-7").await.unwrap().is_none(),
        "none of it was heard"
    );
    let (status, said) = controller
        .hook("pull_request", "d5", &event(7), SECRET)
        .await;
    assert_eq!((status, said.as_str()), (202, "accepted\n"));
    soon(async || previews.get_opt("shop-pr-7").await.unwrap()).await;
    let (status, said) = controller
        .hook("pull_request", "d5", &event(7), SECRET)
        .await;
    assert_eq!(
        (status, said.as_str()),
        (202, "taken already\n"),
        "a replay"
    );
}
