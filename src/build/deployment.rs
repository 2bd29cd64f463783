//! `Deployment`: a component in a slot. The template is the stored one, with what is laid over it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata::{self, Of};
use super::names;
use crate::api::app::Update;
use crate::api::{Environment, labels};
use crate::revision::Rendered;

/// What stands on a Deployment beside its stored template.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// The slot.
    pub slot: &'static str,
    /// How many pods.
    pub replicas: i32,
    /// Annotations of the pod template that no revision holds: hash of Secrets, a person's restart.
    pub template_annotations: BTreeMap<String, String>,
    /// Annotations of the Deployment.
    pub annotations: BTreeMap<String, String>,
    /// Seconds without progress after which the Deployment itself says so.
    pub progress_deadline_seconds: i32,
}

/// Builds a component's Deployment.
#[must_use]
pub fn component(environment: &Environment, rendered: &Rendered, overlay: Overlay) -> Deployment {
    let name = environment.name_any();
    let mut metadata = Of::component(environment, &rendered.name).owned(names::slot(
        &name,
        &rendered.name,
        overlay.slot,
    ));
    let own = metadata.labels.get_or_insert_default();
    own.insert(labels::SLOT.to_owned(), overlay.slot.to_owned());
    own.insert(labels::TEMPLATE.to_owned(), rendered.hash.clone());
    metadata.annotations = some(overlay.annotations);
    let mut template = rendered.template.clone();
    let inner = template.metadata.get_or_insert_default();
    inner
        .labels
        .get_or_insert_default()
        .insert(labels::SLOT.to_owned(), overlay.slot.to_owned());
    inner.annotations = some(overlay.template_annotations);
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(overlay.replicas),
            selector: LabelSelector {
                match_labels: Some(metadata::selector(&name, &rendered.name, overlay.slot)),
                match_expressions: None,
            },
            template,
            strategy: Some(strategy(rendered.update)),
            // A pod that is ready for a moment only has not shown that it works.
            min_ready_seconds: Some(5),
            revision_history_limit: Some(1),
            progress_deadline_seconds: Some(overlay.progress_deadline_seconds),
            paused: None,
        }),
        status: None,
    }
}

fn strategy(update: Update) -> DeploymentStrategy {
    match update {
        Update::RollingUpdate => DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::String("25%".to_owned())),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        },
        Update::Recreate => DeploymentStrategy {
            type_: Some("Recreate".to_owned()),
            rolling_update: None,
        },
    }
}

fn some(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
}
