//! `Ingress`: a host for clusters without the Gateway API.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, ServiceBackendPort,
};
use kube::ResourceExt;

use super::metadata::Of;
use super::names;
use crate::api::{Environment, labels};
use crate::plan::traffic::Published;

/// The route of one host.
#[must_use]
pub fn host(environment: &Environment, class: Option<&str>, published: &Published) -> Ingress {
    let path = |(path, service, port): (&String, String, i32)| HTTPIngressPath {
        path: Some(path.clone()),
        path_type: "Prefix".to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: service,
                port: Some(ServiceBackendPort {
                    number: Some(port),
                    name: None,
                }),
            }),
            resource: None,
        },
    };
    let paths = published.routes.iter().filter_map(|route| {
        let backend = route.backends.first()?;
        Some(path((&route.path, backend.service.clone(), backend.port)))
    });
    let mut metadata =
        Of::environment(environment).owned(names::route(&environment.name_any(), &published.host));
    let named =
        |class: &str| BTreeMap::from([(labels::INGRESS_CLASS.to_owned(), class.to_owned())]);
    metadata.annotations = class.map(named);
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: class.map(str::to_owned),
            rules: Some(vec![IngressRule {
                host: Some(published.host.clone()),
                http: Some(HTTPIngressRuleValue {
                    paths: paths.collect(),
                }),
            }]),
            ..IngressSpec::default()
        }),
        status: None,
    }
}
