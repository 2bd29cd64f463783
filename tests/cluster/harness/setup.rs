//! Runs a test in a namespace of its own: alone, or side by side with others.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;
use tokio::sync::RwLock;

use super::{PATIENCE, Place, command, dump, images, seconds};

/// Tests that disturb what all share hold it alone.
static PEACE: RwLock<()> = RwLock::const_new(());
/// No test may hang: the next one waits for it.
const LIMIT: Duration = seconds(1200);
/// Names the process that made a namespace.
const RUN: &str = "tests.towpath.dev/run";

/// When the first test of this process began.
pub fn began() -> Timestamp {
    static BEGAN: OnceLock<Timestamp> = OnceLock::new();
    *BEGAN.get_or_init(Timestamp::now)
}

/// Runs a test side by side with others.
pub fn together(name: &str, test: impl AsyncFnOnce(&Place)) {
    began();
    let _shared = PEACE.blocking_read();
    block_on(within(name, test));
}

/// Runs a test while no other one runs. What others left may still be on its way out.
pub fn alone(name: &str, test: impl AsyncFnOnce(&Place)) {
    began();
    let _exclusive = PEACE.blocking_write();
    block_on(within(name, test));
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

async fn within(name: &str, test: impl AsyncFnOnce(&Place)) {
    let client = client().await;
    static CHECKED: OnceLock<Result<(), String>> = OnceLock::new();
    if CHECKED.get().is_none() {
        let checked = check(&client).await;
        let _ = CHECKED.set(checked);
    }
    if let Some(Err(why)) = CHECKED.get() {
        panic!("{why}");
    }
    let namespace = namespace(&client, name).await;
    let place = Place::new(client, namespace);
    let run = AssertUnwindSafe(test(&place)).catch_unwind();
    let outcome = tokio::time::timeout(LIMIT, run).await;
    let failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(panic)) => Some(words(panic)),
        Err(_) => Some(format!("did not end within {} s", LIMIT.as_secs())),
    };
    if let Some(why) = &failure {
        dump::write(&place, why).await;
    }
    if failure.is_none() || std::env::var_os("TOWPATH_KEEP_FAILED").is_none() {
        delete(&place.client, &place.namespace).await;
    }
    if let Some(why) = failure {
        panic!("{name}: {why}");
    }
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// This checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The kubeconfig of the cluster under test.
pub fn kubeconfig() -> PathBuf {
    let named = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty());
    named.map_or_else(|| checkout().join(".cluster/kubeconfig"), PathBuf::from)
}

/// A client that may do everything; a test without a cluster fails.
pub async fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = kubeconfig();
    let read = Kubeconfig::read_from(&path);
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", no_cluster(&path)));
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    let config = config.unwrap_or_else(|error| panic!("{}: {error}", no_cluster(&path)));
    let client = Client::try_from(config).expect("a client");
    let asked = tokio::time::timeout(seconds(60), client.apiserver_version()).await;
    match asked {
        Ok(Ok(_)) => client,
        Ok(Err(error)) => panic!("{}: {error}", no_cluster(&path)),
        Err(_) => panic!("{}: no answer", no_cluster(&path)),
    }
}

fn no_cluster(path: &Path) -> String {
    format!(
        "there is no cluster behind {}; run `make cluster install shop`",
        path.display()
    )
}

/// What the tests need in the cluster, and how it gets there.
async fn check(client: &Client) -> Result<(), String> {
    let controllers: Api<Deployment> =
        Api::namespaced(client.clone(), super::controller::NAMESPACE);
    let controller = controllers
        .get_opt(super::controller::NAME)
        .await
        .map_err(|error| error.to_string())?;
    let status = controller.and_then(|controller| controller.status);
    if status.and_then(|status| status.available_replicas) < Some(1) {
        return Err("Towpath does not run in this cluster: run `make install`".to_owned());
    }
    for release in ["v1", "v2", "v3", "v4"] {
        if !images::exists(release) {
            return Err(format!(
                "the image of shop {release} is not in the registry: run `make shop`"
            ));
        }
    }
    remove_leftovers(client).await;
    Ok(())
}

/// Makes a namespace for a test. Its pods are held to the restricted level.
pub async fn namespace(client: &Client, name: &str) -> String {
    let namespace: Namespace = serde_json::from_value(json!({
        "metadata": {
            "generateName": format!("test-{name}-"),
            "labels": {
                RUN: std::process::id().to_string(),
                "pod-security.kubernetes.io/enforce": "restricted",
            },
        },
    }))
    .expect("a namespace");
    let api: Api<Namespace> = Api::all(client.clone());
    let made = api.create(&PostParams::default(), &namespace).await;
    made.expect("the namespace is made").name_any()
}

pub async fn delete(client: &Client, namespace: &str) {
    let api: Api<Namespace> = Api::all(client.clone());
    if let Err(error) = api.delete(namespace, &DeleteParams::default()).await {
        eprintln!("namespace {namespace} could not be deleted: {error}");
    }
}

/// Namespaces of tests of processes that are gone: nobody looks at them any more.
async fn remove_leftovers(client: &Client) {
    for namespace in of_tests(client).await {
        let process = namespace.labels().get(RUN).cloned().unwrap_or_default();
        let gone = !Path::new("/proc").join(&process).exists();
        if gone && namespace.metadata.deletion_timestamp.is_none() {
            delete(client, &namespace.name_any()).await;
        }
    }
}

async fn of_tests(client: &Client) -> Vec<Namespace> {
    let api: Api<Namespace> = Api::all(client.clone());
    let listed = api.list(&ListParams::default().labels(RUN)).await;
    listed.expect("the namespaces").items
}

/// Waits until nothing is left of tests that have ended.
pub async fn until_others_are_gone(client: &Client) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let leaving: Vec<String> = of_tests(client)
            .await
            .iter()
            .filter(|namespace| namespace.metadata.deletion_timestamp.is_some())
            .map(ResourceExt::name_any)
            .collect();
        if leaving.is_empty() {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the namespaces of earlier tests are not gone after {} s: {}",
            PATIENCE.as_secs(),
            leaving.join(", ")
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A tool of the local cluster, or of the PATH.
pub fn tool(name: &str) -> std::process::Command {
    let local = checkout().join(".cluster/bin").join(name);
    let mut tool = if local.exists() {
        std::process::Command::new(local)
    } else {
        std::process::Command::new(name)
    };
    tool.env("KUBECONFIG", kubeconfig());
    command::without_proxy(&mut tool);
    tool
}
