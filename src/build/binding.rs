//! The binding `Secret` of a dedicated database: the keys of the Service Binding specification and of CloudNativePG, and
//! the App's own variables.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::metadata::Of;
use super::{names, postgres};
use crate::api::app::AppDatabase;
use crate::api::{Environment, labels};
use crate::seen::Credentials;

const TEMPLATE: &str = "postgresql://{user}:{password}@{host}:{port}/{database}";
/// Key of the owner's URL when the App names no variable for it.
const MIGRATION_URI: &str = "migration-uri";

/// Key of the URL that the app's role uses.
#[must_use]
pub fn url_key(database: &AppDatabase) -> &str {
    &database.url_variable
}

/// Key of the URL that the owner's role uses.
#[must_use]
pub fn migration_url_key(database: &AppDatabase) -> &str {
    database
        .migration_url_variable
        .as_deref()
        .unwrap_or(MIGRATION_URI)
}

/// Builds the binding Secret.
#[must_use]
pub fn secret(
    environment: &Environment,
    database: &AppDatabase,
    passwords: &Credentials,
    identity: &str,
) -> Secret {
    let name = environment.name_any();
    let namespace = environment.namespace().unwrap_or_default();
    let host = format!("{}.{namespace}.svc", names::postgres(&name));
    let mut metadata = Of::environment(environment).data(names::binding(&name));
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "binding".to_owned());
    metadata.annotations = Some(BTreeMap::from([(
        labels::DATABASE_IDENTITY.to_owned(),
        identity.to_owned(),
    )]));
    let data = entries(database, passwords, &host);
    Secret {
        metadata,
        type_: Some("servicebinding.io/postgresql".to_owned()),
        data: Some(
            data.into_iter()
                .map(|(key, value)| (key, ByteString(value.into_bytes())))
                .collect(),
        ),
        ..Secret::default()
    }
}

fn entries(
    database: &AppDatabase,
    passwords: &Credentials,
    host: &str,
) -> BTreeMap<String, String> {
    let (user, password, port, name) = (
        postgres::APP,
        &passwords.app,
        postgres::PORT,
        postgres::DATABASE,
    );
    let template = database.url_template.as_deref().unwrap_or(TEMPLATE);
    let migration_template = database
        .migration_url_template
        .as_deref()
        .unwrap_or(template);
    let url = fill(template, host, user, password);
    let pairs = [
        ("type", "postgresql".to_owned()),
        ("provider", labels::MANAGER.to_owned()),
        ("host", host.to_owned()),
        ("port", port.to_string()),
        ("username", user.to_owned()),
        ("user", user.to_owned()),
        ("password", password.clone()),
        ("database", name.to_owned()),
        ("dbname", name.to_owned()),
        ("uri", fill(TEMPLATE, host, user, password)),
        (
            "jdbc-uri",
            format!("jdbc:postgresql://{host}:{port}/{name}?user={user}&password={password}"),
        ),
        ("pgpass", format!("{host}:{port}:{name}:{user}:{password}")),
        (url_key(database), url),
        (
            migration_url_key(database),
            fill(migration_template, host, postgres::OWNER, &passwords.owner),
        ),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Passwords are made of letters and digits only, so that they need no escaping in any of the forms.
fn fill(template: &str, host: &str, user: &str, password: &str) -> String {
    template
        .replace("{host}", host)
        .replace("{port}", &postgres::PORT.to_string())
        .replace("{database}", postgres::DATABASE)
        .replace("{user}", user)
        .replace("{password}", password)
}
