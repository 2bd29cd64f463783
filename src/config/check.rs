//! What must hold in a configuration beyond its shape.

use std::collections::BTreeSet;

use super::{Config, Previews, RegistryConfig, Routing, RoutingMode};

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
        self.postgres.check()?;
        self.previews.check()?;
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
