//! The schemas of the CRDs, as strict as `kubectl apply` is: what is unknown is refused, and named.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::{PatternOptions, Validator};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use super::sentence::{explain, one_of};
use super::{Finding, Object, cel};
use crate::api::GROUP;
use crate::cli::yaml::{Node, Path};

/// What the key of a label or an annotation looks like.
const KEY: &str =
    "^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
/// What the value of a label looks like.
const LABEL: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$";

/// The kinds that are known.
pub(super) struct Kinds(Vec<Kind>);

/// A kind with its schema.
pub(super) struct Kind {
    name: String,
    version: String,
    /// As the CRD has it.
    pub(super) schema: Value,
    /// Its rules.
    pub(super) rules: cel::Rules,
    strict: Validator,
}

/// Something that the schema refuses.
pub(super) struct Refused {
    pub(super) path: Path,
    pub(super) sentence: String,
    /// Whether rules are not evaluated for it, as in the apiserver.
    pub(super) hides_rules: bool,
}

impl Kinds {
    /// Compiled once: the regular expressions and rules take longer than what is checked by them.
    pub(super) fn of_crds() -> &'static Self {
        static KINDS: LazyLock<Kinds> =
            LazyLock::new(|| Kinds(crate::api::crds().iter().filter_map(Kind::of).collect()));
        &KINDS
    }

    /// The kind of an object of our group; an unknown one is a finding.
    pub(super) fn find(&self, object: &Object, findings: &mut Vec<Finding>) -> Option<&Kind> {
        let Some(kind) = self.0.iter().find(|kind| kind.name == object.kind) else {
            let names: Vec<&str> = self.0.iter().map(|kind| kind.name.as_str()).collect();
            let sentence = format!("must be {}", one_of(&names));
            findings.push(object.finding(&Path::default().key("kind"), sentence));
            return None;
        };
        let expected = format!("{GROUP}/{}", kind.version);
        if object.node.text("apiVersion") != Some(expected.as_str()) {
            let sentence = format!("must be {expected}");
            findings.push(object.finding(&Path::default().key("apiVersion"), sentence));
            return None;
        }
        Some(kind)
    }
}

impl Kind {
    fn of(crd: &CustomResourceDefinition) -> Option<Self> {
        let version = crd.spec.versions.first()?;
        let schema = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
        let schema = serde_json::to_value(schema).ok()?;
        let mut closed = schema.clone();
        close(&mut closed);
        let properties = closed.get_mut("properties")?.as_object_mut()?;
        properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
        properties.insert("kind".to_owned(), json!({"type": "string"}));
        properties.insert("metadata".to_owned(), metadata());
        // What was exported has a status; it is the controller's, and the apiserver drops it.
        if let Some(status) = properties.get_mut("status") {
            *status = json!({});
        }
        closed
            .as_object_mut()?
            .insert("required".to_owned(), json!(["metadata", "spec"]));
        let strict = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(false)
            .build(&closed)
            .ok()?;
        Some(Self {
            name: crd.spec.names.kind.clone(),
            version: version.name.clone(),
            rules: cel::Rules::of(&schema),
            schema,
            strict,
        })
    }
}

/// No property but those that are named.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    for inner in ["items", "additionalProperties"] {
        schema.get_mut(inner).into_iter().for_each(close);
    }
}

/// What people write into metadata, and what an export brings along.
pub(super) fn metadata() -> Value {
    let mut properties = Map::new();
    for name in [
        "generateName",
        "selfLink",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        properties.insert(name.to_owned(), json!({"type": "string"}));
    }
    for name in ["generation", "deletionGracePeriodSeconds"] {
        properties.insert(name.to_owned(), json!({"type": "integer"}));
    }
    for name in ["ownerReferences", "finalizers", "managedFields"] {
        properties.insert(name.to_owned(), json!({"type": "array"}));
    }
    let key = json!({"maxLength": 317, "pattern": KEY});
    let label = json!({"type": "string", "maxLength": 63, "pattern": LABEL});
    let text = json!({"type": "string"});
    for (name, value) in [("labels", label), ("annotations", text)] {
        properties.insert(
            name.to_owned(),
            json!({"type": "object", "additionalProperties": value, "propertyNames": key}),
        );
    }
    properties.insert(
        "namespace".to_owned(),
        json!({"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}),
    );
    properties.insert("name".to_owned(), json!({"type": "string", "minLength": 1}));
    json!({"type": "object", "properties": properties, "required": ["name"], "additionalProperties": false})
}

/// What the schema refuses in an object.
pub(super) fn check(kind: &Kind, node: &Node, json: &Value) -> Vec<Refused> {
    let present = without_nulls(json);
    let mut refused: Vec<Refused> = kind
        .strict
        .iter_errors(&present)
        .flat_map(|error| explain(kind, node, &error))
        .collect();
    repeated(&kind.schema, &present, &Path::default(), &mut refused);
    refused
}

/// The object without keys that hold nothing: the apiserver drops them before it looks.
pub(in crate::cli) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Entries of a list that have the same key, where the list is a map.
fn repeated(schema: &Value, value: &Value, path: &Path, refused: &mut Vec<Refused>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if let Some(inner) = schema
                    .get("properties")
                    .and_then(|properties| properties.get(key))
                {
                    repeated(inner, value, &path.key(key), refused);
                }
            }
        }
        Value::Array(items) => {
            let keys = schema
                .get("x-kubernetes-list-map-keys")
                .and_then(Value::as_array);
            let mut seen = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let path = path.index(index);
                if let Some(inner) = schema.get("items") {
                    repeated(inner, item, &path, refused);
                }
                for key in keys.into_iter().flatten().filter_map(Value::as_str) {
                    let Some(text) = item.get(key).and_then(Value::as_str) else {
                        continue;
                    };
                    if !seen.insert(text) {
                        let sentence = format!("must be unique in the list; {text} is there twice");
                        refused.push(Refused {
                            path: path.key(key),
                            sentence,
                            hides_rules: false,
                        });
                    }
                }
            }
        }
        _ => {}
    }
}
