//! `Configured`: every ConfigMap and Secret that is named exists with its keys. With that the draft of a revision is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::accept::{self, Effective};
use super::previewed;
use super::{Gate, defaults, incarnation, render};
use crate::api::environment::{AppSeen, EnvironmentSpec};
use crate::api::shared::{EnvFrom, EnvVar};
use crate::api::{App, Environment, Reason};
use crate::build::{config_map, hash, names};
use crate::plan::questions::Names;
use crate::revision::{Decided, Image, MAX_BYTES};
use crate::seen::{Seen, SeenEnvironment};

/// What a revision would decide, if it were made now.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Hash of what was asked for.
    pub content: String,
    /// What is decided.
    pub decided: Decided,
    /// The copies of ConfigMaps that it needs.
    pub copies: Vec<ConfigMap>,
}

/// Drafts a revision, or says what is missing.
pub fn draft(
    seen: &SeenEnvironment,
    effective: &Effective,
    images: &BTreeMap<String, Image>,
) -> Result<Draft, Gate> {
    keys_exist(seen, effective)?;
    let originals = originals(seen);
    let configs: BTreeMap<String, String> = originals
        .iter()
        .map(|(name, map)| {
            (
                name.clone(),
                names::config(&seen.environment.name_any(), &config_map::content(map)),
            )
        })
        .collect();
    let key = render::migration_key(seen, effective, images);
    let chosen = incarnation::choose(seen, images, key.as_ref());
    let number = chosen.number;
    let decided = Decided {
        app: AppSeen::of(&effective.app),
        commit: seen.environment.spec.release.commit.clone(),
        images: images.clone(),
        components: render::components(seen, effective, images, &configs, number),
        migration: render::migration(seen, effective, images, &configs, number),
        seed: render::seed(seen, effective, images, &configs, number),
        incarnation: number,
        renewed: chosen.renewed,
        configs: configs.clone(),
    };
    let size = serde_json::to_vec(&decided).map_or(usize::MAX, |bytes| bytes.len());
    if size > MAX_BYTES {
        return Err(Gate::new(
            Reason::RevisionTooLarge,
            format!(
                "App and Environment together must render to at most {MAX_BYTES} bytes, these are {size}: move large values into ConfigMaps"
            ),
        ));
    }
    let copies = originals
        .values()
        .map(|map| config_map::copy(&seen.environment, map))
        .collect();
    Ok(Draft {
        content: content(seen, effective, &decided),
        decided,
        copies,
    })
}

/// What the Preview's controller tells of it, as the first version did. What a later one tells beside that is how it renders.
const TOLD: [&str; 4] = [
    "TOWPATH_PREVIEW",
    "TOWPATH_PREVIEW_NUMBER",
    "TOWPATH_PREVIEW_URL",
    "TOWPATH_COMMIT",
];

/// The variables that somebody asked for.
fn asked(spec: &EnvironmentSpec) -> Vec<&EnvVar> {
    let is_asked = |variable: &&EnvVar| {
        let name = variable.name.as_str();
        spec.preview.is_none() || !name.starts_with("TOWPATH_") || TOLD.contains(&name)
    };
    spec.env.iter().filter(is_asked).collect()
}

/// Hash of what was asked for, not of how it was rendered: a newer controller makes no new revision. What is live (replicas,
/// hosts, deadlines) is no part of it, nor are author and message of a commit.
fn content(seen: &SeenEnvironment, effective: &Effective, decided: &Decided) -> String {
    let spec = &seen.environment.spec;
    let images: BTreeMap<_, _> = decided
        .images
        .iter()
        .map(|(name, image)| (name, &image.resolved))
        .collect();
    let mut app = serde_json::to_value(&effective.app.spec).unwrap_or_default();
    defaults::strip_app(&mut app);
    // How previews look concerns no other Environment, and reaches those of previews by their own spec.
    if let Some(app) = app.as_object_mut() {
        app.remove("preview");
    }
    let mut overrides = serde_json::to_value(&spec.components).unwrap_or_default();
    for list in [app.get_mut("components"), Some(&mut overrides)] {
        for component in list.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(component) = component.as_object_mut() {
                component.remove("replicas");
            }
        }
    }
    let overrides: Vec<Value> = overrides
        .as_array()
        .into_iter()
        .flatten()
        // An override that said only how many pods says nothing here.
        .filter(|entry| entry.as_object().is_some_and(|entry| entry.len() > 1))
        .cloned()
        .collect();
    let external = spec
        .database
        .as_ref()
        .and_then(|database| database.external.as_ref());
    hash::of(
        &json!({
            "images": images,
            "commit": spec.release.commit.as_ref().map(|commit| &commit.sha),
            "migration": decided.migration.as_ref().map(|migration| &migration.key),
            "app": app,
            "env": asked(spec),
            "envFrom": spec.env_from,
            "overrides": overrides,
            "external": external,
            "configs": decided.configs,
        }),
        20,
    )
}

fn originals(seen: &SeenEnvironment) -> BTreeMap<String, Arc<ConfigMap>> {
    let found = seen.config_maps.iter().filter_map(|(name, map)| match map {
        Seen::Found(map) => Some((name.clone(), map.clone())),
        _ => None,
    });
    found.collect()
}

/// The ConfigMaps and Secrets that an Environment and its App name.
#[must_use]
pub fn names(environment: &Environment, app: Option<&App>) -> Names {
    let mut names = Names::default();
    if let Some(external) = environment
        .spec
        .database
        .as_ref()
        .and_then(|database| database.external.as_ref())
    {
        names.secrets.insert(external.secret_ref.name.clone());
    }
    let Some(app) = app.map(|app| previewed::chosen(environment, app)) else {
        let here = &environment.spec;
        let overrides = here.components.iter().flat_map(|entry| &entry.env);
        let sources = here.components.iter().flat_map(|entry| &entry.env_from);
        collect(
            &mut names,
            here.env.iter().chain(overrides),
            here.env_from.iter().chain(sources),
        );
        return names;
    };
    // What a narrower variable of the same name replaces is read by nobody.
    for component in &accept::components(environment, &app.spec) {
        collect(&mut names, component.env.iter(), component.env_from.iter());
    }
    let pull = app.spec.image_pull_secrets.iter();
    names.secrets.extend(pull.map(|secret| secret.name.clone()));
    names
}

fn collect<'a>(
    names: &mut Names,
    env: impl Iterator<Item = &'a EnvVar>,
    env_from: impl Iterator<Item = &'a EnvFrom>,
) {
    for variable in env {
        names
            .secrets
            .extend(variable.secret_ref.iter().map(|key| key.name.clone()));
        names
            .config_maps
            .extend(variable.config_map_ref.iter().map(|key| key.name.clone()));
    }
    for source in env_from {
        names
            .secrets
            .extend(source.secret_ref.iter().map(|object| object.name.clone()));
        names.config_maps.extend(
            source
                .config_map_ref
                .iter()
                .map(|object| object.name.clone()),
        );
    }
}

/// Everything that is named is there, each ConfigMap and Secret with the keys that are named.
fn keys_exist(seen: &SeenEnvironment, effective: &Effective) -> Result<(), Gate> {
    let mut maps: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut secrets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for component in &effective.components {
        for variable in &component.env {
            if let Some(key) = &variable.config_map_ref {
                maps.entry(&key.name).or_default().insert(&key.key);
            }
            if let Some(key) = &variable.secret_ref {
                secrets.entry(&key.name).or_default().insert(&key.key);
            }
        }
    }
    for (name, map) in &seen.config_maps {
        let keys = found(map, "ConfigMap", name)?;
        let has = |key: &str| {
            keys.data
                .as_ref()
                .is_some_and(|data| data.contains_key(key))
                || keys
                    .binary_data
                    .as_ref()
                    .is_some_and(|data| data.contains_key(key))
        };
        lacks_none(maps.get(name.as_str()), has, "ConfigMap", name)?;
    }
    for (name, secret) in &seen.secrets {
        let keys = found(secret, "Secret", name)?;
        lacks_none(
            secrets.get(name.as_str()),
            |key| keys.keys.contains_key(key),
            "Secret",
            name,
        )?;
    }
    database_keys(seen)
}

fn database_keys(seen: &SeenEnvironment) -> Result<(), Gate> {
    let database = seen.environment.spec.database.as_ref();
    let Some(external) = database.and_then(|database| database.external.as_ref()) else {
        return Ok(());
    };
    let name = &external.secret_ref.name;
    let keys = [Some(&external.url_key), external.migration_url_key.as_ref()];
    let keys: BTreeSet<&str> = keys.into_iter().flatten().map(String::as_str).collect();
    match seen.secrets.get(name) {
        Some(Seen::Found(secret)) => lacks_none(
            Some(&keys),
            |key| secret.keys.contains_key(key),
            "Secret",
            name,
        ),
        _ => Ok(()),
    }
}

fn found<'a, T>(object: &'a Seen<T>, kind: &str, name: &str) -> Result<&'a T, Gate> {
    match object {
        Seen::Found(object) => Ok(object),
        Seen::Missing => Err(Gate::new(
            Reason::ReferenceMissing,
            format!("{kind} '{name}' must exist: the App or the Environment names it"),
        )),
        Seen::Unknown(why) => Err(Gate::new(
            Reason::ReferenceUnknown,
            format!("{kind} '{name}' could not be read: {why}"),
        )),
    }
}

fn lacks_none(
    keys: Option<&BTreeSet<&str>>,
    has: impl Fn(&str) -> bool,
    kind: &str,
    name: &str,
) -> Result<(), Gate> {
    match keys.into_iter().flatten().find(|key| !has(key)) {
        Some(key) => Err(Gate::new(
            Reason::KeyMissing,
            format!("{kind} '{name}' must have the key '{key}'"),
        )),
        None => Ok(()),
    }
}
