//! The way of requests to a preview that may sleep: a Service without pods of its own, and an EndpointSlice that leads it to
//! the activator; and the Lease that tells when the preview was last asked for.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kube::ResourceExt;

use super::metadata::Of;
use super::{names, service};
use crate::api::{Environment, labels};
use crate::seen::Activator;

/// The label by which an EndpointSlice names its Service.
pub const OF_SERVICE: &str = "kubernetes.io/service-name";
/// The label by which an EndpointSlice names who keeps it, so that nobody else does.
pub const KEPT_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The name of the port, which is what ties the Service's to the EndpointSlice's.
const PORT: &str = "http";

/// The Service that routes name. It selects nothing.
#[must_use]
pub fn service(environment: &Environment, port: i32) -> Service {
    Service {
        metadata: Of::environment(environment).owned(names::door(&environment.name_any())),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            ports: Some(vec![service::port_of(PORT, port)]),
            session_affinity: Some("None".to_owned()),
            internal_traffic_policy: Some("Cluster".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Where the Service leads: to the ready pods of the activator.
#[must_use]
pub fn endpoints(environment: &Environment, activator: &Activator) -> EndpointSlice {
    let name = names::door(&environment.name_any());
    let mut metadata = Of::environment(environment).owned(name.clone());
    let own = metadata.labels.get_or_insert_default();
    own.insert(OF_SERVICE.to_owned(), name);
    own.insert(KEPT_BY.to_owned(), labels::MANAGER.to_owned());
    let endpoints = activator.addresses.iter().map(|address| Endpoint {
        addresses: vec![address.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            ..EndpointConditions::default()
        }),
        ..Endpoint::default()
    });
    EndpointSlice {
        metadata,
        address_type: activator.family.clone(),
        endpoints: Some(endpoints.collect()),
        ports: Some(vec![EndpointPort {
            name: Some(PORT.to_owned()),
            port: Some(activator.port),
            protocol: Some("TCP".to_owned()),
            app_protocol: None,
        }]),
    }
}

/// The Lease whose `renewTime` the activator writes.
#[must_use]
pub fn activity(environment: &Environment) -> Lease {
    Lease {
        metadata: Of::environment(environment).owned(names::activity(&environment.name_any())),
        spec: Some(LeaseSpec::default()),
    }
}
