//! What a field manager applied of an object, as `managedFields` remember it.

use serde_json::{Map, Value};

use super::store::value;
use crate::caches::Kept;

/// The part of an object that this manager applied last; `None` where it applied nothing.
pub(super) fn by<K: Kept>(manager: &str, object: &K) -> Option<Value> {
    let entries = object.meta().managed_fields.as_ref()?;
    let entry = entries.iter().find(|entry| {
        let applied = entry.operation.as_deref() == Some("Apply");
        applied && entry.subresource.is_none() && entry.manager.as_deref() == Some(manager)
    })?;
    part(&value(object), &entry.fields_v1.as_ref()?.0)
}

/// The part of a value that a set of fields names: `f:` a member, `k:` an item by its keys, `v:` an item by its value.
fn part(value: &Value, fields: &Value) -> Option<Value> {
    let fields = fields.as_object()?;
    if fields.is_empty() {
        return Some(value.clone());
    }
    match value {
        Value::Object(members) => Some(Value::Object(named(members, fields))),
        Value::Array(items) => Some(
            items
                .iter()
                .filter_map(|item| of_item(item, fields))
                .collect(),
        ),
        other => Some(other.clone()),
    }
}

fn named(members: &Map<String, Value>, fields: &Map<String, Value>) -> Map<String, Value> {
    let known = fields.iter().filter_map(|(field, inner)| {
        let name = field.strip_prefix("f:")?;
        Some((name.to_owned(), part(members.get(name)?, inner)?))
    });
    known.collect()
}

fn of_item(item: &Value, fields: &Map<String, Value>) -> Option<Value> {
    fields.iter().find_map(|(field, inner)| {
        if let Some(keys) = field.strip_prefix("k:") {
            let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
            let fits = keys.iter().all(|(key, value)| item.get(key) == Some(value));
            return fits.then(|| part(item, inner))?;
        }
        let text = field.strip_prefix("v:")?;
        let value: Value = serde_json::from_str(text).ok()?;
        (value == *item).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_manager_applied_is_its_part() {
        let live = json!({
            "metadata": {"labels": {"ours": "1", "theirs": "2"}},
            "spec": {"replicas": 3, "containers": [{"name": "web", "image": "a", "tty": true}, {"name": "sidecar"}],
                "finalizers": ["ours", "theirs"]},
        });
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:ours": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}}},
                "f:finalizers": {"v:\"ours\"": {}},
                "f:gone": {},
            },
        });
        let expected = json!({
            "metadata": {"labels": {"ours": "1"}},
            "spec": {"containers": [{"name": "web", "image": "a"}], "finalizers": ["ours"]},
        });
        assert_eq!(part(&live, &fields), Some(expected));
    }
}
