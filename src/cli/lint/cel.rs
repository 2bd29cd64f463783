//! The rules of the CRDs, evaluated here as the apiserver evaluates them when an object is made.

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::Value;

use super::schema::{Kind, without_nulls};
use crate::cli::yaml::Path;

/// The compiled rules of a kind.
pub(super) struct Rules(CompiledSchema);

impl Rules {
    pub(super) fn of(schema: &Value) -> Self {
        Self(compile_schema(schema))
    }
}

/// The rules that an object breaks: where, and what must hold.
pub(super) fn check(kind: &Kind, object: &Value) -> Vec<(Path, String)> {
    let Err(errors) =
        Validator::new().validate_compiled(&kind.rules.0, &without_nulls(object), None)
    else {
        return Vec::new();
    };
    let told = errors.into_iter().map(|error| {
        let sentence = match error.kind {
            ErrorKind::ValidationFailure => error.message,
            // Said, so that nobody takes an unchecked rule for a kept one.
            _ => format!(
                "must keep the rule {:?}, which could not be evaluated here: {}",
                error.rule, error.message
            ),
        };
        (Path::parse(&error.field_path), sentence)
    });
    told.collect()
}
