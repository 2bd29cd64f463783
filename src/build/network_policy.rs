//! The network policy of a preview: nothing but what it needs.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata::Of;
use super::{names, postgres};
use crate::api::template::Egress;
use crate::api::{Environment, labels};

const DNS: i32 = 53;
/// The label by which Kubernetes names a namespace.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// What the pods of a preview may take and make: requests on the ports of its Web components from everywhere, what they say to
/// each other, names in DNS, the addresses that the App lists, and the controller's questions to its database.
#[must_use]
pub fn preview(
    environment: &Environment,
    ports: &[i32],
    egress: &[Egress],
    controller: &str,
) -> NetworkPolicy {
    let name = environment.name_any();
    NetworkPolicy {
        metadata: Of::environment(environment).owned(names::policy(&name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(own(&name)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(incoming(&name, ports, controller)),
            egress: Some(outgoing(&name, egress)),
        }),
    }
}

fn incoming(name: &str, ports: &[i32], controller: &str) -> Vec<NetworkPolicyIngressRule> {
    let mut rules = vec![
        NetworkPolicyIngressRule {
            from: Some(vec![pods(name)]),
            ports: None,
        },
        NetworkPolicyIngressRule {
            from: Some(vec![namespace(controller)]),
            ports: Some(vec![port("TCP", i32::from(postgres::PORT))]),
        },
    ];
    if !ports.is_empty() {
        rules.push(NetworkPolicyIngressRule {
            from: None,
            ports: Some(ports.iter().map(|number| port("TCP", *number)).collect()),
        });
    }
    rules
}

fn outgoing(name: &str, egress: &[Egress]) -> Vec<NetworkPolicyEgressRule> {
    let own = NetworkPolicyEgressRule {
        to: Some(vec![pods(name)]),
        ports: None,
    };
    let names = NetworkPolicyEgressRule {
        to: None,
        ports: Some(vec![port("UDP", DNS), port("TCP", DNS)]),
    };
    let listed = egress.iter().map(|listed| NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            ip_block: Some(IPBlock {
                cidr: listed.cidr.clone(),
                except: None,
            }),
            ..NetworkPolicyPeer::default()
        }]),
        ports: (!listed.ports.is_empty()).then(|| {
            listed
                .ports
                .iter()
                .map(|number| port("TCP", *number))
                .collect()
        }),
    });
    [own, names].into_iter().chain(listed).collect()
}

fn own(name: &str) -> LabelSelector {
    selector(labels::ENVIRONMENT, name)
}

fn pods(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(own(name)),
        ..NetworkPolicyPeer::default()
    }
}

fn namespace(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(selector(NAMESPACE, name)),
        ..NetworkPolicyPeer::default()
    }
}

fn selector(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
        match_expressions: None,
    }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}
