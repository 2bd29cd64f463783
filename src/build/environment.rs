//! The Environment of a preview.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use crate::api::environment::{
    ComponentOverride, Database, Dedicated, DeletionPolicy, EnvironmentSpec, Host, PreviewOf,
    Provider, Release, SharedServer, Sleep, Strategy,
};
use crate::api::shared::{EnvVar, NameRef};
use crate::api::template::{PreviewDatabase, PreviewProvider, PreviewTemplate};
use crate::api::{App, Environment, Preview, labels};
use crate::plan::diff;

/// How long the rollout of a preview may make no progress, in seconds.
const PROGRESS_DEADLINE_SECONDS: i32 = 120;
/// Longest word of a person that is kept.
const LONGEST: usize = 256;

/// The Environment of a preview of this App. What cannot change of the database that it was made with stays, and so does a
/// person's word that nothing is changed there for now. `None`: the App has no previews.
#[must_use]
pub fn of_preview(preview: &Preview, app: &App, live: Option<&Environment>) -> Option<Environment> {
    let template = app.spec.preview.as_ref()?;
    let hosts = hosts(preview, template);
    let declared = template.database.as_ref().and_then(database);
    let known = live.and_then(|live| live.spec.database.clone());
    let spec = EnvironmentSpec {
        app_ref: preview.spec.app_ref.clone(),
        release: release(preview, template),
        env: variables(preview, template, &hosts),
        hosts,
        strategy: Strategy {
            progress_deadline_seconds: PROGRESS_DEADLINE_SECONDS,
            ..Strategy::default()
        },
        env_from: Vec::new(),
        components: components(app, template),
        database: match (known, declared) {
            (Some(known), Some(declared)) => Some(grown(known, declared)),
            (known, declared) => known.or(declared),
        },
        deletion_policy: DeletionPolicy::Delete,
        preview: Some(PreviewOf {
            number: preview.spec.pull_request.number,
            fork: preview.spec.pull_request.fork,
            components: names(template),
            secrets: secrets(preview, template),
            egress: template.egress.clone(),
            reset: template
                .database
                .as_ref()
                .map(|known| known.reset)
                .unwrap_or_default(),
            seed: seed(preview, template),
            reset_token: word(preview, labels::RESET),
            sleep: template.sleep_after_seconds.map(|after_seconds| Sleep {
                after_seconds,
                ..Sleep::default()
            }),
        }),
        suspend: live.is_some_and(|live| live.spec.suspend),
    };
    Some(Environment {
        metadata: metadata(preview),
        spec,
        status: None,
    })
}

/// The Preview that an Environment says it is of: the one of its name, which controls it. What names a uid that no such Preview
/// has is deleted by the garbage collector.
#[must_use]
pub fn owner(environment: &Environment) -> Option<&OwnerReference> {
    let is_preview = |owner: &&OwnerReference| {
        let group = owner.api_version.split_once('/').map(|(group, _)| group);
        owner.controller == Some(true)
            && group == Some(&*Preview::group(&()))
            && owner.kind == Preview::kind(&())
            && Some(&owner.name) == environment.metadata.name.as_ref()
    };
    environment.owner_references().iter().find(is_preview)
}

fn metadata(preview: &Preview) -> ObjectMeta {
    let app = &preview.spec.app_ref.name;
    let number = preview.spec.pull_request.number.to_string();
    ObjectMeta {
        name: Some(preview.name_any()),
        namespace: preview.namespace(),
        labels: Some(BTreeMap::from([
            (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
            (labels::NAME.to_owned(), app.clone()),
            (labels::PART_OF.to_owned(), app.clone()),
            (labels::PULL_REQUEST.to_owned(), number),
        ])),
        owner_references: Some(vec![OwnerReference {
            api_version: Preview::api_version(&()).into_owned(),
            kind: Preview::kind(&()).into_owned(),
            name: preview.name_any(),
            uid: preview.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// The Secrets that it may read. The code of a fork reads none.
fn secrets(preview: &Preview, template: &PreviewTemplate) -> Vec<NameRef> {
    match preview.spec.pull_request.fork {
        true => Vec::new(),
        false => template.secrets.clone(),
    }
}

/// What fills a new database. The code of a fork gets no data.
fn seed(preview: &Preview, template: &PreviewTemplate) -> Vec<String> {
    let database = template.database.as_ref();
    let database = database.filter(|_| !preview.spec.pull_request.fork);
    database.map_or_else(Vec::new, |database| database.seed.clone())
}

/// A person's word on a Preview, if it is meant for this very object and can be kept.
#[must_use]
pub fn word(preview: &Preview, trigger: &str) -> Option<String> {
    let token = preview.annotations().get(trigger)?;
    let sound = token.len() <= LONGEST && !token.contains(char::is_whitespace);
    let meant = token.split('.').next() == Some(preview.metadata.uid.as_deref()?);
    (sound && meant).then(|| token.clone())
}

fn names(template: &PreviewTemplate) -> Vec<String> {
    let components = template.components.iter();
    components.map(|component| component.name.clone()).collect()
}

/// Whether a component runs in a preview.
fn runs(template: &PreviewTemplate, name: &str) -> bool {
    let mut components = template.components.iter();
    template.components.is_empty() || components.any(|component| component.name == name)
}

/// The images of what runs.
fn release(preview: &Preview, template: &PreviewTemplate) -> Release {
    let mut release = preview.spec.release.clone();
    release
        .components
        .retain(|image| runs(template, &image.name));
    release
}

fn hosts(preview: &Preview, template: &PreviewTemplate) -> Vec<Host> {
    let number = preview.spec.pull_request.number.to_string();
    let fill = |host: &str| {
        host.replace("{app}", &preview.spec.app_ref.name)
            .replace("{number}", &number)
    };
    let hosts = template.hosts.iter().map(|host| Host {
        host: fill(&host.host),
        routes: host.routes.clone(),
    });
    hosts.collect()
}

/// What the template says, and what tells the app that it is a preview.
fn variables(preview: &Preview, template: &PreviewTemplate, hosts: &[Host]) -> Vec<EnvVar> {
    let number = preview.spec.pull_request.number.to_string();
    let url = hosts.first().map(|host| format!("http://{}", host.host));
    let commit = preview.spec.release.commit.as_ref();
    let told = [
        ("TOWPATH_PREVIEW", Some("true".to_owned())),
        ("TOWPATH_PREVIEW_NUMBER", Some(number)),
        ("TOWPATH_PREVIEW_URL", url),
        ("TOWPATH_COMMIT", commit.map(|commit| commit.sha.clone())),
    ];
    let told = told.into_iter().filter_map(|(name, value)| {
        Some(EnvVar {
            name: name.to_owned(),
            value: Some(value?),
            secret_ref: None,
            config_map_ref: None,
        })
    });
    template.env.iter().cloned().chain(told).collect()
}

/// One pod of each component that runs, unless the template says more.
fn components(app: &App, template: &PreviewTemplate) -> Vec<ComponentOverride> {
    let running = app.spec.components.iter();
    let running = running.filter(|component| runs(template, &component.name));
    let overrides = running.map(|component| {
        let mut chosen = template.components.iter();
        let here = chosen.find(|here| here.name == component.name);
        ComponentOverride {
            name: component.name.clone(),
            replicas: Some(here.map_or(1, |here| here.replicas)),
            resources: here.and_then(|here| here.resources.clone()),
            env: Vec::new(),
            env_from: Vec::new(),
        }
    });
    overrides.collect()
}

/// A database that is there, as the template says it by now, as far as one that is there can change.
fn grown(known: Database, declared: Database) -> Database {
    let dedicated = match (known.dedicated, declared.dedicated) {
        (Some(known), Some(declared)) => Some(Dedicated {
            resources: declared.resources,
            size: match diff::amount(&declared.size) > diff::amount(&known.size) {
                true => declared.size,
                false => known.size,
            },
            ..known
        }),
        (known, _) => known,
    };
    let server = match (known.server, declared.server) {
        (Some(known), Some(declared)) if known.name == declared.name => Some(declared),
        (known, _) => known,
    };
    Database {
        dedicated,
        server,
        ..known
    }
}

fn database(template: &PreviewDatabase) -> Option<Database> {
    match template.provider {
        PreviewProvider::Dedicated => {
            let dedicated = template.dedicated.as_ref()?;
            Some(Database {
                provider: Provider::Dedicated,
                dedicated: Some(Dedicated {
                    version: dedicated.version.clone(),
                    size: dedicated.size.clone(),
                    storage_class_name: dedicated.storage_class_name.clone(),
                    resources: dedicated.resources.clone(),
                }),
                server: None,
                external: None,
            })
        }
        PreviewProvider::Server => {
            let server = template.server.as_ref()?;
            Some(Database {
                provider: Provider::Server,
                dedicated: None,
                server: Some(SharedServer {
                    name: server.name.clone(),
                    template: server.template.clone(),
                }),
                external: None,
            })
        }
    }
}
