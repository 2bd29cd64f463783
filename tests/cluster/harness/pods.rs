//! Pods of a test.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use towpath::api::labels;

use super::{Place, Shop};

impl Place {
    /// The pod that this object made.
    pub async fn pod_of(&self, owner: &str) -> Option<Pod> {
        let pods = self.list::<Pod>().await;
        pods.into_iter().find(|pod| {
            pod.owner_references()
                .iter()
                .any(|known| known.name == owner)
        })
    }
}

impl Shop<'_> {
    /// Pods of a component that are not on their way out.
    pub async fn pods(&self, component: &str) -> Vec<Pod> {
        let mut pods = self.place.list::<Pod>().await;
        pods.retain(|pod| {
            let labels = pod.labels();
            labels.get(labels::ENVIRONMENT) == Some(&self.name)
                && labels
                    .get(labels::COMPONENT)
                    .is_some_and(|known| known == component)
                && labels.contains_key(labels::SLOT)
                && pod.metadata.deletion_timestamp.is_none()
        });
        pods.sort_by_key(ResourceExt::name_any);
        pods
    }

    /// Each pod of a component with the restarts of its containers: what must not change when nothing restarts.
    pub async fn lives(&self, component: &str) -> Vec<(String, i32)> {
        let pods = self.pods(component).await;
        pods.iter()
            .map(|pod| (pod.uid().unwrap_or_default(), restarts(pod)))
            .collect()
    }

    /// Waits until exactly these pods are left, none of them restarted: those of a release that was given up go a moment after
    /// it is told.
    pub async fn until_lives(&self, component: &str, wanted: &[(String, i32)]) {
        let what = format!("the pods of {component} are those that served before");
        self.place
            .until(&what, async || {
                let now = self.lives(component).await;
                let lost: Vec<_> = wanted.iter().filter(|pod| !now.contains(pod)).collect();
                assert!(lost.is_empty(), "{lost:?} served, and there are {now:?}");
                if now == wanted {
                    Ok(())
                } else {
                    Err(format!("{now:?} instead of {wanted:?}"))
                }
            })
            .await;
    }

    /// The ReplicaSets of a component: one for each template that ran.
    pub async fn replica_sets(&self, component: &str) -> Vec<ReplicaSet> {
        let mut sets = self.place.list::<ReplicaSet>().await;
        sets.retain(|set| {
            let labels = set.labels();
            labels.get(labels::ENVIRONMENT) == Some(&self.name)
                && labels
                    .get(labels::COMPONENT)
                    .is_some_and(|known| known == component)
        });
        sets
    }
}

/// How often containers of a pod were restarted.
pub fn restarts(pod: &Pod) -> i32 {
    containers(pod)
        .map(|container| container.restart_count)
        .sum()
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| status.container_statuses.iter().flatten())
}

/// One line: phase, readiness and what its containers say.
pub fn line(pod: &Pod) -> String {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.clone())
        .unwrap_or_default();
    let leaving = if pod.metadata.deletion_timestamp.is_some() {
        ", leaving"
    } else {
        ""
    };
    let containers = containers(pod).map(|container| {
        let state = container.state.as_ref();
        let waiting = state.and_then(|state| state.waiting.as_ref());
        let ended = state.and_then(|state| state.terminated.as_ref());
        let why = waiting
            .map(|waiting| {
                format!(
                    "{}: {}",
                    waiting.reason.as_deref().unwrap_or_default(),
                    waiting.message.as_deref().unwrap_or_default()
                )
            })
            .or_else(|| {
                ended.map(|ended| {
                    format!(
                        "ended with {}: {}",
                        ended.exit_code,
                        ended.message.as_deref().unwrap_or_default()
                    )
                })
            })
            .unwrap_or_else(|| {
                if container.ready {
                    "ready".to_owned()
                } else {
                    "not ready".to_owned()
                }
            });
        format!(
            "{} {why}, {} restarts",
            container.name, container.restart_count
        )
    });
    let containers: Vec<String> = containers.collect();
    format!(
        "Pod {} {phase}{leaving} [{}]",
        pod.name_any(),
        containers.join("; ")
    )
}
