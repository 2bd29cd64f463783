//! The controller's configuration: one strict YAML file.

mod check;
mod git;
mod postgres;

pub use check::is_address;
pub use git::{Git, GitHostConfig, GitProvider};
pub use postgres::{Postgres, PostgresImage, PostgresServer, SecretRef, Template, cidrs};

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller is told about its surroundings. An empty file means all defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// How hosts are published.
    pub routing: Routing,
    /// Registries that need more than their name: another endpoint, plain HTTP, a CA or credentials.
    pub registries: Vec<RegistryConfig>,
    /// The Git hosts whose pull requests get previews.
    pub git: Git,
    /// The PostgreSQL servers that the controller runs, and those that it makes databases on.
    pub postgres: Postgres,
    /// What previews may take of the cluster.
    pub previews: Previews,
    /// Who passes requests on to previews that may sleep, and wakes them. Default: nobody, and no preview sleeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activator: Option<ActivatorRef>,
    /// Name of this cluster in the comments of databases. Default: the uid of the namespace `kube-system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Namespace of the controller itself, as its command line says.
    #[serde(skip)]
    pub namespace: String,
}

/// What previews may take of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Previews {
    /// How many may be live at once in the whole cluster, of all Apps; the others wait in a queue. Default: 100.
    pub max: u32,
    /// What the pods of one preview may ask for together. Default: 4 cores and 8Gi of memory.
    pub max_requests: Requests,
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            max: 100,
            max_requests: Requests {
                cpu: Some("4".into()),
                memory: Some("8Gi".into()),
            },
        }
    }
}

/// The activator, `towpath activator`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivatorRef {
    /// Its Service, in the controller's namespace. The first port of the Service is where it takes requests.
    pub service: String,
}

/// Sums of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requests {
    /// Processor time, in cores. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory, in bytes, such as `8Gi`. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

/// How hosts are published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Routing {
    /// Gateway API or Ingress. Default: `Auto`.
    pub mode: RoutingMode,
    /// The Gateway that routes attach to. Required with `mode: Gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<GatewayRef>,
    /// Class of the Ingresses. Default: the cluster's default class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class_name: Option<String>,
    /// `host:port` or `host` through which the controller asks hosts when it verifies a release: by TLS on port 443
    /// or 8443, whoever signed its certificate, else by plain HTTP. Default: hosts are not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Which API publishes hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutingMode {
    /// Gateway API if a `gatewayRef` is named, else Ingress.
    #[default]
    Auto,
    /// HTTPRoutes of the Gateway API.
    Gateway,
    /// Ingresses.
    Ingress,
}

/// A Gateway, and one of its listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRef {
    /// Namespace of the Gateway.
    pub namespace: String,
    /// Name of the Gateway.
    pub name: String,
    /// Name of the listener. Default: every listener that fits the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// How the images under a prefix are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryConfig {
    /// Registry, or registry and leading path, that this entry is for, such as `registry.example.com/team`. The longest
    /// prefix that fits an image counts.
    pub prefix: String,
    /// `host:port` or `host` to ask instead of the registry in the image's name. Default: that registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether the registry is asked without TLS. Default: false.
    #[serde(default, rename = "plainHTTP")]
    pub plain_http: bool,
    /// Secret in the controller's namespace whose key `ca.crt` holds certificates to trust beside the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<String>,
    /// Secret of type `kubernetes.io/dockerconfigjson` in the controller's namespace, tried before an App's own pull
    /// Secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret: Option<String>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not YAML of this shape.
    #[error("the configuration must have the documented shape: {0}")]
    Shape(String),
    /// What the file says cannot hold.
    #[error("{0}")]
    Rule(String),
}

impl Config {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Parses and checks the text of a configuration.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Option<Self> = serde_saphyr::from_str(text)
            .map_err(|error| Error::Shape(error.without_snippet().to_string()))?;
        let config = config.unwrap_or_default();
        config.check().map_err(Error::Rule)?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text)
            .expect_err("this text must be refused")
            .to_string()
    }

    #[test]
    fn an_empty_file_means_all_defaults() {
        for text in ["", "{}", "# only a comment\n"] {
            assert_eq!(
                Config::parse(text).expect("empty"),
                Config::default(),
                "{text:?}"
            );
        }
        assert_eq!(
            Config::default().postgres.image("16"),
            Some("docker.io/library/postgres:16")
        );
        assert_eq!(Config::default().postgres.image("9"), None);
        assert_eq!(Config::default().routing.mode, RoutingMode::Auto);
    }

    #[test]
    fn every_field_is_read() {
        let config = Config::parse(
            r#"
routing:
  mode: Gateway
  gatewayRef: {namespace: edge, name: public, sectionName: https}
  ingressClassName: nginx
  address: 198.18.0.10:443
registries:
- {prefix: "198.18.0.1:5000", plainHTTP: true}
- {prefix: registry.example.com/team, endpoint: "mirror.example.com", caSecret: ca, authSecret: pull}
postgres:
  images: [{version: "17", image: "registry.example.com/postgres:17"}]
  servers:
  - {name: previews, secretRef: {name: previews-admin}, namespaces: [shop-previews]}
  - name: staging
    secretRef: {name: staging-admin}
    urlKey: uri
    namespaces: ["*"]
    templates: [{name: shop, namespaces: [shop-staging]}, {name: blog, namespaces: ["*"]}]
    host: staging-db.example.com
    port: 6432
    connectionLimit: 50
    generate: true
clusterId: production-1
"#,
        )
        .expect("the documented shape");
        assert_eq!(
            config
                .routing
                .gateway_ref
                .as_ref()
                .and_then(|gateway| gateway.section_name.as_deref()),
            Some("https")
        );
        assert!(config.registries[0].plain_http);
        assert_eq!(config.registries[1].auth_secret.as_deref(), Some("pull"));
        assert_eq!(config.postgres.images.len(), 1);
        let previews = config.postgres.server("previews").expect("a server");
        assert_eq!(
            (previews.url_key.as_str(), previews.connection_limit),
            ("url", 20)
        );
        assert!(previews.allows("shop-previews") && !previews.allows("shop-staging"));
        let staging = config.postgres.server("staging").expect("a server");
        assert_eq!((staging.port, staging.connection_limit), (Some(6432), 50));
        assert!(staging.generate && !previews.generate);
        assert!(staging.allows("anywhere"));
        let both = staging.templates_for("shop-staging");
        assert_eq!(both, Some(vec!["shop", "blog"]));
        assert_eq!(staging.templates_for("anywhere"), Some(vec!["blog"]));
        assert_eq!(previews.templates_for("shop-previews"), None);
        assert_eq!(config.postgres.server("production"), None);
        let again = serde_saphyr::to_string(&config).expect("it can be written");
        assert_eq!(Config::parse(&again).expect("and read again"), config);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        assert!(refusal("routng: {}").contains("routng"));
        assert!(
            refusal("registries: [{prefix: a.example.com, plainHttp: true}]").contains("plainHttp")
        );
        assert!(refusal("routing: {mode: gateway}").contains("gateway"));
    }

    #[test]
    fn wrong_input_is_answered_by_what_must_hold() {
        for (text, part) in [
            (
                "routing: {mode: Gateway}",
                "routing.gatewayRef must name a Gateway",
            ),
            (
                "routing: {gatewayRef: {namespace: '', name: x}}",
                "must have a namespace and a name",
            ),
            (
                "routing: {address: 'http://edge'}",
                "routing.address must be host or host:port",
            ),
            (
                "routing: {address: 'edge:http'}",
                "routing.address must be host or host:port",
            ),
            (
                "registries: [{prefix: 'https://a.example.com'}]",
                "registries[].prefix must be",
            ),
            (
                "registries: [{prefix: a.example.com/}]",
                "registries[].prefix must be",
            ),
            (
                "registries: [{prefix: a, plainHTTP: true, caSecret: ca}]",
                "must have plainHTTP or caSecret, not both",
            ),
            (
                "registries: [{prefix: a}, {prefix: a}]",
                "registries[].prefix must be unique",
            ),
            (
                "postgres: {images: [{version: '17.2', image: a}]}",
                "must be a major version",
            ),
            (
                "postgres: {images: [{version: '17', image: ''}]}",
                "must name an image",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}}]}",
                "namespaces",
            ),
            (
                "postgres: {servers: [{name: A, secretRef: {name: s}, namespaces: []}]}",
                "postgres.servers[].name must have",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: ''}, namespaces: []}]}",
                "postgres.servers[] of name a must name a Secret and a key",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: ['*', b]}]}",
                "must list namespaces, or \"*\" alone",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], templates: [{name: t, namespaces: ['*', b]}]}]}",
                "must list namespaces, or \"*\" alone",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], templates: [{name: '', namespaces: []}]}]}",
                "must name each of its templates",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], templates: [{name: t, namespaces: []}, {name: t, namespaces: []}]}]}",
                "postgres.servers[].templates[].name must be unique",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], host: 'a:1'}]}",
                "host must be a host without port",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], connectionLimit: 0}]}",
                "connectionLimit must be above 0",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: []}, {name: a, secretRef: {name: s}, namespaces: []}]}",
                "postgres.servers[].name must be unique",
            ),
            (
                "postgres: {servers: [{name: a, secretRef: {name: s}, namespaces: [], generate: true}]}",
                "must have a host where generate is true",
            ),
            ("clusterId: 'a b'", "clusterId must have"),
        ] {
            let said = refusal(text);
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error =
            Config::read(Path::new("/nowhere/towpath.yaml")).expect_err("there is no such file");
        assert!(error.to_string().contains("/nowhere/towpath.yaml"));
    }
}
