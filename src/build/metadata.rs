//! Labels and owner references, the same on every child.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use crate::api::environment::DeletionPolicy;
use crate::api::{Environment, labels};

/// What a child is of: an Environment, and perhaps a component of it.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The Environment.
    pub environment: &'a Environment,
    /// The component.
    pub component: Option<&'a str>,
}

impl<'a> Of<'a> {
    /// A child of the Environment as a whole.
    #[must_use]
    pub fn environment(environment: &'a Environment) -> Self {
        Self {
            environment,
            component: None,
        }
    }

    /// A child of one component.
    #[must_use]
    pub fn component(environment: &'a Environment, component: &'a str) -> Self {
        Self {
            environment,
            component: Some(component),
        }
    }

    /// The labels of the child.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let app = self.environment.spec.app_ref.name.clone();
        let mut labels = BTreeMap::from([
            (labels::ENVIRONMENT.to_owned(), self.environment.name_any()),
            (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
            (labels::NAME.to_owned(), app.clone()),
            (labels::PART_OF.to_owned(), app),
        ]);
        if let Some(component) = self.component {
            labels.insert(labels::COMPONENT.to_owned(), component.to_owned());
            labels.insert(labels::APP_COMPONENT.to_owned(), component.to_owned());
        }
        labels
    }

    /// The metadata of a child that goes with its Environment.
    #[must_use]
    pub fn owned(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: self.environment.namespace(),
            labels: Some(self.labels()),
            owner_references: Some(vec![owner(self.environment)]),
            ..ObjectMeta::default()
        }
    }

    /// The metadata of data, which goes with its Environment only under `deletionPolicy: Delete`.
    #[must_use]
    pub fn data(&self, name: String) -> ObjectMeta {
        let mut metadata = self.owned(name);
        metadata.owner_references = owners_of_data(self.environment);
        metadata
            .labels
            .get_or_insert_default()
            .insert(labels::DATA.to_owned(), "true".to_owned());
        metadata
    }
}

/// The reference by which an Environment owns a child.
#[must_use]
pub fn owner(environment: &Environment) -> OwnerReference {
    OwnerReference {
        api_version: Environment::api_version(&()).into_owned(),
        kind: Environment::kind(&()).into_owned(),
        name: environment.name_any(),
        uid: environment.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The owner references of data.
#[must_use]
pub fn owners_of_data(environment: &Environment) -> Option<Vec<OwnerReference>> {
    match environment.spec.deletion_policy {
        DeletionPolicy::Delete => Some(vec![owner(environment)]),
        DeletionPolicy::Retain => None,
    }
}

/// What selects the pods of a component in a slot.
#[must_use]
pub fn selector(environment: &str, component: &str, slot: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::ENVIRONMENT.to_owned(), environment.to_owned()),
        (labels::COMPONENT.to_owned(), component.to_owned()),
        (labels::SLOT.to_owned(), slot.to_owned()),
    ])
}
