//! The binding `Secret` of a database that is made here: the keys of the Service Binding specification and of CloudNativePG, and
//! the App's own variables.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::metadata::Of;
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

/// Where apps find a database, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Name of the binding Secret.
    pub secret: &'a str,
    /// The host.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Name of the database.
    pub database: &'a str,
    /// The role that migrates.
    pub owner: &'a str,
    /// The role that reads and writes.
    pub app: &'a str,
}

/// Builds the binding Secret.
#[must_use]
pub fn secret(
    environment: &Environment,
    database: &AppDatabase,
    place: &Place<'_>,
    passwords: &Credentials,
    identity: &str,
) -> Secret {
    let mut metadata = Of::environment(environment).data(place.secret.to_owned());
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "binding".to_owned());
    metadata.annotations = Some(BTreeMap::from([(
        labels::DATABASE_IDENTITY.to_owned(),
        identity.to_owned(),
    )]));
    let data = entries(database, place, passwords);
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
    place: &Place<'_>,
    passwords: &Credentials,
) -> BTreeMap<String, String> {
    let Place {
        secret: _,
        host,
        port,
        database: name,
        owner,
        app: user,
    } = *place;
    let password = &passwords.app;
    let template = database.url_template.as_deref().unwrap_or(TEMPLATE);
    let migration_template = database
        .migration_url_template
        .as_deref()
        .unwrap_or(template);
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
        ("uri", fill(TEMPLATE, place, user, password)),
        (
            "jdbc-uri",
            format!("jdbc:postgresql://{host}:{port}/{name}?user={user}&password={password}"),
        ),
        ("pgpass", format!("{host}:{port}:{name}:{user}:{password}")),
        (url_key(database), fill(template, place, user, password)),
        (
            migration_url_key(database),
            fill(migration_template, place, owner, &passwords.owner),
        ),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// Passwords are made of letters, digits, '-' and '_' only, so that they need no escaping in any of the forms.
fn fill(template: &str, place: &Place<'_>, user: &str, password: &str) -> String {
    template
        .replace("{host}", place.host)
        .replace("{port}", &place.port.to_string())
        .replace("{database}", place.database)
        .replace("{user}", user)
        .replace("{password}", password)
}
