//! How two pod templates differ, in the words of people: images as they were asked for, ConfigMaps by their own names, and of
//! variables their names alone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

use crate::api::labels;
use crate::revision::{Decided, short};
use crate::simulate::words::brief;

/// What a difference is about that comes from the content of a ConfigMap alone.
pub(super) const CONFIG_MAP: &str = "ConfigMap";

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    /// What it is about, such as `image` or `env`.
    pub(super) about: String,
    /// What differs.
    pub(super) words: String,
}

/// What resolved names were before they were resolved.
#[derive(Debug, Default)]
pub(super) struct Originals(BTreeMap<String, String>);

impl Originals {
    /// As these revisions know them.
    pub(super) fn of<'a>(revisions: impl IntoIterator<Item = &'a Decided>) -> Self {
        let mut names = BTreeMap::new();
        for decided in revisions {
            let images = decided.images.values();
            names.extend(
                images.map(|image| (image.resolved.clone(), short(&image.asked).to_owned())),
            );
            let configs = decided.configs.iter();
            names.extend(configs.map(|(original, copy)| (copy.clone(), original.clone())));
        }
        Self(names)
    }

    fn name<'a>(&'a self, resolved: &'a str) -> &'a str {
        self.0
            .get(resolved)
            .map_or_else(|| short(resolved), String::as_str)
    }
}

/// What differs from one template to another.
pub(super) fn differences(
    old: &PodTemplateSpec,
    new: &PodTemplateSpec,
    originals: &Originals,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let (old, new) = (json(old), json(new));
    let secrets = format!(
        "/metadata/annotations/{}",
        labels::SECRETS.replace('/', "~1")
    );
    if old.pointer(&secrets) != new.pointer(&secrets) && old.pointer(&secrets).is_some() {
        found.push(Difference::new("Secrets", "values of Secrets".to_owned()));
    }
    let container = |template: &Value| {
        let first = template.pointer("/spec/containers/0");
        first
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (mut before, mut after) = (container(&old), container(&new));
    let mut both =
        |key: &str| [&mut before, &mut after].map(|side| side.remove(key).unwrap_or_default());
    let [from, to] = both("image");
    found.extend(image(&from, &to, originals));
    for about in ["env", "envFrom"] {
        let [from, to] = both(about);
        found.extend(listed(about, &from, &to, originals));
    }
    for key in ["command", "args"] {
        if before.remove(key) != after.remove(key) {
            found.push(Difference::new(key, key.to_owned()));
        }
    }
    leaves("", &before.into(), &after.into(), &mut found);
    leaves("", &rest(&old), &rest(&new), &mut found);
    found
}

/// The contents of ConfigMaps that differ from one revision to another.
pub(super) fn configs(old: &Decided, new: &Decided) -> Vec<String> {
    let names: BTreeSet<&String> = old.configs.keys().chain(new.configs.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| old.configs.get(*name) != new.configs.get(*name));
    differ.cloned().collect()
}

impl Difference {
    fn new(about: &str, words: String) -> Self {
        Self {
            about: about.to_owned(),
            words,
        }
    }
}

fn image(old: &Value, new: &Value, originals: &Originals) -> Option<Difference> {
    let (old, new) = (
        old.as_str().unwrap_or_default(),
        new.as_str().unwrap_or_default(),
    );
    if old == new {
        return None;
    }
    let (from, to) = (originals.name(old), originals.name(new));
    let words = match from == to {
        true => format!("image {to}: another build under the same name"),
        false => format!("image {from} -> {to}"),
    };
    Some(Difference::new("image", words))
}

/// Variables or their sources: which are new, gone, or otherwise. Never their values.
fn listed(about: &str, old: &Value, new: &Value, originals: &Originals) -> Vec<Difference> {
    let (old, new) = (by_name(old, originals), by_name(new, originals));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    let said = differ.map(|name| {
        let how = match (old.get(name), new.get(name)) {
            (None, _) => "new",
            (_, None) => "gone",
            (old, new) if is_copied(old, new, originals) => {
                return Difference::new(
                    CONFIG_MAP,
                    format!("{about} {name}: content of its ConfigMap"),
                );
            }
            _ => "changed",
        };
        Difference::new(about, format!("{about} {name}: {how}"))
    });
    said.collect()
}

fn by_name(list: &Value, originals: &Originals) -> BTreeMap<String, Value> {
    let items = list.as_array().into_iter().flatten();
    let named = items.filter_map(|item| {
        let name = ["/name", "/configMapRef/name", "/secretRef/name"]
            .iter()
            .find_map(|pointer| item.pointer(pointer)?.as_str())?;
        Some((
            originals
                .0
                .get(name)
                .map_or(name, String::as_str)
                .to_owned(),
            item.clone(),
        ))
    });
    named.collect()
}

/// Whether two variables differ only in the copy of a ConfigMap that they are read from.
fn is_copied(old: Option<&Value>, new: Option<&Value>, originals: &Originals) -> bool {
    let plain = |item: Option<&Value>| item.map(|item| original(item, originals));
    plain(old) == plain(new)
}

fn original(value: &Value, originals: &Originals) -> Value {
    match value {
        Value::String(name) => originals.0.get(name).unwrap_or(name).clone().into(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), original(value, originals)));
            members.collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// A template without its container, and without what names it.
fn rest(template: &Value) -> Value {
    let mut rest = template.get("spec").cloned().unwrap_or_default();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove("containers");
    }
    rest
}

/// The places where two values differ, with both.
fn leaves(path: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    let (Some(before), Some(after)) = (members(old, new), members(new, old)) else {
        let about = path.split('.').next().unwrap_or_default();
        let words = format!("{path}: {} -> {}", brief(old), brief(new));
        return found.push(Difference::new(about, words));
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let absent = Value::Null;
        let of = |members: &Map<String, Value>| members.get(key).unwrap_or(&absent).clone();
        leaves(&path, &of(&before), &of(&after), found);
    }
}

/// The members of an object, or of a list by its names. Nothing has none, beside something that could have some.
fn members(value: &Value, beside: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Null if beside.is_object() || beside.is_array() => Some(Map::new()),
        Value::Object(members) => Some(members.clone()),
        Value::Array(items) => {
            let named = items.iter().enumerate().map(|(index, item)| {
                let name = item.get("name").and_then(Value::as_str);
                (
                    name.map_or_else(|| index.to_string(), str::to_owned),
                    item.clone(),
                )
            });
            Some(named.collect())
        }
        _ => None,
    }
}

fn json(template: &PodTemplateSpec) -> Value {
    serde_json::to_value(template).unwrap_or_default()
}
