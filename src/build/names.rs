//! Names of everything that an Environment owns. Each fits its kind's limit, because names of Environments have at most 30
//! characters and names of components at most 15.

use kube::ResourceExt;

use crate::api::Environment;

/// The slot that runs. `RollingUpdate` changes it in place.
pub const ACTIVE_SLOT: &str = "a";

/// A component's workload and Service in a slot.
#[must_use]
pub fn slot(environment: &str, component: &str, slot: &str) -> String {
    format!("{environment}-{component}-{slot}")
}

/// A component's stable Service, and its disruption budget.
#[must_use]
pub fn component(environment: &str, component: &str) -> String {
    format!("{environment}-{component}")
}

/// A revision's ControllerRevision.
#[must_use]
pub fn revision(environment: &str, number: i64) -> String {
    format!("{environment}-{number}")
}

/// A revision's migration Job.
#[must_use]
pub fn migration(environment: &str, number: i64) -> String {
    format!("{}{number}", migration_prefix(environment))
}

/// The Job that fills the database of a revision.
#[must_use]
pub fn seed(environment: &str, number: i64) -> String {
    format!("{environment}-seed-{number}")
}

/// What the names of an Environment's migration Jobs begin with.
#[must_use]
pub fn migration_prefix(environment: &str) -> String {
    format!("{environment}-migrate-")
}

/// The copy of a ConfigMap with this content.
#[must_use]
pub fn config(environment: &str, content: &str) -> String {
    format!("{environment}-config-{content}")
}

/// A component's volume.
#[must_use]
pub fn volume(environment: &str, component: &str, volume: &str) -> String {
    format!("{environment}-{component}-{volume}")
}

/// The dedicated database: StatefulSet, Service, volume and credentials.
#[must_use]
pub fn postgres(environment: &str) -> String {
    format!("{environment}-postgres")
}

/// The passwords of a database on a shared server.
#[must_use]
pub fn credentials(environment: &str) -> String {
    format!("{environment}-credentials")
}

/// The passwords of a database that is made here.
#[must_use]
pub fn passwords(environment: &Environment) -> String {
    let database = environment.spec.database.as_ref();
    let shared = database.is_some_and(|database| database.server.is_some());
    let name = environment.name_any();
    if shared {
        credentials(&name)
    } else {
        postgres(&name)
    }
}

/// The binding Secret of a database that was made here.
#[must_use]
pub fn binding(environment: &str) -> String {
    format!("{environment}-database")
}

/// The binding Secret of an incarnation of a database.
#[must_use]
pub fn binding_of(environment: &str, incarnation: i64) -> String {
    nth(&binding(environment), '-', incarnation)
}

/// The incarnation whose binding Secret has this name.
#[must_use]
pub fn incarnation(environment: &str, secret: &str) -> Option<i64> {
    nth_of(&binding(environment), '-', secret)
}

/// The name of an incarnation: the first has the plain one.
#[must_use]
pub fn nth(first: &str, separator: char, incarnation: i64) -> String {
    match incarnation {
        0 => first.to_owned(),
        incarnation => format!("{first}{separator}{incarnation}"),
    }
}

/// The incarnation that has this name.
#[must_use]
pub fn nth_of(first: &str, separator: char, name: &str) -> Option<i64> {
    let rest = name.strip_prefix(first)?;
    if rest.is_empty() {
        return Some(0);
    }
    let number: i64 = rest.strip_prefix(separator)?.parse().ok()?;
    (number > 0 && nth(first, separator, number) == name).then_some(number)
}

/// The record of an external database.
#[must_use]
pub fn record(environment: &str) -> String {
    format!("{environment}-migrations")
}

/// The Service and the EndpointSlice by which requests to a preview that may sleep reach the activator.
#[must_use]
pub fn door(environment: &str) -> String {
    format!("{environment}-door")
}

/// The Lease that knows when a preview that may sleep was last asked for.
#[must_use]
pub fn activity(environment: &str) -> String {
    format!("{environment}-activity")
}

/// The network policy of a preview.
#[must_use]
pub fn policy(environment: &str) -> String {
    environment.to_owned()
}

/// The route of a host.
#[must_use]
pub fn route(environment: &str, host: &str) -> String {
    format!(
        "{environment}-{}",
        super::hash::of_bytes(host.as_bytes(), 8)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_known_by_its_name_and_by_no_other() {
        for incarnation in [0, 1, 12, i64::MAX] {
            let name = binding_of("shop", incarnation);
            assert_eq!(super::incarnation("shop", &name), Some(incarnation));
        }
        assert_eq!(binding_of("shop", 0), binding("shop"));
        for name in [
            "shop-database-",
            "shop-database-0",
            "shop-database-01",
            "shop-database-+1",
            "shop-database--1",
            "shop-database-x",
            "shop-databases",
            "shop",
        ] {
            assert_eq!(super::incarnation("shop", name), None, "{name}");
        }
    }
}
