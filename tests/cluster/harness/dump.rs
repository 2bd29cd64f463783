//! What a failed test leaves for whoever looks for the cause.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use towpath::api::Environment;

use super::{Place, command, controller, pods, setup};

const KINDS: &str = "towpathapps,environments.towpath.dev,controllerrevisions,deployments,statefulsets,replicasets,pods,jobs,\
                     services,configmaps,poddisruptionbudgets,persistentvolumeclaims,httproutes,ingresses,resourcequotas";

/// Conditions of every Environment, workloads and pods, as short lines.
pub async fn tree(place: &Place) -> String {
    let mut text = String::new();
    let list = ListParams::default();
    for environment in items(place.api::<Environment>(), &list).await {
        let status = environment.status.clone().unwrap_or_default();
        let _ = writeln!(
            text,
            "Environment {} generation {:?} (seen {:?}), serving {:?}, target {:?}",
            environment.name_any(),
            environment.metadata.generation.unwrap_or_default(),
            status.observed_generation.unwrap_or_default(),
            status.serving,
            status.target
        );
        for condition in status.conditions {
            let _ = writeln!(
                text,
                "  {} {} {}: {}",
                condition.type_, condition.status, condition.reason, condition.message
            );
        }
    }
    for deployment in items(place.api::<Deployment>(), &list).await {
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or_default();
        let (updated, available) = (
            status.updated_replicas.unwrap_or(0),
            status.available_replicas.unwrap_or(0),
        );
        let _ = writeln!(
            text,
            "Deployment {} {updated} updated, {available} available of {wanted}",
            deployment.name_any()
        );
    }
    for pod in items(place.api::<Pod>(), &list).await {
        let _ = writeln!(text, "{}", pods::line(&pod));
    }
    text
}

async fn items<K>(api: Api<K>, list: &ListParams) -> Vec<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.list(list)
        .await
        .map(|list| list.items)
        .unwrap_or_default()
}

/// Writes objects, events and logs into a folder, and says where.
pub async fn write(place: &Place, why: &str) {
    let folder = folder(&place.namespace);
    let wrote = std::fs::create_dir_all(&folder);
    if let Err(error) = wrote {
        eprintln!("{} cannot be made: {error}", folder.display());
        return;
    }
    save(&folder, "failure.txt", &format!("{why}\n"));
    save(&folder, "tree.txt", &tree(place).await);
    let get = [
        "--namespace",
        &place.namespace,
        "get",
        KINDS,
        "--output",
        "yaml",
        "--show-managed-fields",
    ];
    save(&folder, "objects.yaml", &printed(&get));
    save(&folder, "events.txt", &events(place).await);
    for pod in items(place.api::<Pod>(), &ListParams::default()).await {
        for (previous, suffix) in [(false, ""), (true, "-before")] {
            let parameters = LogParams {
                previous,
                ..LogParams::default()
            };
            if let Ok(log) = place.api::<Pod>().logs(&pod.name_any(), &parameters).await {
                save(
                    &folder,
                    &format!("pod-{}{suffix}.log", pod.name_any()),
                    &log,
                );
            }
        }
    }
    save(
        &folder,
        "controller.log",
        &controller::log(&place.client, place.began).await,
    );
    eprintln!(
        "objects, events and logs of {} are in {}",
        place.namespace,
        folder.display()
    );
}

fn folder(namespace: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .map(Path::to_path_buf);
    target
        .unwrap_or_default()
        .join("cluster-failures")
        .join(namespace)
}

fn printed(arguments: &[&str]) -> String {
    command::run(setup::tool("kubectl").args(arguments)).unwrap_or_else(|error| error)
}

async fn events(place: &Place) -> String {
    let mut events = items(place.api::<Event>(), &ListParams::default()).await;
    events.sort_by_key(|event| {
        event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0)
    });
    let line = |event: &Event| {
        let at = event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.to_string());
        let of = &event.involved_object;
        let kind = of.kind.as_deref().unwrap_or_default();
        let name = of.name.as_deref().unwrap_or_default();
        let reason = event.reason.as_deref().unwrap_or_default();
        let message = event.message.as_deref().unwrap_or_default();
        format!(
            "{} {kind}/{name} {reason}: {message}\n",
            at.unwrap_or_default()
        )
    };
    events.iter().map(line).collect()
}

fn save(folder: &Path, name: &str, text: &str) {
    if let Err(error) = std::fs::write(folder.join(name), text) {
        eprintln!("{name} cannot be written: {error}");
    }
}
