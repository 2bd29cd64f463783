//! Compares what shall be with what is there, so that nothing is sent to find out.

use std::collections::BTreeSet;

use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value};

use super::action::{Change, Live};
use crate::api::labels;
use crate::seen::addition;

/// Which parts of a kind are compared both ways: what others add there is removed.
#[derive(Clone, Copy, Debug)]
pub enum Guarded {
    /// Nothing: what others add is theirs.
    Nothing,
    /// The pod template.
    Template,
    /// Selector and ports of a Service.
    Service,
    /// All of a network policy.
    Policy,
}

/// Lists of endpoints and of routes, which an apply replaces as a whole: an item more is an address, a host or a path that nobody wants any more. The
/// annotation goes with the class of an Ingress, when the configuration names none any more.
const WHOLE: [&str; 5] = [
    "/endpoints",
    "/spec/parentRefs",
    "/spec/hostnames",
    "/spec/rules",
    "/metadata/annotations/towpath.dev~1ingress-class",
];

/// The change that brings what is there to what shall be; `None` when it is there already.
///
/// Additions of others that are `left` alone came back right after they were removed: nobody gains from a fight.
pub fn change<K>(
    object: K,
    live: Option<&K>,
    guarded: Guarded,
    left: &BTreeSet<String>,
) -> Option<Change<K>>
where
    K: Serialize + kube::Resource<DynamicType = ()>,
{
    let Some(live) = live else {
        return Some(Change {
            object: Box::new(object),
            live: None,
        });
    };
    let (wanted, present) = (value(&object), value(live));
    let (kind, name) = (K::kind(&()), live.meta().name.clone().unwrap_or_default());
    let mut foreign: Vec<String> = additions(&wanted, &present, guarded)
        .iter()
        .map(|path| addition(&kind, &name, path))
        .collect();
    foreign.retain(|path| !left.contains(path));
    let same = covers(&wanted, &present, "")
        && extras_at(&WHOLE, &wanted, &present).is_empty()
        && owned_alike(object.meta(), live.meta());
    if same && foreign.is_empty() {
        return None;
    }
    Some(Change {
        object: Box::new(object),
        live: Some(Live {
            uid: live.meta().uid.clone().unwrap_or_default(),
            resource_version: None,
            foreign,
        }),
    })
}

/// Whether everything wanted is present with the same value.
#[must_use]
pub fn covers(wanted: &Value, present: &Value, key: &str) -> bool {
    match (wanted, present) {
        (Value::Object(wanted), Value::Object(present)) => wanted
            .iter()
            .filter(|(key, _)| !is_identity(key))
            .all(|(key, wanted)| {
                is_empty(wanted)
                    || present
                        .get(key)
                        .is_some_and(|present| covers(wanted, present, key))
            }),
        (Value::Array(wanted), Value::Array(present)) => {
            wanted.len() <= present.len()
                && wanted.iter().enumerate().all(|(index, item)| {
                    partner(item, index, present).is_some_and(|present| covers(item, present, ""))
                })
        }
        (Value::String(wanted), Value::String(present)) => {
            wanted == present || (is_amount(key) && same_amount(wanted, present))
        }
        _ => wanted == present,
    }
}

/// What stands in the guarded parts and was not rendered, as paths.
fn additions(wanted: &Value, present: &Value, guarded: Guarded) -> Vec<String> {
    let pointers: &[&str] = match guarded {
        Guarded::Nothing => &[],
        Guarded::Template => &["/spec/template"],
        Guarded::Service => &["/spec/selector", "/spec/ports"],
        Guarded::Policy => &["/spec"],
    };
    extras_at(pointers, wanted, present)
}

fn extras_at(pointers: &[&str], wanted: &Value, present: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for pointer in pointers {
        let empty = Value::Null;
        let wanted = wanted.pointer(pointer).unwrap_or(&empty);
        if let Some(present) = present.pointer(pointer) {
            extras(wanted, present, pointer, &mut found);
        }
    }
    found
}

fn extras(wanted: &Value, present: &Value, path: &str, found: &mut Vec<String>) {
    match (wanted, present) {
        (_, present) if is_empty(present) || may_stay(path) => {}
        (wanted, Value::Object(present)) => {
            for (key, present) in present {
                let wanted = wanted.get(key).unwrap_or(&Value::Null);
                extras(wanted, present, &format!("{path}/{key}"), found);
            }
        }
        (wanted, Value::Array(present)) => {
            let wanted = wanted.as_array().map_or(&[] as &[Value], Vec::as_slice);
            for (index, item) in present.iter().enumerate() {
                let wanted = partner(item, index, wanted).unwrap_or(&Value::Null);
                extras(
                    wanted,
                    item,
                    &format!(
                        "{path}/{}",
                        name_of(item).unwrap_or_else(|| index.to_string())
                    ),
                    found,
                );
            }
        }
        (Value::Null, _) => found.push(path.to_owned()),
        _ => {}
    }
}

/// What others may leave on a pod template; the guide lists it.
fn may_stay(path: &str) -> bool {
    path.ends_with(labels::RESTARTED_AT)
        || path.ends_with("/creationTimestamp")
        || path.ends_with("/nodePort")
}

/// The item of a list that the other list's item means: by its name, else by its place.
fn partner<'a>(item: &Value, index: usize, list: &'a [Value]) -> Option<&'a Value> {
    match name_of(item) {
        Some(name) => list
            .iter()
            .find(|other| name_of(other).as_ref() == Some(&name)),
        None => list.get(index),
    }
}

/// What names an item of a list, in the lists that Kubernetes merges by a key.
fn name_of(item: &Value) -> Option<String> {
    let item: &Map<String, Value> = item.as_object()?;
    if item.contains_key("mountPath") {
        return item.get("mountPath").map(ToString::to_string);
    }
    ["name", "containerPort", "port", "topologyKey", "key", "uid"]
        .iter()
        .find_map(|key| {
            let value = item.get(*key)?;
            let name =
                (value.is_string() || value.is_number()).then(|| format!("{key}={value}"))?;
            // A port is another one for each protocol.
            Some(match item.get("protocol").and_then(Value::as_str) {
                None | Some("TCP") => name,
                Some(protocol) => format!("{name}/{protocol}"),
            })
        })
}

/// Fields by which an object is found, and which the apiserver fills.
fn is_identity(key: &str) -> bool {
    matches!(
        key,
        "resourceVersion" | "uid" | "creationTimestamp" | "managedFields" | "ownerReferences"
    )
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn is_amount(key: &str) -> bool {
    matches!(key, "cpu" | "memory" | "ephemeral-storage" | "storage")
}

/// The apiserver writes quantities its own way: `1000m` comes back as `1`.
#[must_use]
pub fn same_amount(one: &str, other: &str) -> bool {
    match (amount(one), amount(other)) {
        (Some(one), Some(other)) => {
            (one - other).abs() <= f64::EPSILON * one.abs().max(other.abs())
        }
        _ => false,
    }
}

/// A quantity as a number.
#[must_use]
pub fn amount(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    for (suffix, factor) in SUFFIXES {
        if let Some(number) = text.strip_suffix(suffix) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    text.parse().ok()
}

/// Data changes hands with the deletion policy; what others own beside us is theirs.
fn owned_alike(wanted: &ObjectMeta, present: &ObjectMeta) -> bool {
    let ours = |metadata: &ObjectMeta| {
        metadata
            .owner_references
            .iter()
            .flatten()
            .filter(|owner| {
                owner.kind == "Environment" && owner.api_version.starts_with(crate::api::GROUP)
            })
            .map(|owner| owner.uid.clone())
            .collect::<Vec<_>>()
    };
    ours(wanted) == ours(present)
}

fn value<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::http_route::HttpRoute;
    use crate::plan::traffic::Published;
    use k8s_openapi::api::networking::v1::Ingress;
    use serde_json::json;

    #[test]
    fn quantities_are_compared_as_amounts() {
        assert!(same_amount("1000m", "1"));
        assert!(same_amount("1Gi", "1024Mi"));
        assert!(!same_amount("1G", "1Gi"));
        assert!(!same_amount("x", "y"));
    }

    #[test]
    fn what_is_wanted_may_stand_among_more() {
        let wanted = json!({"a": 1, "list": [{"name": "x", "value": "1"}], "none": {}});
        let present = json!({"a": 1, "b": 2, "list": [{"name": "y"}, {"name": "x", "value": "1"}]});
        assert!(covers(&wanted, &present, ""));
        assert!(!covers(&json!({"a": 2}), &present, ""));
        assert!(!covers(&json!({"c": 2}), &present, ""));
    }

    #[test]
    fn a_path_or_a_listener_that_is_taken_out_of_a_route_is_a_change() {
        let route = |section: Option<&str>, paths: &[&str]| -> HttpRoute {
            let rules: Vec<_> = paths
                .iter()
                .map(|path| json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}]}))
                .collect();
            let parent = json!({"name": "public", "sectionName": section});
            serde_json::from_value(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
                "spec": {"parentRefs": [parent], "hostnames": ["shop.example.com"], "rules": rules},
            }))
            .unwrap()
        };
        let live = route(Some("https"), &["/api", "/"]);
        let differs = |wanted| change(wanted, Some(&live), Guarded::Nothing, &BTreeSet::new());
        assert!(differs(route(Some("https"), &["/api", "/"])).is_none());
        assert!(differs(route(Some("https"), &["/api"])).is_some());
        assert!(differs(route(None, &["/api", "/"])).is_some());
    }

    #[test]
    fn a_path_that_is_taken_out_of_an_ingress_is_a_change() {
        let ingress = |paths: &[&str]| -> Ingress {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| json!({"path": path, "pathType": "Prefix", "backend": {}}))
                .collect();
            let rules = json!([{"host": "shop.example.com", "http": {"paths": paths}}]);
            serde_json::from_value(json!({"metadata": {"name": "shop"}, "spec": {"rules": rules}}))
                .unwrap()
        };
        let mut live = ingress(&["/api", "/"]);
        let differs = |wanted, live: &Ingress| {
            change(wanted, Some(live), Guarded::Nothing, &BTreeSet::new()).is_some()
        };
        assert!(differs(ingress(&["/api"]), &live));
        // The cluster's default class is the apiserver's to write.
        live.spec.as_mut().unwrap().ingress_class_name = Some("nginx".to_owned());
        assert!(!differs(ingress(&["/api", "/"]), &live));
    }

    #[test]
    fn a_class_that_the_configuration_named_and_names_no_more_is_a_change() {
        let environment = serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "production", "uid": "1"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}},
        }))
        .unwrap();
        let published = Published {
            host: "shop.example.com".to_owned(),
            routes: Vec::new(),
        };
        let ingress = |class| crate::build::ingress::host(&environment, class, &published);
        let differs = |wanted, live: &Ingress| {
            change(wanted, Some(live), Guarded::Nothing, &BTreeSet::new()).is_some()
        };
        let mut live = ingress(Some("nginx"));
        assert!(!differs(ingress(Some("nginx")), &live));
        assert!(differs(ingress(None), &live));
        assert!(differs(ingress(Some("traefik")), &live));
        // What others write beside it is theirs.
        let annotations = live.metadata.annotations.get_or_insert_default();
        annotations.insert("example.com/theirs".to_owned(), "x".to_owned());
        assert!(!differs(ingress(Some("nginx")), &live));
    }

    #[test]
    fn additions_to_a_template_are_found_by_their_path() {
        let wanted = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "a"}]}}}});
        let present = json!({"spec": {"template": {
            "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now", "evil": "yes"}},
            "spec": {"hostNetwork": true, "containers": [{"name": "web", "image": "b"}, {"name": "miner", "image": "m"}]}}}});
        let mut found = additions(&wanted, &present, Guarded::Template);
        found.sort();
        assert_eq!(
            found,
            [
                "/spec/template/metadata/annotations/evil",
                "/spec/template/spec/containers/name=\"miner\"/image",
                "/spec/template/spec/containers/name=\"miner\"/name",
                "/spec/template/spec/hostNetwork",
            ]
        );
    }
}
