//! `Job`: the migration of a revision, and what fills its database, from their stored rendering. Made by POST, never applied.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::EnvVar;
use kube::ResourceExt;

use super::metadata::Of;
use super::names;
use crate::api::{Environment, labels};
use crate::revision::RenderedMigration;

/// On a migration Job: the key that it brings.
pub const KEY: &str = "towpath.dev/migration-key";

/// Builds the migration Job of a revision.
#[must_use]
pub fn migration(environment: &Environment, number: i64, migration: &RenderedMigration) -> Job {
    let name = names::migration(&environment.name_any(), number);
    once(environment, number, migration, name, "migration")
}

/// Builds the Job that fills the database of a revision.
#[must_use]
pub fn seed(environment: &Environment, number: i64, seed: &RenderedMigration) -> Job {
    let name = names::seed(&environment.name_any(), number);
    once(environment, number, seed, name, "seed")
}

fn once(
    environment: &Environment,
    number: i64,
    work: &RenderedMigration,
    name: String,
    purpose: &str,
) -> Job {
    let mut metadata = Of::environment(environment).owned(name.clone());
    let own = metadata.labels.get_or_insert_default();
    own.insert(labels::PURPOSE.to_owned(), purpose.to_owned());
    own.insert(labels::REVISION.to_owned(), number.to_string());
    metadata.annotations = Some(BTreeMap::from([(KEY.to_owned(), work.key.clone())]));
    let mut template = work.template.clone();
    name_backends(&mut template, &name);
    Job {
        metadata,
        spec: Some(JobSpec {
            active_deadline_seconds: Some(i64::from(work.timeout_seconds)),
            backoff_limit: Some(0),
            pod_replacement_policy: Some("Failed".to_owned()),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// A killed pod does not stop its SQL: the server's backends carry the Job's name, so that a later attempt can wait for them.
fn name_backends(template: &mut k8s_openapi::api::core::v1::PodTemplateSpec, name: &str) {
    let containers = template
        .spec
        .iter_mut()
        .flat_map(|spec| spec.containers.iter_mut());
    for container in containers {
        let env = container.env.get_or_insert_default();
        // One of the app's own would hide them.
        env.retain(|variable| variable.name != "PGAPPNAME");
        env.push(EnvVar {
            name: "PGAPPNAME".to_owned(),
            value: Some(name.to_owned()),
            value_from: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_carry_the_name_of_the_job_whatever_the_app_calls_them() {
        let mut template = serde_json::from_value(serde_json::json!({"spec": {"containers": [
            {"name": "migration", "env": [{"name": "PGAPPNAME", "value": "shop"}]},
        ]}}))
        .unwrap();
        name_backends(&mut template, "shop-migrate-2");
        let containers = template.spec.unwrap().containers;
        let env = containers[0].env.as_deref().unwrap_or_default();
        assert_eq!(env.len(), 1);
        assert_eq!(env[0].value.as_deref(), Some("shop-migrate-2"));
    }
}
