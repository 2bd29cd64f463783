//! `Accepted`: the App exists, the release names an image for every component, what is declared fits together, and hosts and
//! database are nobody else's.

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::{Gate, previewed};
use crate::api::Reason;
use crate::api::app::{App, AppSpec, Component, Role};
use crate::api::environment::{Dedicated, Environment};
use crate::api::shared::{EnvFrom, EnvVar};
use crate::config::Config;
use crate::seen::{Seen, SeenEnvironment};

/// Variables of one container at most; more would not fit into a revision.
const MAX_VARIABLES: usize = 128;

/// An App as it runs in one Environment: overrides laid over it, an image for every component.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The App.
    pub app: Arc<App>,
    /// Its components, with the Environment's variables and resources.
    pub components: Vec<Component>,
    /// The image of each component, as the release names it.
    pub images: BTreeMap<String, String>,
}

impl Effective {
    /// How many pods of a component are declared.
    #[must_use]
    pub fn replicas(&self, component: &str) -> Option<i32> {
        self.components
            .iter()
            .find(|known| known.name == component)?
            .replicas
    }
}

/// Accepts what is declared, or says what must change.
pub fn accept(seen: &SeenEnvironment) -> Result<Effective, Gate> {
    let app = match &seen.app {
        Seen::Found(app) => app,
        Seen::Missing => {
            let name = &seen.environment.spec.app_ref.name;
            let namespace = seen.environment.namespace().unwrap_or_default();
            return Err(Gate::new(
                Reason::AppMissing,
                format!("App '{name}' must exist in namespace '{namespace}'"),
            ));
        }
        Seen::Unknown(why) => return Err(Gate::new(Reason::NoAnswer, why.clone())),
    };
    let effective = declared(&seen.environment, app, &seen.config)?;
    previewed::belongs(seen)?;
    previewed::begins_anew(seen)?;
    match seen.taken_hosts.iter().next() {
        Some((host, holder)) => Err(Gate::new(
            Reason::HostTaken,
            format!("Host '{host}' belongs to Environment '{holder}'; another host must be named"),
        )),
        None => unshared(seen).map(|()| effective),
    }
}

fn unshared(seen: &SeenEnvironment) -> Result<(), Gate> {
    match &seen.database_sharer {
        Some(other) => Err(Gate::new(
            Reason::DatabaseShared,
            format!(
                "The database belongs to the older Environment '{other}'; each Environment must have one of its own"
            ),
        )),
        None => Ok(()),
    }
}

/// What App and Environment say together, as far as no other object decides it: the rules that `towpath lint` shares.
pub fn declared(
    environment: &Environment,
    app: &Arc<App>,
    config: &Config,
) -> Result<Effective, Gate> {
    let app = &previewed::app(environment, app);
    let spec = &app.spec;
    known_components(environment, spec)?;
    let components = components(environment, spec);
    previewed::fits(environment, app, &components)?;
    components
        .iter()
        .try_for_each(|component| fits(component, spec))?;
    routes_lead_somewhere(environment, spec)?;
    database_fits(environment, spec, config)?;
    let images = spec
        .components
        .iter()
        .map(|component| image(environment, spec, component));
    Ok(Effective {
        app: app.clone(),
        components,
        images: images.collect::<Result<_, _>>()?,
    })
}

fn known_components(environment: &Environment, spec: &AppSpec) -> Result<(), Gate> {
    let known: BTreeSet<&str> = spec
        .components
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    let overrides = environment
        .spec
        .components
        .iter()
        .map(|entry| ("components", &entry.name));
    let images = environment
        .spec
        .release
        .components
        .iter()
        .map(|entry| ("release.components", &entry.name));
    match overrides
        .chain(images)
        .find(|(_, name)| !known.contains(name.as_str()))
    {
        Some((field, name)) => Err(Gate::spec(format!(
            "{field} must name components of the App; it has none named '{name}'"
        ))),
        None => Ok(()),
    }
}

/// The components of an App as they run here.
pub(super) fn components(environment: &Environment, spec: &AppSpec) -> Vec<Component> {
    let components = spec.components.iter();
    components
        .map(|component| overridden(environment, spec, component))
        .collect()
}

/// The component as it runs here. The later and narrower wins: App, component, Environment, Environment's component.
fn overridden(environment: &Environment, spec: &AppSpec, component: &Component) -> Component {
    let here = environment
        .spec
        .components
        .iter()
        .find(|entry| entry.name == component.name);
    let mut result = component.clone();
    let none = (Vec::new(), Vec::new());
    let (env, env_from) = here.map_or(none, |here| (here.env.clone(), here.env_from.clone()));
    result.env = merged([&spec.env, &component.env, &environment.spec.env, &env]);
    result.env_from = sources([
        &spec.env_from,
        &component.env_from,
        &environment.spec.env_from,
        &env_from,
    ]);
    if let Some(here) = here {
        result.replicas = here.replicas.or(component.replicas);
        result.resources = here
            .resources
            .clone()
            .or_else(|| component.resources.clone());
    }
    previewed::limit(environment, &mut result);
    result
}

fn merged(layers: [&Vec<EnvVar>; 4]) -> Vec<EnvVar> {
    let mut variables: Vec<EnvVar> = Vec::new();
    for variable in layers.into_iter().flatten() {
        match variables
            .iter_mut()
            .find(|known| known.name == variable.name)
        {
            Some(known) => *known = variable.clone(),
            None => variables.push(variable.clone()),
        }
    }
    variables
}

fn sources(layers: [&Vec<EnvFrom>; 4]) -> Vec<EnvFrom> {
    layers.into_iter().flatten().cloned().collect()
}

fn fits(component: &Component, spec: &AppSpec) -> Result<(), Gate> {
    let name = &component.name;
    if component.env.len() > MAX_VARIABLES {
        return Err(Gate::spec(format!(
            "component '{name}' must have at most {MAX_VARIABLES} variables"
        )));
    }
    if !component.volumes.is_empty() && component.replicas.is_some_and(|replicas| replicas > 1) {
        return Err(Gate::spec(format!(
            "replicas of '{name}' must be 1: it has a ReadWriteOnce volume"
        )));
    }
    let Some(database) = &spec.database else {
        return Ok(());
    };
    let ours = [
        Some(&database.url_variable),
        database.migration_url_variable.as_ref(),
    ];
    match component
        .env
        .iter()
        .find(|variable| ours.contains(&Some(&variable.name)))
    {
        Some(clash) => Err(Gate::spec(format!(
            "variable '{}' of component '{name}' must not be set: it is the database's",
            clash.name
        ))),
        None => Ok(()),
    }
}

fn routes_lead_somewhere(environment: &Environment, spec: &AppSpec) -> Result<(), Gate> {
    for host in &environment.spec.hosts {
        for route in &host.routes {
            let found = spec
                .components
                .iter()
                .find(|component| component.name == route.component);
            if found.is_none_or(|component| component.role != Role::Web) {
                return Err(Gate::spec(format!(
                    "route '{}' of host '{}' must name a Web component; '{}' is none",
                    route.path, host.host, route.component
                )));
            }
        }
    }
    Ok(())
}

fn database_fits(environment: &Environment, spec: &AppSpec, config: &Config) -> Result<(), Gate> {
    if spec.database.is_none() {
        return Ok(());
    }
    let Some(database) = &environment.spec.database else {
        return Err(Gate::spec(
            "database must be set: the App has one".to_owned(),
        ));
    };
    match (&database.dedicated, &database.server) {
        (Some(dedicated), _) => version_fits(dedicated, config),
        (_, Some(shared)) => server::fits(environment, shared, config),
        _ => Ok(()),
    }
}

fn version_fits(dedicated: &Dedicated, config: &Config) -> Result<(), Gate> {
    if config.postgres.image(&dedicated.version).is_some() {
        return Ok(());
    }
    let images = config.postgres.images.iter();
    let known: Vec<&str> = images.map(|image| image.version.as_str()).collect();
    Err(Gate::spec(format!(
        "database.dedicated.version must be one of {}: the controller has no image for '{}'",
        known.join(", "),
        dedicated.version
    )))
}

fn image(
    environment: &Environment,
    spec: &AppSpec,
    component: &Component,
) -> Result<(String, String), Gate> {
    let release = &environment.spec.release;
    let name = &component.name;
    let own = release
        .components
        .iter()
        .find(|entry| &entry.name == name)
        .map(|entry| &entry.image);
    let shared = release.image.as_ref().filter(|_| component.image.is_none());
    let Some(image) = own.or(shared) else {
        let why = if component.image.is_some() {
            ", which has a repository of its own"
        } else {
            ""
        };
        return Err(Gate::new(
            Reason::ReleaseInvalid,
            format!("release must name an image for component '{name}'{why}"),
        ));
    };
    match component.image.as_ref().or(spec.image.as_ref()) {
        Some(repository) if repository != super::resolve::repository(image) => Err(Gate::new(
            Reason::ReleaseInvalid,
            format!(
                "the image of component '{name}' must come from '{repository}'; '{image}' does not"
            ),
        )),
        _ => Ok((name.clone(), image.clone())),
    }
}
