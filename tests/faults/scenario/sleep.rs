//! Previews that sleep, and are woken.

use super::*;

/// The Service of the activator.
pub const ACTIVATOR: &str = "towpath-activator";
/// Longer than any run takes to come to rest.
const AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Nobody asks for a preview with a database of its own: its pods go, and then the database's. A request brings the database
/// back, and then the pods.
pub const SLEEP: Scenario = at_rest("sleep", || sleeping(dedicated_of_its_own()), nobody_asks);

/// Nobody asks for a preview with a database on a shared server, and then somebody does: nothing is asked of the server.
pub const SLEEP_ON_A_SHARED_SERVER: Scenario = at_rest(
    "sleep-shared",
    || sleeping(on_a_shared_server()),
    nobody_asks,
);

/// Nobody asks for it, until it sleeps; then somebody does.
fn nobody_asks() -> Vec<(When, Act)> {
    vec![
        (When::Now, Act::Wait(AFTER)),
        (When::Asleep("Preview", "shop"), Act::Ask("shop-activity")),
    ]
}

fn dedicated_of_its_own() -> Value {
    json!({"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}})
}

fn on_a_shared_server() -> Value {
    json!({"provider": "Server", "server": {"name": "previews"}})
}

/// A pull request whose preview sleeps when nobody has asked for it for an hour.
fn sleeping(database: Value) -> Vec<(&'static str, Value)> {
    let mut objects = with_database();
    for (kind, object) in &mut objects {
        if *kind == "App" {
            object["spec"]["preview"]["sleepAfterSeconds"] = json!(AFTER.as_secs());
            object["spec"]["preview"]["database"] = database.clone();
        }
    }
    objects.insert(0, ("EndpointSlice", activator()));
    objects
}

/// The pods of the activator.
fn activator() -> Value {
    json!({
        "metadata": {"name": ACTIVATOR, "labels": {"kubernetes.io/service-name": ACTIVATOR}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.7"]}],
        "ports": [{"name": "http", "port": 8090}],
    })
}
