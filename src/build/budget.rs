//! `PodDisruptionBudget`: a drained node takes one pod of a component at a time.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata::Of;
use super::names;
use crate::api::{Environment, labels};

/// The disruption budget of a component.
#[must_use]
pub fn component(environment: &Environment, component: &str) -> PodDisruptionBudget {
    let name = environment.name_any();
    PodDisruptionBudget {
        metadata: Of::component(environment, component).owned(names::component(&name, component)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(BTreeMap::from([
                    (labels::ENVIRONMENT.to_owned(), name),
                    (labels::COMPONENT.to_owned(), component.to_owned()),
                ])),
                match_expressions: None,
            }),
            // A pod that is not ready protects nothing, and must not block a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
