//! The PostgreSQL servers that the controller runs, and those that it makes databases on.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{is_address, unique};

/// The PostgreSQL servers that the controller runs, and those that it makes databases on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Postgres {
    /// The image of each major version. Default: 15, 16 and 17 of `docker.io/library/postgres`.
    pub images: Vec<PostgresImage>,
    /// Shared servers, on which Environments with the database provider `Server` get a database. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<PostgresServer>,
}

/// The image of one major version of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresImage {
    /// Major version.
    pub version: String,
    /// Image, by tag or digest.
    pub image: String,
}

/// A shared PostgreSQL, of version 13 or newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresServer {
    /// What Environments call it.
    pub name: String,
    /// Secret in the controller's namespace that holds the URL of a role with CREATEDB and CREATEROLE, which need not be a
    /// superuser, in a database that always exists. It is read each time it is needed.
    pub secret_ref: SecretRef,
    /// Key of the URL. Default: `url`.
    #[serde(default = "url_key")]
    pub url_key: String,
    /// The namespaces whose Environments may use it: `["*"]` is all of them, `[]` none. It must be written.
    pub namespaces: Vec<String>,
    /// The golden databases that may be copied, and by whom. Default: each one on it, by every namespace that may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<Template>>,
    /// The host that apps connect to. Default: the one of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port that apps connect to. Default: the one of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether the Secret is made when there is none, with random passwords: `admin` for the superuser `postgres`, `provisioner`
    /// for the role `towpath`, and the URL of that role on `host`. So the chart's own server gets its Secret. Default: false.
    #[serde(default)]
    pub generate: bool,
    /// How many connections each database takes at most. Default: 20.
    #[serde(default = "twenty")]
    pub connection_limit: u16,
}

/// A golden database, and who may copy it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// The namespaces whose Environments may copy it, of those that may use the server: `["*"]` is all of them.
    pub namespaces: Vec<String>,
}

/// A Secret, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: String,
}

fn url_key() -> String {
    "url".to_owned()
}

fn twenty() -> u16 {
    20
}

impl PostgresServer {
    /// A server that every namespace may use, whose URL is in this Secret.
    pub fn for_all(name: &str, secret: &str) -> Self {
        Self {
            name: name.to_owned(),
            secret_ref: SecretRef {
                name: secret.to_owned(),
            },
            url_key: url_key(),
            namespaces: vec!["*".to_owned()],
            templates: None,
            host: None,
            port: None,
            generate: false,
            connection_limit: twenty(),
        }
    }

    /// Whether Environments of this namespace may use it.
    pub fn allows(&self, namespace: &str) -> bool {
        holds(&self.namespaces, namespace)
    }

    /// The golden databases that Environments of this namespace may copy. `None`: whatever is there.
    pub fn templates_for(&self, namespace: &str) -> Option<Vec<&str>> {
        let listed = self.templates.as_ref()?.iter();
        let allowed = listed.filter(|template| holds(&template.namespaces, namespace));
        Some(allowed.map(|template| template.name.as_str()).collect())
    }
}

impl Default for Postgres {
    fn default() -> Self {
        let image = |version: &str| PostgresImage {
            version: version.into(),
            image: format!("docker.io/library/postgres:{version}"),
        };
        Self {
            images: ["15", "16", "17"].map(image).into(),
            servers: Vec::new(),
        }
    }
}

impl Postgres {
    /// The image of a major version.
    pub fn image(&self, version: &str) -> Option<&str> {
        self.images
            .iter()
            .find(|known| known.version == version)
            .map(|known| known.image.as_str())
    }

    /// The shared server of that name.
    pub fn server(&self, name: &str) -> Option<&PostgresServer> {
        self.servers.iter().find(|known| known.name == name)
    }
}

impl Postgres {
    pub(super) fn check(&self) -> Result<(), String> {
        self.images.iter().try_for_each(PostgresImage::check)?;
        let versions = self.images.iter().map(|entry| entry.version.as_str());
        unique("postgres.images[].version", versions)?;
        self.servers.iter().try_for_each(PostgresServer::check)?;
        let names = self.servers.iter().map(|entry| entry.name.as_str());
        unique("postgres.servers[].name", names)
    }
}

impl PostgresImage {
    fn check(&self) -> Result<(), String> {
        let version = &self.version;
        if version.is_empty() || version.len() > 3 || !version.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!(
                "postgres.images[].version must be a major version such as \"17\"; it is {version:?}"
            ));
        }
        if self.image.is_empty() {
            return Err(format!(
                "postgres.images[] of version {version} must name an image"
            ));
        }
        Ok(())
    }
}

impl PostgresServer {
    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=63).contains(&name.len()) || !name.chars().all(letters) {
            return Err(format!(
                "postgres.servers[].name must have 1 to 63 lower-case letters, digits and dashes; it is {name:?}"
            ));
        }
        let must = |sentence: &str| Err(format!("postgres.servers[] of name {name} {sentence}"));
        if self.secret_ref.name.is_empty() || self.url_key.is_empty() {
            return must("must name a Secret and a key");
        }
        let templates = self.templates.as_deref().unwrap_or_default();
        let named = templates.iter().map(|template| &template.namespaces);
        if !named.chain([&self.namespaces]).all(|list| is_sound(list)) {
            return must("must list namespaces, or \"*\" alone");
        }
        if templates.iter().any(|template| template.name.is_empty()) {
            return must("must name each of its templates");
        }
        let names = templates.iter().map(|template| template.name.as_str());
        unique("postgres.servers[].templates[].name", names)?;
        let host = |host: &String| !is_address(host) || host.contains([':', '[']);
        if self.host.as_ref().is_some_and(host) {
            return must("is wrong: host must be a host without port and brackets");
        }
        if self.generate && self.host.is_none() {
            return must("must have a host where generate is true");
        }
        if self.port == Some(0) {
            return must("is wrong: port must be above 0");
        }
        match self.connection_limit {
            0 => must("is wrong: connectionLimit must be above 0"),
            _ => Ok(()),
        }
    }
}

/// Whether a namespace is in a list of them.
fn holds(namespaces: &[String], namespace: &str) -> bool {
    let mut allowed = namespaces.iter();
    allowed.any(|known| known == "*" || known == namespace)
}

fn is_sound(namespaces: &[String]) -> bool {
    let all = namespaces.iter().any(|known| known == "*");
    (!all || namespaces.len() == 1) && !namespaces.iter().any(String::is_empty)
}

/// The addresses of a host, as far as it is one: a name may lead anywhere.
pub fn cidrs(host: &str) -> Vec<String> {
    match host.parse() {
        Ok(IpAddr::V4(address)) => vec![format!("{address}/32")],
        Ok(IpAddr::V6(address)) => vec![format!("{address}/128")],
        Err(_) => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
    }
}
