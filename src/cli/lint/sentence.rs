//! The errors of the schema validator, as sentences that say what must hold.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use serde_json::{Map, Value, json};

use super::schema::{Kind, Refused, metadata};
use crate::cli::yaml::{self, Node, Path, Step};

/// What must hold instead, for each error of the validator.
pub(super) fn explain(kind: &Kind, node: &Node, error: &ValidationError) -> Vec<Refused> {
    let path = path(error);
    let one = |sentence: String, hides_rules: bool| {
        vec![Refused {
            path: path.clone(),
            sentence,
            hides_rules,
        }]
    };
    let length = || {
        error
            .instance()
            .as_str()
            .map_or(0, |text| text.chars().count())
    };
    let items = || error.instance().as_array().map_or(0, Vec::len);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| Refused {
                path: path.key(name),
                sentence: unknown(name, &known(&kind.schema, &path)),
                hides_rules: false,
            })
            .collect(),
        ValidationErrorKind::Required { property } => {
            let path = path.key(property.as_str().unwrap_or_default());
            vec![Refused {
                path,
                sentence: "must be set".to_owned(),
                hides_rules: true,
            }]
        }
        ValidationErrorKind::Type { kind } => one(wrong_type(kind, node.at(&path)), true),
        ValidationErrorKind::Enum { options } => {
            let words = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            one(
                format!("must be {}", one_of(&words.collect::<Vec<_>>())),
                true,
            )
        }
        ValidationErrorKind::MaxLength { limit } => one(
            format!("must have at most {limit} characters; it has {}", length()),
            true,
        ),
        ValidationErrorKind::MinLength { limit: 1 } => one("must not be empty".to_owned(), false),
        ValidationErrorKind::MinLength { limit } => one(
            format!("must have at least {limit} characters; it has {}", length()),
            false,
        ),
        ValidationErrorKind::MaxItems { limit } => one(
            format!("must have at most {limit} entries; it has {}", items()),
            true,
        ),
        ValidationErrorKind::MinItems { limit: 1 } => one("must have an entry".to_owned(), false),
        ValidationErrorKind::MinItems { limit } => {
            one(format!("must have at least {limit} entries"), false)
        }
        ValidationErrorKind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default();
            one(
                format!("must have keys like name or example.com/name; {key:?} is none"),
                false,
            )
        }
        ValidationErrorKind::MaxProperties { limit } => {
            one(format!("must have at most {limit} keys"), true)
        }
        ValidationErrorKind::Minimum { limit } => {
            one(format!("must be at least {}", whole(limit)), false)
        }
        ValidationErrorKind::Maximum { limit } => {
            one(format!("must be at most {}", whole(limit)), false)
        }
        ValidationErrorKind::Pattern { pattern } => one(format!("must match {pattern}"), false),
        _ => one(format!("must be valid: {error}"), true),
    }
}

fn path(error: &ValidationError) -> Path {
    let steps = error
        .instance_path()
        .into_iter()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Key(name.into_owned()),
            LocationSegment::Index(index) => Step::Index(index),
        });
    Path(steps.collect())
}

/// The names of the properties at a path.
fn known(schema: &Value, path: &Path) -> Vec<String> {
    let metadata = json!({"properties": {"metadata": metadata()}});
    let starts_in_metadata = path.0.first() == Some(&Step::Key("metadata".to_owned()));
    let root = if starts_in_metadata {
        &metadata
    } else {
        schema
    };
    let found = path.0.iter().try_fold(root, |schema, step| match step {
        Step::Key(key) => schema.get("properties")?.get(key),
        Step::Index(_) => schema.get("items"),
    });
    let properties = found
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    let mut names: Vec<String> = properties
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    if path.0.is_empty() {
        names.extend(["apiVersion", "kind", "metadata"].map(str::to_owned));
    }
    names
}

/// The sentence for a property that there is none of.
fn unknown(name: &str, known: &[String]) -> String {
    let distance = |candidate: &str| {
        strsim::damerau_levenshtein(&candidate.to_lowercase(), &name.to_lowercase())
    };
    let nearest = known.iter().min_by_key(|candidate| distance(candidate));
    match nearest {
        Some(nearest) if distance(nearest) <= 1 + name.len() / 4 => {
            format!("must be a known field; did you mean {nearest}?")
        }
        _ => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("must be a known field: {}", one_of(&known))
        }
    }
}

/// A bound as people write it: schemas hold bounds of whole numbers as floats.
fn whole(limit: &Value) -> String {
    let text = limit.to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn wrong_type(kind: &TypeKind, node: Option<&Node>) -> String {
    let wanted = match kind {
        TypeKind::Single(wanted) => wanted.to_string(),
        TypeKind::Multiple(_) => "another type".to_owned(),
    };
    let name = match wanted.as_str() {
        "object" => "an object",
        "array" => "a list",
        "string" => "a string",
        "integer" => "a whole number",
        "boolean" => "a boolean, true or false",
        other => other,
    };
    match node.map(|node| (&node.value, node.kind())) {
        Some((yaml::Value::Bool(_, written) | yaml::Value::Number(_, written), is))
            if wanted == "string" =>
        {
            format!("must be {name}; {written} is {is} in YAML: write \"{written}\"")
        }
        Some((yaml::Value::Number(_, written), _)) => format!("must be {name}; it is {written}"),
        Some((_, is)) => format!("must be {name}; it is {is}"),
        None => format!("must be {name}"),
    }
}
