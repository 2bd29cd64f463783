//! The contract: what people declare and what they read back. No IO.

pub mod app;
pub mod app_status;
pub mod condition;
pub mod environment;
pub mod labels;
pub mod preview;
mod rules;
pub mod shared;
pub mod template;

pub use app::{App, AppSpec, Component, Role};
pub use app_status::AppStatus;
pub use condition::{ConditionType, Reason};
pub use environment::{Environment, EnvironmentSpec, EnvironmentStatus};
pub use preview::{Preview, PreviewSpec, PreviewStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

/// The API group of every kind.
pub const GROUP: &str = "towpath.dev";

/// The CRDs, in the order in which they are written.
///
/// What Rust types leave out is absent, never null: the schemas do not say `nullable`, so that the apiserver drops a null
/// before its rules see the object.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![App::crd(), Environment::crd(), Preview::crd()];
    for version in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions) {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        {
            without_nulls(schema);
        }
    }
    crds
}

fn without_nulls(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|all| all.values_mut())
    {
        without_nulls(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        without_nulls(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        without_nulls(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `check` with the path of every schema below the specs, or of every schema at all.
    fn walk(path: &str, schema: &JSONSchemaProps, check: &mut impl FnMut(&str, &JSONSchemaProps)) {
        check(path, schema);
        for (name, property) in schema.properties.iter().flatten() {
            walk(&format!("{path}.{name}"), property, check);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            walk(&format!("{path}[]"), items, check);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            walk(&format!("{path}{{}}"), values, check);
        }
    }

    fn every_schema(mut check: impl FnMut(&str, &JSONSchemaProps)) {
        for crd in crds() {
            for version in &crd.spec.versions {
                let schema = version
                    .schema
                    .as_ref()
                    .and_then(|schema| schema.open_api_v3_schema.as_ref());
                walk(&crd.spec.names.kind, schema.expect("a schema"), &mut check);
            }
        }
    }

    #[test]
    fn everything_in_a_spec_has_a_bound() {
        every_schema(|path, schema| {
            if !path.contains(".spec") {
                return;
            }
            let bounded = match schema.type_.as_deref() {
                Some("string") => schema.enum_.is_some() || schema.max_length.is_some(),
                Some("array") => schema.max_items.is_some(),
                Some("integer") => schema.minimum.is_some() && schema.maximum.is_some(),
                Some("object") => {
                    schema.additional_properties.is_none() || schema.max_properties.is_some()
                }
                Some("boolean") => true,
                _ => false,
            };
            assert!(bounded, "{path} must have a bound");
        });
    }

    #[test]
    fn no_format_occurs_that_the_apiserver_does_not_know() {
        every_schema(|path, schema| {
            let known = [None, Some("int32"), Some("int64"), Some("date-time")];
            assert!(
                known.contains(&schema.format.as_deref()),
                "{path} has format {:?}",
                schema.format
            );
        });
    }

    #[test]
    fn every_property_is_described() {
        every_schema(|path, schema| {
            let item = path.ends_with("[]") || path.ends_with("{}") || path.ends_with(".metadata");
            let described = schema
                .description
                .as_ref()
                .is_some_and(|text| text.len() > 3);
            assert!(
                item || described || !path.contains('.'),
                "{path} must have a description"
            );
        });
    }

    #[test]
    fn what_is_absent_is_absent_and_not_null() {
        every_schema(|path, schema| {
            assert_eq!(schema.nullable, None, "{path}");
            assert!(
                schema
                    .enum_
                    .iter()
                    .flatten()
                    .all(|value| !value.0.is_null()),
                "{path}"
            );
        });
    }

    #[test]
    fn every_rule_says_what_must_hold() {
        every_schema(|path, schema| {
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                let message = rule.message.as_deref().unwrap_or_default();
                assert!(
                    message.contains(" must "),
                    "{path}: {message:?} must say what must hold"
                );
            }
        });
    }
}
