//! Renders the templates of a draft: references to ConfigMaps become references to their copies.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, ConfigMapKeySelector, EnvFromSource, EnvVar, EnvVarSource, SecretEnvSource,
    SecretKeySelector,
};
use kube::ResourceExt;

use super::accept::Effective;
use super::seed;
use crate::api::app::{AppDatabase, Component};
use crate::api::shared;
use crate::build::pod::Template;
use crate::build::{binding, names};
use crate::revision::{Image, Rendered, RenderedMigration};
use crate::seen::SeenEnvironment;

/// How long it may take to fill a database where no migration says it, in seconds.
const SEED_SECONDS: i32 = 600;

/// Copies of ConfigMaps, by the name of the original.
pub type Configs = BTreeMap<String, String>;

/// The components of a draft that runs on this incarnation of the database.
#[must_use]
pub fn components(
    seen: &SeenEnvironment,
    effective: &Effective,
    images: &BTreeMap<String, Image>,
    configs: &Configs,
    incarnation: i64,
) -> Vec<Rendered> {
    let rendered = effective.components.iter().filter_map(|component| {
        let mut env = variables(&component.env, configs);
        if let Some(database) = &effective.app.spec.database {
            env.push(url(seen, database, incarnation));
        }
        let (template, hash) =
            template(seen, effective, component, images, env, configs)?.component();
        Some(Rendered {
            name: component.name.clone(),
            role: component.role,
            port: component.port,
            update: component.update,
            health_path: component
                .health
                .as_ref()
                .and_then(|health| health.path.clone()),
            template,
            hash,
        })
    });
    rendered.collect()
}

/// The migration key of a draft, and whether it is declared: the release's, else the image label's; else the image's digest.
#[must_use]
pub fn migration_key(
    seen: &SeenEnvironment,
    effective: &Effective,
    images: &BTreeMap<String, Image>,
) -> Option<(String, bool)> {
    let migration = effective.app.spec.migration.as_ref()?;
    let image = images.get(&migration.component)?;
    let release = &seen.environment.spec.release;
    let declared = release.migration_key.clone();
    let declared = declared.or_else(|| image.migration_key.clone());
    let resolved = image.resolved.split_once('@');
    let digest = || resolved.map_or(image.resolved.as_str(), |(_, digest)| digest);
    let is_declared = declared.is_some();
    Some((declared.unwrap_or_else(|| digest().to_owned()), is_declared))
}

/// The migration of a draft.
#[must_use]
pub fn migration(
    seen: &SeenEnvironment,
    effective: &Effective,
    images: &BTreeMap<String, Image>,
    configs: &Configs,
    incarnation: i64,
) -> Option<RenderedMigration> {
    let migration = effective.app.spec.migration.as_ref()?;
    let (key, declared) = migration_key(seen, effective, images)?;
    let template = outside(seen, effective, images, configs, incarnation)?;
    Some(RenderedMigration {
        declared,
        key,
        template: template.migration(&migration.command).0,
        timeout_seconds: migration.timeout_seconds,
    })
}

/// What fills a new database of a preview: as what migrates, or with the image of the first component.
#[must_use]
pub fn seed(
    seen: &SeenEnvironment,
    effective: &Effective,
    images: &BTreeMap<String, Image>,
    configs: &Configs,
    incarnation: i64,
) -> Option<RenderedMigration> {
    let preview = seen.environment.spec.preview.as_ref()?;
    let command = Some(&preview.seed).filter(|command| !command.is_empty())?;
    let template = outside(seen, effective, images, configs, incarnation)?;
    let migration = effective.app.spec.migration.as_ref();
    Some(RenderedMigration {
        key: seed::key(&seen.environment),
        declared: true,
        template: template.seed(command).0,
        timeout_seconds: migration.map_or(SEED_SECONDS, |migration| migration.timeout_seconds),
    })
}

/// What works on the database while the app does not run: it has the owner's URL.
fn outside<'a>(
    seen: &'a SeenEnvironment,
    effective: &'a Effective,
    images: &'a BTreeMap<String, Image>,
    configs: &Configs,
    incarnation: i64,
) -> Option<Template<'a>> {
    let database = effective.app.spec.database.as_ref()?;
    let migration = effective.app.spec.migration.as_ref();
    let mut components = effective.components.iter();
    let component = match migration {
        Some(migration) => components.find(|known| known.name == migration.component)?,
        None => components.next()?,
    };
    let mut env = variables(&component.env, configs);
    env.extend(migration_urls(seen, database, incarnation));
    template(seen, effective, component, images, env, configs)
}

fn template<'a>(
    seen: &'a SeenEnvironment,
    effective: &'a Effective,
    component: &'a Component,
    images: &'a BTreeMap<String, Image>,
    env: Vec<EnvVar>,
    configs: &Configs,
) -> Option<Template<'a>> {
    Some(Template {
        environment: &seen.environment,
        app: &effective.app.spec,
        component,
        image: &images.get(&component.name)?.resolved,
        env,
        env_from: sources(&component.env_from, configs),
    })
}

fn variables(env: &[shared::EnvVar], configs: &Configs) -> Vec<EnvVar> {
    env.iter().map(|variable| one(variable, configs)).collect()
}

fn one(variable: &shared::EnvVar, configs: &Configs) -> EnvVar {
    if let Some(key) = &variable.secret_ref {
        return secret_variable(&variable.name, &key.name, &key.key);
    }
    let name = variable.name.clone();
    if let Some(key) = &variable.config_map_ref {
        let selector = ConfigMapKeySelector {
            name: configs.get(&key.name).unwrap_or(&key.name).clone(),
            key: key.key.clone(),
            optional: None,
        };
        let source = EnvVarSource {
            config_map_key_ref: Some(selector),
            ..EnvVarSource::default()
        };
        return EnvVar {
            name,
            value: None,
            value_from: Some(source),
        };
    }
    // Kubernetes expands `$(NAME)`; `$$(NAME)` is how it is told not to.
    let value = variable.value.as_ref().filter(|value| !value.is_empty());
    EnvVar {
        name,
        value: value.map(|value| value.replace("$(", "$$(")),
        value_from: None,
    }
}

fn sources(env_from: &[shared::EnvFrom], configs: &Configs) -> Vec<EnvFromSource> {
    let source = |source: &shared::EnvFrom| EnvFromSource {
        config_map_ref: source
            .config_map_ref
            .as_ref()
            .map(|map| ConfigMapEnvSource {
                name: configs.get(&map.name).unwrap_or(&map.name).clone(),
                optional: None,
            }),
        secret_ref: source.secret_ref.as_ref().map(|secret| SecretEnvSource {
            name: secret.name.clone(),
            optional: None,
        }),
        prefix: None,
    };
    env_from.iter().map(source).collect()
}

fn secret_variable(name: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret.to_owned(),
        key: key.to_owned(),
        optional: None,
    };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        }),
    }
}

/// The URL of the app's role.
fn url(seen: &SeenEnvironment, database: &AppDatabase, incarnation: i64) -> EnvVar {
    let (secret, key, _) = keys(seen, database, incarnation);
    secret_variable(&database.url_variable, &secret, &key)
}

/// The URLs of a migration: the owner's, under its own name or instead of the app's.
fn migration_urls(seen: &SeenEnvironment, database: &AppDatabase, incarnation: i64) -> Vec<EnvVar> {
    let (secret, _, owner_key) = keys(seen, database, incarnation);
    match &database.migration_url_variable {
        Some(name) => vec![
            url(seen, database, incarnation),
            secret_variable(name, &secret, &owner_key),
        ],
        None => vec![secret_variable(&database.url_variable, &secret, &owner_key)],
    }
}

/// The Secret with the URLs, and its keys for the app's role and for the owner's.
fn keys(
    seen: &SeenEnvironment,
    database: &AppDatabase,
    incarnation: i64,
) -> (String, String, String) {
    let external = seen
        .environment
        .spec
        .database
        .as_ref()
        .and_then(|database| database.external.as_ref());
    match external {
        Some(external) => {
            let owner = external
                .migration_url_key
                .clone()
                .unwrap_or_else(|| external.url_key.clone());
            (
                external.secret_ref.name.clone(),
                external.url_key.clone(),
                owner,
            )
        }
        None => (
            names::binding_of(&seen.environment.name_any(), incarnation),
            binding::url_key(database).to_owned(),
            binding::migration_url_key(database).to_owned(),
        ),
    }
}
