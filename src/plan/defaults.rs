//! What an object says that its schema would say for it.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::Value;

use crate::api::App;

static APP: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(|| spec(App::crd()));

/// Takes what only repeats a default out of an App's spec. A field that comes with a later version has its default in every
/// App from then on: that is nobody's change.
pub fn strip_app(spec: &mut Value) {
    if let Some(schema) = &*APP {
        strip(spec, schema);
    }
}

fn spec(crd: CustomResourceDefinition) -> Option<JSONSchemaProps> {
    let version = crd.spec.versions.into_iter().next()?;
    let schema = version.schema?.open_api_v3_schema?;
    schema.properties?.remove("spec")
}

fn strip(value: &mut Value, schema: &JSONSchemaProps) {
    match value {
        Value::Object(fields) => {
            let properties = schema.properties.iter().flatten();
            for (name, schema) in properties {
                if let Some(field) = fields.get_mut(name) {
                    strip(field, schema);
                    if schema
                        .default
                        .as_ref()
                        .is_some_and(|default| default.0 == *field)
                    {
                        fields.remove(name);
                    }
                }
            }
            if let Some(JSONSchemaPropsOrBool::Schema(schema)) = &schema.additional_properties {
                fields.values_mut().for_each(|field| strip(field, schema));
            }
        }
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                items.iter_mut().for_each(|item| strip(item, schema));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::app::AppSpec;
    use serde_json::json;

    #[test]
    fn what_nobody_wrote_is_not_there() {
        let written = json!({
            "image": "registry.example.com/shop",
            "components": [{"name": "web", "role": "Web", "port": 8000}],
        });
        let read: AppSpec = serde_json::from_value(written.clone()).unwrap();
        let mut spec = serde_json::to_value(read).unwrap();
        assert_ne!(spec, written, "defaults are filled in");
        strip_app(&mut spec);
        assert_eq!(spec, written);
    }

    #[test]
    fn what_differs_from_a_default_stays() {
        let mut spec = json!({"components": [{"name": "web", "drainSeconds": 60}]});
        let before = spec.clone();
        strip_app(&mut spec);
        assert_eq!(spec, before);
    }
}
