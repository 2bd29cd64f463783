//! An App as a preview runs it: the components that were chosen, no account of its own, limits, and no Secrets but those that
//! previews may read.

use std::borrow::Cow;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::{Gate, diff};
use crate::api::app::{App, Component};
use crate::api::environment::{Environment, PreviewOf};
use crate::api::shared::{ResourceList, Resources};
use crate::api::{Reason, labels};
use crate::build::environment::owner;
use crate::seen::{Hidden, SeenEnvironment};

/// What a container of a preview may use where nobody says it.
const CPU: &str = "1";
const MEMORY: &str = "512Mi";

/// The App as it runs in an Environment: another one only in a preview.
#[must_use]
pub fn app(environment: &Environment, app: &Arc<App>) -> Arc<App> {
    match chosen(environment, app) {
        Cow::Borrowed(_) => app.clone(),
        Cow::Owned(previewed) => Arc::new(previewed),
    }
}

/// As [`app`], of one that nobody shares.
#[must_use]
pub fn chosen<'a>(environment: &Environment, app: &'a App) -> Cow<'a, App> {
    let Some(preview) = &environment.spec.preview else {
        return Cow::Borrowed(app);
    };
    let mut previewed = app.clone();
    let chosen = &preview.components;
    previewed
        .spec
        .components
        .retain(|component| chosen.is_empty() || chosen.contains(&component.name));
    previewed.spec.service_account_name = None;
    Cow::Owned(previewed)
}

/// Whether an Environment may be one of a preview, and a preview runs all that it needs.
pub fn fits(environment: &Environment, app: &App, components: &[Component]) -> Result<(), Gate> {
    let Some(preview) = &environment.spec.preview else {
        return Ok(());
    };
    if owner(environment).is_none() {
        return Err(Gate::spec(
            "preview must not be set: only a Preview sets it, on the Environment that it owns"
                .to_owned(),
        ));
    }
    let migration = app.spec.migration.as_ref();
    let lacks = |name: &str| !components.iter().any(|component| component.name == name);
    if let Some(migration) = migration.filter(|migration| lacks(&migration.component)) {
        return Err(Gate::spec(format!(
            "preview.components of App '{}' must name '{}', whose image migrates",
            app.name_any(),
            migration.component
        )));
    }
    components
        .iter()
        .try_for_each(|component| reads_what_it_may(preview, app, component))
}

/// The Preview that an Environment says it is of is the one that there is: it may be an earlier one of its name, or made up.
pub fn belongs(seen: &SeenEnvironment) -> Result<(), Gate> {
    let said = seen.environment.spec.preview.as_ref();
    let said = said.and_then(|_| owner(&seen.environment));
    match (said, &seen.preview) {
        (Some(said), Some(uid)) if said.uid != *uid => Err(Gate::new(
            Reason::Deleting,
            "The Preview that the Environment was made for is gone: the garbage collector deletes it",
        )),
        _ => Ok(()),
    }
}

fn reads_what_it_may(preview: &PreviewOf, app: &App, component: &Component) -> Result<(), Gate> {
    let may = |name: &str| preview.secrets.iter().any(|secret| secret.name == name);
    let (app, component_name) = (app.name_any(), &component.name);
    for variable in &component.env {
        if let Some(secret) = &variable.secret_ref
            && !may(&secret.name)
        {
            let (variable, secret) = (&variable.name, &secret.name);
            let what = format!(
                "variable '{variable}' of component '{component_name}' reads Secret '{secret}'"
            );
            return Err(Gate::spec(match preview.fork {
                true => format!(
                    "{what}, and the preview of a fork may read none: preview.env of App '{app}' must give it a value"
                ),
                false => format!(
                    "{what}, which previews may not: preview.env of App '{app}' must give it a value, or preview.secrets must name the Secret"
                ),
            }));
        }
    }
    let mut sources = component
        .env_from
        .iter()
        .filter_map(|source| source.secret_ref.as_ref());
    let Some(secret) = sources.find(|secret| !may(&secret.name)) else {
        return Ok(());
    };
    let what = format!(
        "component '{component_name}' reads all of Secret '{}'",
        secret.name
    );
    Err(Gate::spec(match preview.fork {
        true => format!(
            "{what}, and the preview of a fork may read none: it must read its variables one by one, so that preview.env of App '{app}' can give them values"
        ),
        false => {
            format!("{what}, which previews may not: preview.secrets of App '{app}' must name it")
        }
    }))
}

/// A preview has no data but its own: what was kept for an Environment of its name is somebody else's.
pub fn begins_anew(seen: &SeenEnvironment) -> Result<(), Gate> {
    fn kept<'a, K: Resource + 'a>(
        mut objects: impl Iterator<Item = &'a Arc<K>>,
        environment: &Environment,
    ) -> Option<String> {
        let is_kept = |object: &&Arc<K>| {
            let mut owners = object.meta().owner_references.iter().flatten();
            object.labels().contains_key(labels::DATA)
                && !owners.any(|owner| Some(&owner.uid) == environment.metadata.uid.as_ref())
        };
        objects.find(is_kept).map(|object| object.name_any())
    }
    let environment = &seen.environment;
    if environment.spec.preview.is_none() {
        return Ok(());
    }
    let children = &seen.children;
    let volume = kept(children.volumes.values(), environment)
        .map(|name| format!("PersistentVolumeClaim '{name}'"));
    let secret = || {
        let secrets = children.secrets.values().map(|Hidden(secret)| secret);
        kept(secrets, environment).map(|name| format!("Secret '{name}'"))
    };
    match volume.or_else(secret) {
        Some(what) => Err(Gate::new(
            Reason::NameTaken,
            format!(
                "{what} was kept for an Environment of this name, and a preview must not have its data; give the Preview another name"
            ),
        )),
        None => Ok(()),
    }
}

/// Limits for a container that has none.
pub fn limit(environment: &Environment, component: &mut Component) {
    if environment.spec.preview.is_none() {
        return;
    }
    let resources = component.resources.get_or_insert_with(Resources::default);
    let requests = resources.requests.clone().unwrap_or_default();
    let limits = resources.limits.get_or_insert_with(ResourceList::default);
    let most = |asked: Option<String>, most: &str| match asked {
        Some(asked) if diff::amount(&asked) > diff::amount(most) => asked,
        _ => most.to_owned(),
    };
    limits.cpu.get_or_insert_with(|| most(requests.cpu, CPU));
    limits
        .memory
        .get_or_insert_with(|| most(requests.memory, MEMORY));
}
