//! One small step of an actor: what it does to one object.

use std::fmt;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::store::Store;
use crate::build::http_route::HttpRoute;

/// One small step of an actor.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A workload makes a pod.
    MakePod(Box<Pod>),
    /// A workload deletes a pod, which drains first.
    DeletePod {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// A pod has drained and is gone.
    PodGone(String),
    /// A pod moves on; the words say to where.
    Pod(Box<Pod>, String),
    /// A Deployment tells how far it is.
    Deployment(Box<Deployment>),
    /// A StatefulSet tells how far it is.
    StatefulSet(Box<StatefulSet>),
    /// A Job tells how far it is.
    Job(Box<Job>, String),
    /// A gateway says what it makes of a route.
    HttpRoute(Box<HttpRoute>),
    /// The owner of an object is gone, and so is the object.
    Collect {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
}

impl Effect {
    /// Lets it happen.
    pub fn happen(&self, store: &mut Store) {
        match self {
            Self::MakePod(pod) => drop(store.create((**pod).clone())),
            Self::DeletePod { name, uid } => store.delete::<Pod>(name, uid),
            Self::PodGone(name) => store.remove::<Pod>(name),
            Self::Pod(pod, _) => store.set_status(&**pod),
            Self::Deployment(deployment) => store.set_status(&**deployment),
            Self::StatefulSet(set) => store.set_status(&**set),
            Self::Job(job, _) => store.set_status(&**job),
            Self::HttpRoute(route) => store.set_status(&**route),
            Self::Collect { kind, name, uid } => store.delete_any(kind, name, uid),
        }
    }

    /// Who does it.
    #[must_use]
    pub fn actor(&self) -> &'static str {
        match self {
            Self::MakePod(_) | Self::DeletePod { .. } => "controllers",
            Self::Deployment(_) | Self::StatefulSet(_) | Self::Job(..) => "controllers",
            Self::PodGone(_) | Self::Pod(..) => "kubelet",
            Self::HttpRoute(_) => "gateway",
            Self::Collect { .. } => "garbage",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakePod(pod) => {
                let prefix = pod.metadata.generate_name.clone();
                let name = prefix.map_or_else(|| pod.name_any(), |prefix| format!("{prefix}..."));
                write!(f, "a pod {name} is made")
            }
            Self::DeletePod { name, .. } => write!(f, "pod {name} is deleted, and drains"),
            Self::PodGone(name) => write!(f, "pod {name} is gone"),
            Self::Pod(pod, words) => write!(f, "pod {} {words}", pod.name_any()),
            Self::Deployment(deployment) => write!(f, "{}", told(deployment)),
            Self::StatefulSet(set) => write!(f, "StatefulSet {} tells its state", set.name_any()),
            Self::Job(job, words) => write!(f, "Job {} {words}", job.name_any()),
            Self::HttpRoute(route) => write!(f, "HTTPRoute {} is answered", route.name_any()),
            Self::Collect { kind, name, .. } => write!(f, "{kind} {name} goes with its owner"),
        }
    }
}

fn told(deployment: &Deployment) -> String {
    let status = deployment.status.clone().unwrap_or_default();
    format!(
        "Deployment {}: {} pods, {} of the new template, {} available",
        deployment.name_any(),
        status.replicas.unwrap_or_default(),
        status.updated_replicas.unwrap_or_default(),
        status.available_replicas.unwrap_or_default(),
    )
}
