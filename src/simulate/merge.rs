//! How server-side apply and merge patches change a JSON value.

use serde_json::{Map, Value};

/// The live object after an apply: what the manager applied `last` and does not want now goes, what it wants is set, what
/// others added stays.
#[must_use]
pub fn apply(live: Value, last: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => Value::Object(maps(live, last, wanted)),
        (Value::Array(live), Value::Array(wanted)) if is_keyed(wanted) || is_keyed(&live) => {
            Value::Array(lists(live, last, wanted))
        }
        (_, wanted) => wanted.clone(),
    }
}

fn maps(
    mut live: Map<String, Value>,
    last: &Value,
    wanted: &Map<String, Value>,
) -> Map<String, Value> {
    for (key, last) in last.as_object().into_iter().flatten() {
        if !wanted.contains_key(key) {
            let left = live.remove(key).and_then(|present| without(present, last));
            live.extend(left.map(|left| (key.clone(), left)));
        }
    }
    for (key, wanted) in wanted {
        let last = last.get(key).unwrap_or(&Value::Null);
        let present = live.remove(key).unwrap_or(Value::Null);
        live.insert(key.clone(), apply(present, last, wanted));
    }
    live
}

/// Lists that Kubernetes merges by a key: the manager's items in its order, then those that others added.
fn lists(live: Vec<Value>, last: &Value, wanted: &[Value]) -> Vec<Value> {
    let empty = Vec::new();
    let last = last.as_array().unwrap_or(&empty);
    let find = |list: &[Value], key: &str| list.iter().find(|item| key_of(item) == key).cloned();
    let mut merged: Vec<Value> = wanted
        .iter()
        .map(|item| {
            let key = key_of(item);
            let present = find(&live, &key).unwrap_or(Value::Null);
            apply(present, &find(last, &key).unwrap_or(Value::Null), item)
        })
        .collect();
    let foreign = live.into_iter().filter(|item| {
        let key = key_of(item);
        find(wanted, &key).is_none() && find(last, &key).is_none()
    });
    merged.extend(foreign);
    merged
}

/// What is left of a value when everything that was applied is taken away.
fn without(present: Value, applied: &Value) -> Option<Value> {
    let (Value::Object(present), Value::Object(applied)) = (present, applied) else {
        return None;
    };
    let mut left = Map::new();
    for (key, present) in present {
        let kept = match applied.get(&key) {
            Some(applied) => without(present, applied),
            None => Some(present),
        };
        left.extend(kept.map(|kept| (key, kept)));
    }
    (!left.is_empty()).then_some(Value::Object(left))
}

fn is_keyed(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|item| !key_of(item).is_empty())
}

/// What names an item of a list, where Kubernetes merges lists by a key.
fn key_of(item: &Value) -> String {
    let keys = [
        "mountPath",
        "name",
        "containerPort",
        "port",
        "topologyKey",
        "uid",
    ];
    keys.iter()
        .find_map(|key| item.get(*key))
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// A merge patch (RFC 7396); null removes.
#[must_use]
pub fn patch(live: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut live = match live {
        Value::Object(live) => live,
        _ => Map::new(),
    };
    for (key, change) in patch {
        let present = live.remove(key).unwrap_or(Value::Null);
        if !change.is_null() {
            live.insert(key.clone(), self::patch(present, change));
        }
    }
    Value::Object(live)
}

/// Sets members of maps as a whole, one level below the ones named; null sets nothing.
pub fn set(target: &mut Value, values: &Value) {
    let (Some(target), Some(values)) = (target.as_object_mut(), values.as_object()) else {
        return;
    };
    for (key, value) in values {
        match (target.get_mut(key), value) {
            (_, Value::Null) => {}
            (Some(known @ Value::Object(_)), Value::Object(_)) if key == "metadata" => {
                set(known, value);
            }
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_applied_any_more_goes_and_what_others_added_stays() {
        let live = json!({"a": 1, "b": {"ours": 1, "theirs": 2}, "c": 3});
        let last = json!({"a": 1, "b": {"ours": 1}});
        assert_eq!(
            apply(live, &last, &json!({"a": 2})),
            json!({"a": 2, "b": {"theirs": 2}, "c": 3})
        );
    }

    #[test]
    fn lists_are_merged_by_their_key() {
        let live = json!([{"name": "web", "image": "a"}, {"name": "sidecar"}, {"name": "old"}]);
        let last = json!([{"name": "web", "image": "a"}, {"name": "old"}]);
        let wanted = json!([{"name": "web", "image": "b"}]);
        assert_eq!(
            apply(live, &last, &wanted),
            json!([{"name": "web", "image": "b"}, {"name": "sidecar"}])
        );
        assert_eq!(
            apply(json!(["a"]), &json!(["a"]), &json!(["b"])),
            json!(["b"])
        );
    }

    #[test]
    fn a_merge_patch_removes_by_null() {
        let live = json!({"metadata": {"a": "1", "b": "2"}});
        let changed = patch(live, &json!({"metadata": {"a": null, "c": "3"}}));
        assert_eq!(changed, json!({"metadata": {"b": "2", "c": "3"}}));
    }
}
