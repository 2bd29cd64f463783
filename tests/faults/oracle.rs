//! What every run must come to alike, and what must never be.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use serde_json::{Value, json};

use crate::database::Data;
use crate::run::Inner;
use crate::store::{Store, list, noted, text};

const SECRETS: &str = "towpath.dev/secrets";
// What a Git host was told says when the preview expires.
const TIMES: [&str; 6] = [
    "towpath.dev/announced",
    "towpath.dev/pushed",
    "towpath.dev/entered",
    "towpath.dev/verified",
    "towpath.dev/given-up-at",
    "towpath.dev/secrets-restarted-at",
];

/// The end of a run, in words that are the same in every run that went as it should.
pub fn end(namespace: &str, start: &Store, inner: &Inner) -> String {
    let (store, data) = (&inner.store, &inner.data);
    let passwords = passwords(store);
    let mut text = String::new();
    for (key, object) in store.objects() {
        if key.0 == "Pod" {
            continue;
        }
        let old = start.get(key.0, &key.1);
        let object = masked(object.clone(), old, &passwords);
        let shown = serde_json::to_string_pretty(&object).expect("JSON");
        let shown = said(&shown, namespace, store);
        let _ = writeln!(text, "== {} {}\n{shown}", key.0, key.1);
    }
    let _ = writeln!(text, "== made and deleted");
    for (key, count) in &store.counts {
        let before = start.counts.get(key).copied().unwrap_or_default();
        let (made, deleted) = (count.made - before.made, count.deleted - before.deleted);
        if (made, deleted) != (0, 0) {
            let _ = writeln!(text, "{} {}: +{made} -{deleted}", key.0, key.1);
        }
    }
    let _ = writeln!(text, "== record");
    for entry in data.servers.all().flat_map(|server| &server.record) {
        let line = format!("{} {} {}", entry.key, entry.revision, entry.outcome);
        let _ = writeln!(text, "{}", said(&line, namespace, store));
    }
    let _ = writeln!(text, "== databases on shared servers");
    for (name, comment) in data.servers.shared.comments() {
        let whose = said(&format!("{name}: {comment}"), namespace, store);
        let _ = writeln!(text, "{whose}");
    }
    let _ = writeln!(text, "== shown by the Git host");
    for line in inner.shown.lines() {
        let _ = writeln!(text, "{}", said(&line, namespace, store));
    }
    let _ = writeln!(text, "== migrations that ran: {}", data.schema.join(", "));
    text
}

/// Uids as the names of who has them, pods as what they are of, and the namespace as one.
fn said(text: &str, namespace: &str, store: &Store) -> String {
    let named = store.uids.iter().chain(&store.pods);
    // Names of databases hold a uid without its dashes.
    let named = named.fold(text.to_owned(), |text, (uid, name)| {
        text.replace(uid, name).replace(&uid.replace('-', ""), name)
    });
    named.replace(namespace, "NAMESPACE")
}

/// An object without what differs from run to run.
fn masked(mut object: Value, old: Option<&Value>, passwords: &BTreeMap<String, String>) -> Value {
    let conditions = conditions(&object);
    let kind = text(&object, "/kind").to_owned();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if matches!(kind.as_str(), "Environment" | "Preview") {
            map.insert("conditions".to_owned(), conditions);
        }
    }
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in [
        "managedFields",
        "resourceVersion",
        "creationTimestamp",
        "uid",
    ] {
        metadata.remove(field);
    }
    for pointer in [
        "/metadata/annotations",
        "/spec/template/metadata/annotations",
    ] {
        let before = old.map(|old| noted(old, pointer, SECRETS).to_owned());
        let annotations = object.pointer_mut(pointer).and_then(Value::as_object_mut);
        for (key, value) in annotations.into_iter().flatten() {
            if TIMES.contains(&key.as_str()) {
                *value = json!("a time");
            }
            if key == SECRETS {
                // Each namespace has another hash: what counts is whether it is another than before.
                let same = before.as_deref() == value.as_str();
                *value = json!(if same { "as before" } else { "new" });
            }
        }
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        if let Some(renewed) = spec.get_mut("renewTime") {
            *renewed = json!("a time");
        }
    }
    if kind == "Secret" {
        for value in object["data"].as_object_mut().into_iter().flatten() {
            let plain = decoded(value.1);
            let known = passwords.iter();
            let shown = known.fold(plain, |text, (password, name)| text.replace(password, name));
            *value.1 = json!(shown);
        }
    }
    if let Some(entries) = object.pointer_mut("/data/entries") {
        let text = entries.as_str().unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let mut line: Value = serde_json::from_str(line).ok()?;
            line["finished"] = json!("a time");
            Some(line.to_string())
        });
        *entries = json!(lines.collect::<Vec<_>>().join("\n"));
    }
    object
}

/// The status is apart, but what it says in the end is not.
fn conditions(object: &Value) -> Value {
    let conditions = list(object, "/status/conditions").iter();
    let said = conditions.map(|condition| {
        let (type_, status) = (text(condition, "/type"), text(condition, "/status"));
        format!("{type_}={status} {}", text(condition, "/reason"))
    });
    said.collect()
}

/// The passwords that were made up, each with its name.
fn passwords(store: &Store) -> BTreeMap<String, String> {
    let credentials = store
        .all("Secret")
        .filter(|secret| noted(secret, "/metadata/labels", "towpath.dev/purpose") == "credentials");
    let all = credentials.flat_map(|secret| secret["data"].as_object().into_iter().flatten());
    all.map(|(key, value)| (decoded(value), format!("<{key}>")))
        .collect()
}

fn decoded(value: &Value) -> String {
    let engine = base64::engine::general_purpose::STANDARD;
    let bytes = engine.decode(value.as_str().unwrap_or_default());
    String::from_utf8_lossy(&bytes.expect("base64")).into_owned()
}

/// What must never be, at no moment.
pub fn broken(store: &Store, data: &Data) -> Vec<String> {
    let mut broken = Vec::new();
    let migrating = store.all("Pod").filter(|pod| {
        noted(pod, "/metadata/labels", "towpath.dev/purpose") == "migration"
            && matches!(text(pod, "/status/phase"), "Pending" | "Running")
    });
    let migrating: Vec<&str> = migrating.map(|pod| text(pod, "/metadata/name")).collect();
    if migrating.len() > 1 {
        broken.push(format!("migrations run at the same time: {migrating:?}"));
    }
    for pod in store.all("Pod") {
        let template = noted(pod, "/metadata/labels", "towpath.dev/template");
        let component = noted(pod, "/metadata/labels", "towpath.dev/component");
        if component.is_empty() || noted(pod, "/metadata/labels", "towpath.dev/slot").is_empty() {
            continue;
        }
        let mut revisions = store.all("ControllerRevision").filter(|revision| {
            let mut components = list(revision, "/data/components").iter();
            components
                .any(|known| text(known, "/name") == component && text(known, "/hash") == template)
        });
        let owner = text(pod, "/metadata/ownerReferences/0/name");
        // Whoever is on the way out with everything else has nothing to prove.
        if store.get("Deployment", owner).is_none() || store.all("Environment").next().is_none() {
            continue;
        }
        if !revisions.any(|revision| is_migrated(store, data, revision)) {
            let name = text(pod, "/metadata/name");
            broken.push(format!("pod {name} runs before its migration is recorded"));
        }
    }
    broken
}

fn is_migrated(store: &Store, data: &Data, revision: &Value) -> bool {
    let Some(key) = revision
        .pointer("/data/migration/key")
        .and_then(Value::as_str)
    else {
        return true;
    };
    let mut rows = data.servers.all().flat_map(|server| &server.record);
    let beside = rows.any(|entry| entry.key == key);
    let mut external = store.all("ConfigMap").filter(|map| {
        let entries = text(map, "/data/entries").lines();
        let mut keys = entries.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        keys.any(|entry| text(&entry, "/key") == key && text(&entry, "/outcome") == "Succeeded")
    });
    beside || external.next().is_some()
}
