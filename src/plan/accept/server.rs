//! Which shared servers, and which golden databases on them, an Environment may name.

use kube::ResourceExt;

use crate::api::Environment;
use crate::api::environment::SharedServer;
use crate::config::Config;
use crate::plan::Gate;

/// Servers that this namespace may not use are not told of.
pub fn fits(environment: &Environment, server: &SharedServer, config: &Config) -> Result<(), Gate> {
    let namespace = environment.namespace().unwrap_or_default();
    let servers = config.postgres.servers.iter();
    let allowed: Vec<&str> = servers
        .filter(|known| known.allows(&namespace))
        .map(|known| known.name.as_str())
        .collect();
    if allowed.contains(&server.name.as_str()) {
        return template_fits(&namespace, server, config);
    }
    let known = match allowed.as_slice() {
        [] => "it has none for this namespace".to_owned(),
        names => format!("for this namespace it has {}", names.join(", ")),
    };
    Err(Gate::spec(format!(
        "database.server.name must be a server of the controller's configuration (postgres.servers): {known}; '{}' is none of them",
        server.name
    )))
}

/// Golden databases that this namespace may not copy are not told of.
fn template_fits(namespace: &str, server: &SharedServer, config: &Config) -> Result<(), Gate> {
    let known = config.postgres.server(&server.name);
    let listed = known.and_then(|known| known.templates_for(namespace));
    let (Some(template), Some(allowed)) = (&server.template, listed) else {
        return Ok(());
    };
    if allowed.contains(&template.as_str()) {
        return Ok(());
    }
    let known = match allowed.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    Err(Gate::spec(format!(
        "database.server.template must be one that this namespace may copy (postgres.servers[].templates): of '{}' it may copy {known}; '{template}' is none of them",
        server.name
    )))
}
