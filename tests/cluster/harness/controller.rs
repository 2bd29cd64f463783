//! The installed controller.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Place;

/// Where the chart is installed.
pub const NAMESPACE: &str = "towpath-system";
/// Its Deployment, its ServiceAccount and its Lease.
pub const NAME: &str = "towpath";
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const SELECTOR: &str = "app.kubernetes.io/name=towpath";

/// The installed controller, for tests that disturb it.
pub struct Controller<'a> {
    place: &'a Place,
}

impl<'a> Controller<'a> {
    pub fn new(place: &'a Place) -> Self {
        Self { place }
    }

    fn pods_api(&self) -> Api<Pod> {
        Api::namespaced(self.place.client.clone(), NAMESPACE)
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.place.client.clone(), NAMESPACE)
    }

    async fn pods(&self) -> Vec<Pod> {
        let listed = self
            .pods_api()
            .list(&ListParams::default().labels(SELECTOR))
            .await;
        listed.expect("an answer of the apiserver").items
    }

    /// Ends the controller's process as if the machine had lost it: SIGKILL, and no word to anybody.
    pub async fn kill(&self) {
        let pods = self.pods().await;
        assert_eq!(pods.len(), 1, "one controller runs");
        let uid = pods[0].uid().expect("a uid");
        kill_processes(&uid, "towpath");
    }

    /// Waits until a controller leads whose process began after this moment.
    pub async fn until_leads_since(&self, moment: Timestamp) {
        let leases: Api<Lease> = Api::namespaced(self.place.client.clone(), NAMESPACE);
        self.place
            .until("a controller leads", async || {
                let lease = leases
                    .get_opt(NAME)
                    .await
                    .map_err(|error| error.to_string())?;
                let spec = lease
                    .and_then(|lease| lease.spec)
                    .ok_or("there is no Lease")?;
                let holder = spec.holder_identity.unwrap_or_default();
                let renewed = spec.renew_time.map(|time| time.0);
                let pods = self.pods().await;
                let pod = pods.iter().find(|pod| {
                    pod.name_any() == holder && pod.metadata.deletion_timestamp.is_none()
                });
                let started = pod.and_then(started_at);
                // Starts are told in whole seconds.
                match (started, renewed) {
                    (Some(started), Some(renewed))
                        if started + SECOND > moment && renewed > started + SECOND =>
                    {
                        Ok(())
                    }
                    _ => Err(format!(
                        "{holder:?}, started at {started:?}, renewed the Lease at {renewed:?}"
                    )),
                }
            })
            .await;
    }

    /// Replaces the controller's pod, as an upgrade does.
    pub async fn restart(&self) {
        let moment = Timestamp::now();
        let patch = json!({"spec": {"template": {"metadata": {"annotations": {"tests.towpath.dev/restarted": moment.to_string()}}}}});
        self.change(patch).await;
        self.until_leads_since(moment).await;
        self.until_pods(1).await;
    }

    /// Stops it and takes its Lease away: its next start is like the first one in a cluster.
    pub async fn stop(&self) {
        self.change(json!({"spec": {"replicas": 0}})).await;
        self.until_pods(0).await;
        let leases: Api<Lease> = Api::namespaced(self.place.client.clone(), NAMESPACE);
        let deleted = leases.delete(NAME, &DeleteParams::default()).await;
        deleted.expect("the Lease is deleted");
    }

    pub async fn start(&self) {
        let moment = Timestamp::now();
        self.change(json!({"spec": {"replicas": 1}})).await;
        self.until_leads_since(moment).await;
    }

    async fn change(&self, patch: Value) {
        let params = PatchParams::default();
        let changed = self
            .deployments()
            .patch(NAME, &params, &Patch::Strategic(patch))
            .await;
        changed.expect("the controller's Deployment is changed");
    }

    async fn until_pods(&self, count: usize) {
        self.place
            .until(&format!("{count} controllers run"), async || {
                let pods = self.pods().await;
                let names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
                if pods.len() == count {
                    Ok(())
                } else {
                    Err(format!("there are {names:?}"))
                }
            })
            .await;
    }

    /// The image of the installed controller.
    pub async fn image(&self) -> String {
        let deployment = self
            .deployments()
            .get(NAME)
            .await
            .expect("the controller's Deployment");
        let pod = deployment
            .spec
            .and_then(|spec| spec.template.spec)
            .expect("a template");
        pod.containers[0].image.clone().expect("an image")
    }
}

/// SIGKILL for every process of this name in a pod, which are processes of this machine.
pub fn kill_processes(pod: &str, name: &str) {
    let processes = processes_of(pod, name);
    assert!(
        !processes.is_empty(),
        "no process {name} of pod {pod} was found on this machine"
    );
    for process in processes.into_iter().filter_map(Pid::from_raw) {
        // One may end with another.
        let _ = kill_process(process, Signal::KILL);
    }
}

/// They are known by their control groups.
fn processes_of(pod: &str, name: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("the processes of this machine");
    let processes = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let belongs = |process: &i32| {
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
        let comm = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        groups.contains(pod) && comm.trim() == name
    };
    processes.filter(belongs).collect()
}

/// When the container that runs now began.
fn started_at(pod: &Pod) -> Option<Timestamp> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let running = containers.first()?.state.as_ref()?.running.as_ref()?;
    running.started_at.as_ref().map(|time| time.0)
}

/// What the controllers that are there said since then.
pub async fn log(client: &Client, since: Timestamp) -> String {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let pods = api.list(&ListParams::default().labels(SELECTOR)).await;
    let mut text = String::new();
    for pod in pods.map(|list| list.items).unwrap_or_default() {
        let name = pod.name_any();
        for previous in [true, false] {
            let parameters = LogParams {
                previous,
                since_time: Some(since),
                timestamps: true,
                ..LogParams::default()
            };
            if let Ok(log) = api.logs(&name, &parameters).await {
                text.push_str(&format!(
                    "--- {name}{}\n{log}\n",
                    if previous { ", before its restart" } else { "" }
                ));
            }
        }
    }
    text
}
