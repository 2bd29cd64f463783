//! `HTTPRoute` of the Gateway API: the part that is written and read here, and its builder.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Routes of hosts to Services.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "HTTPRoute",
    namespaced,
    status = "HttpRouteStatus"
)]
#[kube(root = "HttpRoute", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// The Gateways that serve it.
    #[serde(default)]
    pub parent_refs: Vec<ParentRef>,
    /// Its hosts.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// What goes where.
    #[serde(default)]
    pub rules: Vec<HttpRouteRule>,
}

/// A Gateway, or one listener of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// API group.
    #[serde(default = "gateway_group")]
    pub group: String,
    /// Kind.
    #[serde(default = "gateway_kind")]
    pub kind: String,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// One rule of a route.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteRule {
    /// Which requests.
    #[serde(default)]
    pub matches: Vec<HttpRouteMatch>,
    /// Where they go.
    #[serde(default)]
    pub backend_refs: Vec<BackendRef>,
    /// What is changed on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<HttpRouteFilter>,
}

/// A change of a request or its answer on the way.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteFilter {
    /// `ResponseHeaderModifier`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The headers of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_header_modifier: Option<HeaderModifier>,
}

/// Headers that are set.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct HeaderModifier {
    /// Each replaces those of its name.
    #[serde(default)]
    pub set: Vec<Header>,
}

/// A header.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Which requests a rule means.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct HttpRouteMatch {
    /// By path.
    pub path: PathMatch,
}

/// A path, and how it is compared.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct PathMatch {
    /// `PathPrefix`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The path.
    pub value: String,
}

/// A Service and its weight.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct BackendRef {
    /// API group; empty: core.
    #[serde(default)]
    pub group: String,
    /// Kind.
    #[serde(default = "service_kind")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Port.
    pub port: i32,
    /// Weight.
    pub weight: i32,
}

/// What Gateways say of a route.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
pub struct HttpRouteStatus {
    /// Each Gateway's answer.
    #[serde(default)]
    pub parents: Vec<ParentStatus>,
}

/// What one Gateway says of a route.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentStatus {
    /// Which Gateway.
    pub parent_ref: ParentRef,
    /// Its answer.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

pub(crate) fn gateway_group() -> String {
    "gateway.networking.k8s.io".to_owned()
}
pub(crate) fn gateway_kind() -> String {
    "Gateway".to_owned()
}
fn service_kind() -> String {
    "Service".to_owned()
}

/// No search engine shows a preview.
fn filters(environment: &crate::api::Environment) -> Vec<HttpRouteFilter> {
    let unlisted = HttpRouteFilter {
        type_: "ResponseHeaderModifier".to_owned(),
        response_header_modifier: Some(HeaderModifier {
            set: vec![Header {
                name: "X-Robots-Tag".to_owned(),
                value: "noindex".to_owned(),
            }],
        }),
    };
    environment
        .spec
        .preview
        .iter()
        .map(|_| unlisted.clone())
        .collect()
}

/// The route of one host on a Gateway.
#[must_use]
pub fn host(
    environment: &crate::api::Environment,
    gateway: &ParentRef,
    published: &crate::plan::traffic::Published,
) -> HttpRoute {
    use kube::ResourceExt;
    let rules = published.routes.iter().map(|route| HttpRouteRule {
        matches: vec![HttpRouteMatch {
            path: PathMatch {
                type_: "PathPrefix".to_owned(),
                value: route.path.clone(),
            },
        }],
        backend_refs: route
            .backends
            .iter()
            .map(|backend| BackendRef {
                group: String::new(),
                kind: service_kind(),
                name: backend.service.clone(),
                port: backend.port,
                weight: backend.weight,
            })
            .collect(),
        filters: filters(environment),
    });
    let name = super::names::route(&environment.name_any(), &published.host);
    HttpRoute {
        metadata: super::metadata::Of::environment(environment).owned(name),
        spec: HttpRouteSpec {
            parent_refs: vec![gateway.clone()],
            hostnames: vec![published.host.clone()],
            rules: rules.collect(),
        },
        status: None,
    }
}
