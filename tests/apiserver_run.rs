//! The controller as a process: it starts, leads, rests, ends, and starts again without a write.

mod support;
#[path = "support/world.rs"]
mod world;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;
use towpath::api::{App, Environment};

use support::apiserver::Apiserver;
use world::{World, eventually};

/// What the controller reads and writes, less what the apiserver asks of itself.
const OURS: [&str; 9] = [
    "environments",
    "towpathapps",
    "controllerrevisions",
    "deployments",
    "statefulsets",
    "secrets",
    "configmaps",
    "jobs",
    "pods",
];

/// A controller that runs; it is killed when the test ends early.
struct Controller {
    process: Child,
    address: String,
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Controller {
    fn start(server: &Apiserver, world: &World) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(env!("CARGO_BIN_EXE_towpath"))
            .args([
                "run",
                "--leader-elect",
                "--listen",
                &address,
                "--namespace",
                &world.namespace,
            ])
            .env("KUBECONFIG", server.directory.join("kubeconfig"))
            .env_remove("POD_NAME")
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { process, address }
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let client = towpath::probe::client().ok()?;
        let response = client
            .get(format!("http://{}{path}", self.address))
            .send()
            .await
            .ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    async fn leads(&self) {
        eventually("it is ready", || async {
            self.get("/readyz")
                .await
                .filter(|(status, _)| *status == 200)
        })
        .await;
        eventually("it leads", || async {
            self.get("/metrics")
                .await
                .filter(|(_, text)| text.contains("towpath_leader 1"))
        })
        .await;
    }

    async fn end(&mut self) {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let code = eventually("it ends", || {
            let ended = self.process.try_wait().unwrap();
            async move { ended }
        })
        .await;
        assert!(code.success(), "{code}");
    }
}

/// How many requests of these verbs the apiserver has answered on our kinds.
async fn requests(world: &World, counts: impl Fn(&str) -> bool) -> Vec<String> {
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let text = world.client.request_text(request).await.unwrap();
    let lines = text
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"));
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let ours = lines.filter(|line| {
        let resource = label(line, ",resource").unwrap_or_default();
        OURS.contains(&resource.as_str()) && label(line, "verb").is_some_and(|verb| counts(&verb))
    });
    ours.map(str::to_owned).collect()
}

fn changes(verb: &str) -> bool {
    !["WATCH", "LIST", "GET"].contains(&verb)
}

#[tokio::test]
async fn it_rests_and_starts_again_without_a_write() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let world = World::new(server).await;
    let mut first = Controller::start(server, &world);
    first.leads().await;
    let components = json!([{"name": "web", "role": "Web", "port": 8000, "replicas": 1}]);
    let _: App = world.make(json!({
        "metadata": {"name": "shop"}, "spec": {"image": "registry.example.com/shop", "components": components},
    }))
    .await;
    world
        .environment(
            "shop",
            json!({"strategy": {"progressDeadlineSeconds": 3600}}),
        )
        .await;
    eventually("the rollout begins", || async {
        let status = world
            .api::<Environment>()
            .get("shop")
            .await
            .unwrap()
            .status?;
        status
            .conditions
            .into_iter()
            .find(|known| known.reason == "RollingOut")
    })
    .await;
    let before = eventually("it comes to rest", || async {
        let before = requests(&world, |verb| verb != "WATCH").await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let after = requests(&world, |verb| verb != "WATCH").await;
        (before == after).then_some(after)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(
        requests(&world, |verb| verb != "WATCH").await,
        before,
        "no request is sent at rest"
    );

    let key = world.api::<Secret>().get("towpath-hash-key").await.unwrap();
    first.end().await;
    let leases: Api<Lease> = world.api();
    let holder = leases
        .get("towpath")
        .await
        .unwrap()
        .spec
        .unwrap()
        .holder_identity;
    assert_eq!(holder.unwrap_or_default(), "", "the lease is free at once");

    let before = requests(&world, changes).await;
    let mut second = Controller::start(server, &world);
    second.leads().await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(
        requests(&world, changes).await,
        before,
        "a restart writes nothing"
    );
    let again = world.api::<Secret>().get("towpath-hash-key").await.unwrap();
    assert_eq!(again.metadata.uid, key.metadata.uid);
    second.end().await;
}
