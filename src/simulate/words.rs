//! Steps of a plan in words, one line each: what is done to which object, and what changes about it.

use kube::ResourceExt;
use serde_json::Value;

use super::store::value;
use crate::api::labels;
use crate::caches::Kept;
use crate::plan::announcement::Piece;
use crate::plan::{Action, Change, Fact, Step};
use crate::seen::{Hidden, SeenEnvironment};

/// What a step over a Preview does, in a line.
#[must_use]
pub fn of_preview(step: &Step) -> String {
    match &step.action {
        Action::Note(Fact {
            name, annotations, ..
        }) => format!("note on Preview {name}{}", facts(annotations.keys())),
        Action::Environment(change) => {
            let verb = change.live.as_ref().map_or("make", |_| "change");
            format!("{verb} Environment {}", change.object.name_any())
        }
        Action::Preview(change) => {
            let verb = change.live.as_ref().map_or("make", |_| "change");
            format!("{verb} Preview {}", change.object.name_any())
        }
        Action::Announce(announcement) => {
            let pieces = announcement.pieces.iter().map(Piece::name);
            let pieces: Vec<_> = pieces.collect();
            format!("tell the Git host: {}", pieces.join(", "))
        }
        Action::Hold {
            kind, finalizers, ..
        } => held(kind, finalizers),
        action => action.key().map_or_else(String::new, |key| {
            format!("delete {} {}", key.kind, key.name)
        }),
    }
}

/// What a step does, in a line.
#[must_use]
pub fn step(step: &Step, seen: &SeenEnvironment) -> String {
    let children = &seen.children;
    match &step.action {
        Action::Decide(object) => {
            let facts = facts(object.annotations().keys());
            format!("decide ControllerRevision {}{facts}", object.name_any())
        }
        Action::Note(_) | Action::Environment(_) | Action::Preview(_) | Action::Announce(_) => {
            of_preview(step)
        }
        Action::Record(Fact {
            name, annotations, ..
        }) => {
            format!(
                "record on ControllerRevision {name}{}",
                facts(annotations.keys())
            )
        }
        Action::Copy(map) => format!("copy to ConfigMap {}", map.name_any()),
        Action::Migrate(job) => {
            let key = job
                .annotations()
                .get(crate::build::job::KEY)
                .map_or("", String::as_str);
            let does = match crate::plan::seed::is_key(key) {
                true => "fill the new database".to_owned(),
                false => format!("migrate to '{key}'"),
            };
            format!("post Job {}: {does}", job.name_any())
        }
        Action::Invent { secret, generate } => {
            format!(
                "invent Secret {}: {}",
                secret.name_any(),
                generate.join(", ")
            )
        }
        Action::Deployment(change) => {
            let name = change.object.name_any();
            deployment(
                change,
                children.deployments.get(&name).map(AsRef::as_ref),
                seen,
            )
        }
        Action::StatefulSet(change) => apply(change, &children.stateful_sets),
        Action::Service(change) => apply(change, &children.services),
        Action::NetworkPolicy(change) => apply(change, &children.network_policies),
        Action::EndpointSlice(change) => apply(change, &children.endpoint_slices),
        Action::Lease(change) => apply(change, &children.leases),
        Action::Budget(change) => apply(change, &children.budgets),
        Action::HttpRoute(change) => apply(change, &children.http_routes),
        Action::Ingress(change) => apply(change, &children.ingresses),
        Action::Volume(change) => apply(change, &children.volumes),
        Action::ConfigMap(change) => apply(change, &children.config_maps),
        Action::Binding(Hidden(change)) => {
            let live = children.secrets.get(&change.object.name_any());
            let keys = change.object.data.iter().flatten().count();
            let new = if live.is_none() { " (new)" } else { "" };
            format!(
                "apply Secret {}{new}: {keys} keys",
                change.object.name_any()
            )
        }
        Action::Own { key, owners, .. } => {
            let owner = owners.first().map_or("nobody", |owner| owner.name.as_str());
            format!("own {} {}: by {owner}", key.kind, key.name)
        }
        Action::Provide(_, wanted) => {
            let roles = [&wanted.owner, &wanted.app].map(|role| role.name.as_str());
            format!(
                "provide database '{}' with roles {}",
                wanted.database.as_str(),
                roles.join(", ")
            )
        }
        Action::Drop(_, unwanted) => match &unwanted.only {
            None => format!(
                "drop database '{}' with its roles",
                unwanted.family.as_str()
            ),
            Some(only) => {
                let names: Vec<_> = only.iter().map(|name| name.as_str()).collect();
                format!("drop database '{}', which nothing uses", names.join("', '"))
            }
        },
        Action::Hold {
            kind, finalizers, ..
        } => held(kind, finalizers),
        Action::Enter(_, entry) => {
            format!(
                "enter '{}' into the database's record: {:?}",
                entry.key, entry.outcome
            )
        }
        Action::Delete { key, .. } => format!("delete {} {}", key.kind, key.name),
    }
}

fn held(kind: &str, finalizers: &[String]) -> String {
    match finalizers.is_empty() {
        true => format!("let the {kind} go"),
        false => format!("hold the {kind} by {}", finalizers.join(", ")),
    }
}

fn facts<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    let names = keys
        // The time goes with the reason, which is told.
        .filter(|key| ![labels::CONTENT, labels::GIVEN_UP_AT].contains(&key.as_str()))
        .filter_map(|key| key.split('/').nth(1));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    }
}

fn apply<K: Kept>(
    change: &Change<K>,
    live: &std::collections::BTreeMap<String, std::sync::Arc<K>>,
) -> String {
    let name = change.object.name_any();
    said(change, live.get(&name).map(AsRef::as_ref), &mut |_| None)
}

fn deployment(
    change: &Change<k8s_openapi::api::apps::v1::Deployment>,
    live: Option<&k8s_openapi::api::apps::v1::Deployment>,
    seen: &SeenEnvironment,
) -> String {
    let hash = change
        .object
        .labels()
        .get(labels::TEMPLATE)
        .cloned()
        .unwrap_or_default();
    let same = live.and_then(|live| live.labels().get(labels::TEMPLATE)) == Some(&hash);
    let secrets = format!("/spec/template/metadata/annotations/{}", labels::SECRETS);
    said(change, live, &mut |path| {
        let template = path.starts_with("/spec/template") || path.ends_with(labels::TEMPLATE);
        match path {
            path if path == secrets && same => Some("hash of Secrets".to_owned()),
            _ if template && !same => Some(of_revision(&hash, seen)),
            path if path.ends_with(labels::SECRETS_RESTARTED) => Some(String::new()),
            _ => None,
        }
    })
}

/// Which revision a template was made for first.
fn of_revision(hash: &str, seen: &SeenEnvironment) -> String {
    let mut revisions = seen.revisions.iter();
    let known = revisions
        .find(|revision| {
            revision
                .decided
                .components
                .iter()
                .any(|component| component.hash == hash)
        })
        .map(|revision| revision.number);
    match known {
        Some(number) => format!("pod template of revision {number}"),
        None => "pod template of the new revision".to_owned(),
    }
}

/// The line of an apply.
fn said<K: Kept>(
    change: &Change<K>,
    live: Option<&K>,
    rename: &mut dyn FnMut(&str) -> Option<String>,
) -> String {
    let (kind, name) = (K::kind(&()), change.object.name_any());
    let Some(live) = live else {
        return format!("apply {kind} {name} (new)");
    };
    format!(
        "apply {kind} {name}: {}",
        changes(change, live, rename).join(", ")
    )
}

/// What an apply changes about what is there: what `rename` does not call otherwise is called by its path.
pub fn changes<K: Kept>(
    change: &Change<K>,
    live: &K,
    rename: &mut dyn FnMut(&str) -> Option<String>,
) -> Vec<String> {
    let mut paths = Vec::new();
    differences(&value(&*change.object), &value(live), "", &mut paths);
    let mut parts: Vec<String> = Vec::new();
    for (path, words) in paths {
        let part = rename(&path).unwrap_or_else(|| {
            format!(
                "{}: {words}",
                path.trim_start_matches('/').replace('/', ".")
            )
        });
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    if plain_owners(&*change.object) != plain_owners(live) {
        parts.retain(|part| !part.starts_with("metadata.ownerReferences"));
        parts.push("its owners".to_owned());
    }
    let foreign = change
        .live
        .as_ref()
        .map(|live| live.foreign.as_slice())
        .unwrap_or_default();
    let places = foreign
        .iter()
        .filter_map(|addition| addition.split_once(' '))
        .map(|(_, path)| format!("without {path}"));
    parts.extend(places);
    parts
}

fn plain_owners<K: Kept>(object: &K) -> Vec<&str> {
    let owners = object.owner_references().iter();
    owners.map(|owner| owner.uid.as_str()).collect()
}

/// Where what is wanted differs from what is there, with the old and the new value.
fn differences(wanted: &Value, present: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let identity = [
        "/metadata/uid",
        "/metadata/resourceVersion",
        "/apiVersion",
        "/kind",
    ];
    if identity.contains(&path) {
        return;
    }
    match (wanted, present) {
        (Value::Object(wanted), Value::Object(present)) => {
            for (key, wanted) in wanted {
                let present = present.get(key).unwrap_or(&Value::Null);
                differences(wanted, present, &format!("{path}/{key}"), found);
            }
        }
        (Value::Array(wanted), Value::Array(present)) if wanted.len() == present.len() => {
            for (index, (wanted, present)) in wanted.iter().zip(present).enumerate() {
                differences(wanted, present, &format!("{path}/{index}"), found);
            }
        }
        (wanted, present) if wanted == present => {}
        (wanted, present) => found.push((
            path.to_owned(),
            format!("{} -> {}", brief(present), brief(wanted)),
        )),
    }
}

/// A value in a few words.
pub fn brief(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.len() > 40 => {
            format!("{}...", text.chars().take(37).collect::<String>())
        }
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => "...".to_owned(),
        other => other.to_string(),
    }
}
