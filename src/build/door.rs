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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn environment() -> Environment {
        let environment = json!({
            "metadata": {"namespace": "previews", "name": "shop-pr-7", "uid": "1"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "shop:1"}},
        });
        serde_json::from_value(environment).unwrap()
    }

    fn value<K: serde::Serialize>(object: &K) -> Value {
        serde_json::to_value(object).unwrap()
    }

    #[test]
    fn the_service_selects_nothing() {
        let spec = value(&service(&environment(), 80))["spec"].clone();
        let port = json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80});
        assert_eq!(
            spec,
            json!({
                "type": "ClusterIP", "ports": [port], "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            })
        );
    }

    #[test]
    fn the_endpoints_are_those_of_the_service_and_kept_here() {
        let activator = Activator {
            family: "IPv4".to_owned(),
            addresses: vec!["10.0.0.7".to_owned()],
            port: 8090,
        };
        let slice = value(&endpoints(&environment(), &activator));
        let labels = &slice["metadata"]["labels"];
        assert_eq!(labels["kubernetes.io/service-name"], "shop-pr-7-door");
        assert_eq!(labels["endpointslice.kubernetes.io/managed-by"], "towpath");
        assert_eq!(labels["towpath.dev/environment"], "shop-pr-7");
        let endpoint = json!({"addresses": ["10.0.0.7"], "conditions": {"ready": true}});
        assert_eq!(slice["endpoints"], json!([endpoint]));
        let port = json!({"name": "http", "port": 8090, "protocol": "TCP"});
        assert_eq!(
            slice["ports"],
            json!([port]),
            "by the name of the Service's port"
        );
        assert_eq!(slice["addressType"], "IPv4");
    }

    #[test]
    fn the_lease_goes_with_its_preview_and_says_nothing_itself() {
        let lease = value(&activity(&environment()));
        assert_eq!(lease["metadata"]["name"], "shop-pr-7-activity");
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], "1");
        assert_eq!(lease["spec"], json!({}));
    }
}
