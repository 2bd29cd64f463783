//! A database on a shared server: its names, made of the Environment's uid alone, and the Secret of its passwords.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::metadata::Of;
use super::{hash, names};
use crate::api::{Environment, labels};

/// Keys of the credentials Secret.
pub const PASSWORDS: [&str; 2] = ["owner", "app"];

const PREFIX: &str = "towpath_";
const OWNER: &str = "_owner";
const APP: &str = "_app";
/// Digits of a uid.
const DIGITS: usize = 32;

/// Name of the database that is made for an object of this uid.
#[must_use]
pub fn database(uid: &str) -> String {
    let plain = uid.replace('-', "");
    let digits = Some(plain).filter(|plain| is_hex(plain));
    let digits = digits.unwrap_or_else(|| hash::of_bytes(uid.as_bytes(), DIGITS));
    format!("{PREFIX}{digits}")
}

/// The role that owns the schema of a database.
#[must_use]
pub fn owner(database: &str) -> String {
    format!("{database}{OWNER}")
}

/// The role that reads and writes in a database.
#[must_use]
pub fn app(database: &str) -> String {
    format!("{database}{APP}")
}

/// Whether a database of this name can have been made for some object: nothing else is ever taken for one.
#[must_use]
pub fn is_database(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(is_hex)
}

/// Whether it can be one of the databases of some object.
fn is_incarnation(name: &str) -> bool {
    let first = name.get(..PREFIX.len() + DIGITS).unwrap_or_default();
    is_database(first) && names::nth_of(first, '_', name).is_some()
}

/// Whether a database or a role of this name can have been made for some object.
#[must_use]
pub fn is_made(name: &str) -> bool {
    let database = name.strip_suffix(OWNER).or_else(|| name.strip_suffix(APP));
    database.map_or_else(|| is_incarnation(name), is_database)
}

fn is_hex(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == DIGITS && text.bytes().all(digit)
}

/// The Secret of the passwords, still without them. It says which database they are of.
#[must_use]
pub fn credentials(environment: &Environment, database: &str) -> Secret {
    let name = names::credentials(&environment.name_any());
    let mut metadata = Of::environment(environment).data(name);
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "credentials".to_owned());
    metadata.annotations = Some(BTreeMap::from([(
        labels::DATABASE.to_owned(),
        database.to_owned(),
    )]));
    Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_the_uid_alone_and_are_known_again() {
        let database = database("0b51e9b2-5d6c-4c0e-9f0a-3f6e0c2b7a11");
        assert_eq!(database, "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11");
        let twelfth = names::nth(&database, '_', 12);
        for name in [database.clone(), twelfth, owner(&database), app(&database)] {
            assert!(is_made(&name) && name.len() <= 63, "{name}");
        }
        assert!(is_database(&super::database("not a uuid")));
        for name in [
            "",
            "postgres",
            "towpath_",
            "towpath_shop",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a1",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a1G",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11_other",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11_0",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11_1_app",
            "towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11_app_app",
            "x_towpath_0b51e9b25d6c4c0e9f0a3f6e0c2b7a11",
        ] {
            assert!(!is_made(name), "{name}");
        }
        assert!(!is_database(&owner(&database)));
    }
}
