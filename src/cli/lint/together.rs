//! What an App and an Environment that names it must fulfil together: the apiserver cannot see both, the controller would
//! close the gate `Accepted`.

use std::sync::Arc;

use super::Object;
use super::schema::without_nulls;
use crate::api::{App, Environment};
use crate::cli::yaml::Path;
use crate::config::{Config, PostgresImage, PostgresServer};
use crate::plan::accept;

/// What is wrong between the objects, each of them sound in itself.
pub(super) fn check<'all, 'file>(
    sound: &'all [Object<'file>],
) -> Vec<(&'all Object<'file>, Path, String)> {
    let mut found = Vec::new();
    for object in sound.iter().filter(|object| object.kind == "Environment") {
        let environment: Environment =
            match serde_json::from_value(without_nulls(&object.node.json())) {
                Ok(environment) => environment,
                // The schema took it, and the type does not: that is ours to mend, and worth a word.
                Err(error) => {
                    found.push((
                        object,
                        Path::default(),
                        format!("must be readable: {error}"),
                    ));
                    continue;
                }
            };
        let Some(app) = app(sound, &environment) else {
            continue;
        };
        if let Err(gate) = accept::declared(&environment, &app, &config(&environment)) {
            found.push((object, Path::default().key("spec"), gate.message));
        }
    }
    found
}

/// The App that an Environment names, if it is among the objects.
fn app(sound: &[Object], environment: &Environment) -> Option<Arc<App>> {
    let apps = sound.iter().filter(|object| object.kind == "App");
    apps.filter_map(|object| serde_json::from_value::<App>(without_nulls(&object.node.json())).ok())
        .find(|app| {
            let name = app.metadata.name.as_ref() == Some(&environment.spec.app_ref.name);
            name && app.metadata.namespace == environment.metadata.namespace
        })
        .map(Arc::new)
}

/// A configuration that has what is asked for: which versions and servers a cluster offers is not known here.
fn config(environment: &Environment) -> Config {
    let mut config = Config::default();
    let database = environment.spec.database.as_ref();
    if let Some(dedicated) = database.and_then(|database| database.dedicated.as_ref()) {
        config.postgres.images.push(PostgresImage {
            version: dedicated.version.clone(),
            image: "any".to_owned(),
        });
    }
    if let Some(server) = database.and_then(|database| database.server.as_ref()) {
        let any = PostgresServer::for_all(&server.name, "any");
        config.postgres.servers.push(any);
    }
    config
}
