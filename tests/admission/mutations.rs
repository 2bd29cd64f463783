//! Many ways to get an object wrong, and some to get it right.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Value, json};

/// Words that mean something in YAML 1.1, or nearly.
const WORDS: &[&str] = &[
    "yes",
    "15",
    "1e3",
    "~",
    "12e4567",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "true",
    "True",
    "tRue",
    "null",
    "Null",
    "nULL",
    "0015",
    "0x1F",
    "0o17",
    "0b11",
    "1_000",
    "1234567e8",
    "0123456",
    "0891234",
    "1.5",
    ".5",
    "5.",
    "+7",
    "-7",
    "-0",
    "0",
    "1.0",
    "2026-11-21",
    "12:30:45",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "4294967296",
    "0a1b2c3",
    "deadbeef",
    "a b",
    "[]",
    "{}",
    "''",
    "\"on\"",
    "!!str 15",
    "!!int \"15\"",
    "&a x",
    "é",
    "a: b",
];

/// Mutated texts of an object, each with what was done.
pub fn of(base: &Value, schema: &JSONSchemaProps) -> Vec<(String, String)> {
    let mut made = vec![("nothing".to_owned(), base.to_string())];
    for name in ["spec", "metadata", "apiVersion", "kind"] {
        let pointer = format!("/{name}");
        put(base, &pointer, "removed", None, &mut made);
        put(base, &pointer, "null", Some(Value::Null), &mut made);
    }
    put(base, "/status", "status", Some(json!({})), &mut made);
    put(base, "/unknown", "unknown", Some(json!(1)), &mut made);
    for name in [
        "",
        "Shop",
        "a.b",
        "shop-",
        "1shop",
        "a-very-long-name-that-is-too-long-by-far",
        "s",
    ] {
        put(base, "/metadata/name", name, Some(json!(name)), &mut made);
    }
    for (key, value) in [
        ("labels", json!({"a b": "c"})),
        ("labels", json!({"a": "b c"})),
        ("labels", json!({"a": 1})),
    ] {
        put(
            base,
            &format!("/metadata/{key}"),
            &value.to_string(),
            Some(value.clone()),
            &mut made,
        );
    }
    for value in [
        json!({"A/b": "c d"}),
        json!({"a": null}),
        json!({"a/b/c": ""}),
        json!({"": "x"}),
        json!([]),
    ] {
        put(
            base,
            "/metadata/annotations",
            &value.to_string(),
            Some(value.clone()),
            &mut made,
        );
    }
    put(
        base,
        "/metadata/lables",
        "unknown",
        Some(json!({})),
        &mut made,
    );
    if let (Some(spec), Some(inner)) = (
        schema.properties.as_ref().and_then(|all| all.get("spec")),
        base.get("spec"),
    ) {
        walk(base, "/spec", spec, inner, &mut made);
    }
    made
}

fn put(
    base: &Value,
    pointer: &str,
    what: &str,
    value: Option<Value>,
    made: &mut Vec<(String, String)>,
) {
    let text = value.map(|value| value.to_string()).unwrap_or_default();
    let changed = super::verdict::with(base.clone(), pointer, &text);
    made.push((format!("{pointer}: {what}"), changed.to_string()));
}

fn walk(
    base: &Value,
    pointer: &str,
    schema: &JSONSchemaProps,
    value: &Value,
    made: &mut Vec<(String, String)>,
) {
    // The same types stand at many places: the first one is enough.
    let type_ = pointer.rsplit('/').next().unwrap_or_default();
    let is_shared = matches!(
        type_,
        "env" | "envFrom" | "resources" | "health" | "liveness" | "volumes"
    );
    if is_shared
        && made
            .iter()
            .any(|(name, _)| name.ends_with(&format!("/{type_}: number")))
    {
        return;
    }
    put(base, pointer, "removed", None, made);
    put(base, pointer, "null", Some(Value::Null), made);
    put(base, pointer, "number", Some(json!(7)), made);
    let others = [
        ("text", json!("text")),
        ("float", json!(7.5)),
        ("boolean", json!(true)),
        ("object", json!({})),
        ("list", json!([])),
        ("list of null", json!([null])),
    ];
    // Two of them at each place, others at the next.
    let turn = made.len();
    for at in [turn, turn + 1] {
        let (what, wrong) = &others[at % others.len()];
        put(base, pointer, what, Some(wrong.clone()), made);
    }
    bounds(base, pointer, schema, value, made);
    if let Some(type_ @ ("string" | "integer" | "boolean")) = schema.type_.as_deref() {
        words(base, pointer, type_, made);
    }
    if let (Some(properties), Some(entries)) = (&schema.properties, value.as_object()) {
        put(
            base,
            &format!("{pointer}/unknown"),
            "unknown",
            Some(json!(1)),
            made,
        );
        for (name, value) in entries {
            walk(
                base,
                &format!("{pointer}/{name}"),
                &properties[name],
                value,
                made,
            );
        }
    }
    if let (Some(JSONSchemaPropsOrArray::Schema(items)), Some(values)) =
        (&schema.items, value.as_array())
    {
        for (index, value) in values.iter().enumerate() {
            walk(base, &format!("{pointer}/{index}"), items, value, made);
        }
    }
    if let (Some(JSONSchemaPropsOrBool::Schema(values)), Some(entries)) =
        (&schema.additional_properties, value.as_object())
    {
        for (name, value) in entries {
            walk(
                base,
                &format!("{pointer}/{}", name.replace('/', "~1")),
                values,
                value,
                made,
            );
        }
    }
}

/// At each bound and past it.
fn bounds(
    base: &Value,
    pointer: &str,
    schema: &JSONSchemaProps,
    value: &Value,
    made: &mut Vec<(String, String)>,
) {
    let mut at = |what: &str, value: Value| put(base, pointer, what, Some(value), made);
    for (bound, past) in [(schema.maximum, 1.0), (schema.minimum, -1.0)] {
        if let Some(bound) = bound {
            #[allow(clippy::cast_possible_truncation)]
            let (on, beyond) = (bound as i64, (bound + past) as i64);
            at("at the bound", on.into());
            at("past the bound", beyond.into());
        }
    }
    for length in [schema.max_length, schema.min_length].into_iter().flatten() {
        for length in [length - 1, length, length + 1] {
            let length = usize::try_from(length.max(0)).unwrap();
            at("letters around the bound", "a".repeat(length).into());
            at(
                "a path around the bound",
                format!("/{}", "a".repeat(length.saturating_sub(1))).into(),
            );
            at("characters around the bound", "é".repeat(length).into());
        }
    }
    if let (Some(most), Some(first)) = (
        schema.max_items,
        value.as_array().and_then(|items| items.first()),
    ) {
        for count in [most, most + 1] {
            let count = usize::try_from(count).unwrap();
            at(
                "entries around the bound, alike",
                vec![first.clone(); count].into(),
            );
            let different = (0..count).map(|index| renamed(first, index));
            at("entries around the bound", different.collect());
        }
    }
    if let Some(most) = schema.max_properties {
        for count in [most, most + 1] {
            let entries = (0..count).map(|index| (format!("key-{index}"), json!("value")));
            at("keys around the bound", Value::Object(entries.collect()));
        }
    }
}

/// The entry under another name, host or path.
fn renamed(entry: &Value, index: usize) -> Value {
    let mut entry = entry.clone();
    for key in ["name", "host", "path"] {
        if let Some(value) = entry.get_mut(key) {
            let text = value.as_str().unwrap_or_default();
            *value = if index == 0 {
                text.into()
            } else {
                format!("{text}{index}").into()
            };
        }
    }
    entry
}

/// The object with words at this place, unquoted: all of them at the first places of a type, a few at the others.
fn words(base: &Value, pointer: &str, type_: &str, made: &mut Vec<(String, String)>) {
    const PLACE: &str = "\"the word goes here\"";
    let text = super::verdict::with(base.clone(), pointer, PLACE).to_string();
    let title = format!("{type_} word {}", WORDS[0]);
    let full = made
        .iter()
        .filter(|(name, _)| name.contains(&title))
        .count()
        < 3;
    let few = &WORDS[..2];
    for word in if full { WORDS } else { few } {
        made.push((
            format!("{pointer}: {type_} word {word}"),
            text.replace(PLACE, word),
        ));
    }
}
