//! What must hold in a configuration beyond its shape.

use std::collections::BTreeSet;

use super::{
    Config, PostgresImage, PostgresServer, Previews, RegistryConfig, Routing, RoutingMode,
};

impl Config {
    /// The first rule that does not hold, as a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        self.routing.check()?;
        self.registries.iter().try_for_each(RegistryConfig::check)?;
        unique(
            "registries[].prefix",
            self.registries.iter().map(|entry| entry.prefix.as_str()),
        )?;
        self.git.check()?;
        self.postgres
            .images
            .iter()
            .try_for_each(PostgresImage::check)?;
        unique(
            "postgres.images[].version",
            self.postgres
                .images
                .iter()
                .map(|entry| entry.version.as_str()),
        )?;
        self.previews.check()?;
        self.postgres
            .servers
            .iter()
            .try_for_each(PostgresServer::check)?;
        unique(
            "postgres.servers[].name",
            self.postgres
                .servers
                .iter()
                .map(|entry| entry.name.as_str()),
        )?;
        // The id is part of the comment that guards a database against being dropped by the wrong cluster.
        let fits = |id: &String| {
            (1..=63).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !self.cluster_id.as_ref().is_none_or(fits) {
            return Err("clusterId must have 1 to 63 letters, digits and dashes".into());
        }
        Ok(())
    }
}

impl Previews {
    fn check(&self) -> Result<(), String> {
        let asked = [
            ("cpu", &self.max_requests.cpu),
            ("memory", &self.max_requests.memory),
        ];
        let wrong = asked.into_iter().find(|(_, amount)| {
            amount
                .as_deref()
                .is_some_and(|amount| crate::plan::diff::amount(amount).is_none())
        });
        match wrong {
            Some((what, _)) => Err(format!(
                "previews.maxRequests.{what} must be a quantity such as 2 or 4Gi"
            )),
            None => Ok(()),
        }
    }
}

impl Routing {
    fn check(&self) -> Result<(), String> {
        if self.mode == RoutingMode::Gateway && self.gateway_ref.is_none() {
            return Err(
                "routing.gatewayRef must name a Gateway when routing.mode is Gateway".into(),
            );
        }
        if let Some(gateway) = &self.gateway_ref
            && (gateway.namespace.is_empty() || gateway.name.is_empty())
        {
            return Err("routing.gatewayRef must have a namespace and a name".into());
        }
        must_be_address("routing.address", self.address.as_deref())
    }
}

impl RegistryConfig {
    fn check(&self) -> Result<(), String> {
        let prefix = &self.prefix;
        let (host, path) = prefix.split_once('/').unwrap_or((prefix, "any"));
        if path.is_empty() || path.ends_with('/') || !is_address(host) {
            return Err(format!(
                "registries[].prefix must be a registry, or a registry and a path, such as registry.example.com/team; it is {prefix:?}"
            ));
        }
        must_be_address("registries[].endpoint", self.endpoint.as_deref())?;
        if self.plain_http && self.ca_secret.is_some() {
            return Err(format!(
                "registries[] of prefix {prefix} must have plainHTTP or caSecret, not both"
            ));
        }
        Ok(())
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
        let all = self.namespaces.iter().any(|known| known == "*");
        if all && self.namespaces.len() > 1 || self.namespaces.iter().any(String::is_empty) {
            return must("must list namespaces, or \"*\" alone");
        }
        let host = |host: &String| !is_address(host) || host.contains([':', '[']);
        if self.host.as_ref().is_some_and(host) {
            return must("is wrong: host must be a host without port and brackets");
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

/// Whether this is `host` or `host:port`. A scheme or a path would be dropped silently later.
pub fn is_address(text: &str) -> bool {
    let Ok(authority) = text.parse::<http::uri::Authority>() else {
        return false;
    };
    // Without the brackets that hold the colons of an IPv6 address.
    let bare = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    let port_fits = authority.port_u16().is_some() || !bare.contains(':');
    !text.contains('@') && !authority.host().is_empty() && port_fits
}

fn must_be_address(field: &str, address: Option<&str>) -> Result<(), String> {
    match address.filter(|address| !is_address(address)) {
        None => Ok(()),
        Some(address) => Err(format!(
            "{field} must be host or host:port, without scheme and path; it is {address:?}"
        )),
    }
}

pub(super) fn unique<'a>(field: &str, values: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert(value) {
            return Err(format!("{field} must be unique; {value} is there twice"));
        }
    }
    Ok(())
}
