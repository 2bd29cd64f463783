//! What an apiserver fills in.

use serde_json::{Value, json};

use super::store::{Store, Stored, value};

/// The object with the fields that the apiserver sets when nobody does.
pub(super) fn fill<K: Stored>(object: K, store: &Store) -> K {
    let mut filled = value(&object);
    match &*K::kind(&()) {
        "Service" => service(&mut filled, store),
        "StatefulSet" => stateful_set(&mut filled),
        "Job" => job(&mut filled),
        "PersistentVolumeClaim" => {
            default(&mut filled, "/spec", "storageClassName", json!("standard"))
        }
        _ => return object,
    }
    serde_json::from_value(filled).unwrap_or(object)
}

fn default(object: &mut Value, place: &str, key: &str, value: Value) {
    if let Some(place) = object.pointer_mut(place).and_then(Value::as_object_mut) {
        place.entry(key).or_insert(value);
    }
}

fn service(service: &mut Value, store: &Store) {
    // A name keeps its address as long as the store counts upwards.
    let address = format!(
        "10.96.{}.{}",
        store.version / 250 % 250,
        store.version % 250 + 1
    );
    default(service, "/spec", "clusterIP", json!(address));
    let address = service.pointer("/spec/clusterIP").cloned();
    default(service, "/spec", "clusterIPs", json!([address]));
    default(service, "/spec", "ipFamilies", json!(["IPv4"]));
    default(service, "/spec", "ipFamilyPolicy", json!("SingleStack"));
}

fn stateful_set(set: &mut Value) {
    default(
        set,
        "/spec/updateStrategy",
        "rollingUpdate",
        json!({"partition": 0}),
    );
    let retain = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    default(set, "/spec", "persistentVolumeClaimRetentionPolicy", retain);
}

fn job(job: &mut Value) {
    for (key, value) in [
        ("completions", json!(1)),
        ("parallelism", json!(1)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("manualSelector", json!(false)),
    ] {
        default(job, "/spec", key, value);
    }
}
