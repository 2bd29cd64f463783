//! `Service`: of a slot, for routes; of a component, for callers inside the cluster.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata::{self, Of};
use super::names;
use crate::api::{Environment, labels};

/// The Service of a component in one slot.
#[must_use]
pub fn slot(environment: &Environment, component: &str, port: i32, slot: &str) -> Service {
    let name = environment.name_any();
    let mut service = build(
        environment,
        component,
        port,
        slot,
        names::slot(&name, component, slot),
    );
    service
        .labels_mut()
        .insert(labels::SLOT.to_owned(), slot.to_owned());
    service
}

/// The stable Service of a component: it selects the active slot.
#[must_use]
pub fn stable(environment: &Environment, component: &str, port: i32, slot: &str) -> Service {
    let name = names::component(&environment.name_any(), component);
    build(environment, component, port, slot, name)
}

fn build(
    environment: &Environment,
    component: &str,
    port: i32,
    slot: &str,
    name: String,
) -> Service {
    Service {
        metadata: Of::component(environment, component).owned(name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(metadata::selector(&environment.name_any(), component, slot)),
            ports: Some(vec![port_of("http", port)]),
            session_affinity: Some("None".to_owned()),
            internal_traffic_policy: Some("Cluster".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// A TCP port that is the same inside and outside.
#[must_use]
pub fn port_of(name: &str, port: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(port)),
        ..ServicePort::default()
    }
}
