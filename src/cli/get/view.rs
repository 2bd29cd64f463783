//! What is shown of an Environment: everything that was read, nothing that was asked again.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};

use crate::api::{ConditionType, Environment, labels};
use crate::revision::{Image, Revision};

/// An Environment with what belongs to it.
#[derive(Clone, Debug)]
pub struct View {
    /// The Environment.
    pub environment: Environment,
    /// Its revisions, oldest first.
    pub revisions: Vec<Made>,
    /// Its workloads, by name.
    pub deployments: Vec<Deployment>,
    /// Its pods, oldest first.
    pub pods: Vec<Pod>,
    /// Its Jobs, oldest first.
    pub jobs: Vec<Job>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// A revision, and when it was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The revision.
    pub revision: Revision,
    /// When it was made.
    pub at: Option<Timestamp>,
}

impl View {
    /// Sorts what was read.
    #[must_use]
    pub fn of(
        environment: Environment,
        revisions: &[ControllerRevision],
        mut deployments: Vec<Deployment>,
        mut pods: Vec<Pod>,
        mut jobs: Vec<Job>,
        unread: Vec<String>,
    ) -> Self {
        deployments.sort_by_key(ResourceExt::name_any);
        pods.sort_by_key(|pod| (created(pod), pod.name_any()));
        jobs.sort_by_key(|job| (created(job), job.name_any()));
        Self {
            environment,
            revisions: read(revisions),
            deployments,
            pods,
            jobs,
            unread,
        }
    }

    /// A condition of the Environment.
    #[must_use]
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        condition(&self.environment, type_)
    }

    /// What serves.
    #[must_use]
    pub fn serving(&self) -> Option<&Made> {
        serving(&self.revisions)
    }

    /// What is on its way, or serves, or was given up last: the newest revision.
    #[must_use]
    pub fn target(&self) -> Option<&Made> {
        self.revisions.last()
    }

    /// The image as it was asked for, where a revision knows it by the digest that runs.
    #[must_use]
    pub fn asked<'view>(&'view self, image: &'view str) -> &'view str {
        let images = self
            .revisions
            .iter()
            .rev()
            .flat_map(|made| made.revision.decided.images.values());
        let known = images
            .into_iter()
            .find(|known: &&Image| known.resolved == image);
        known.map_or(image, |known| known.asked.as_str())
    }
}

/// The revisions among the objects, oldest first.
#[must_use]
pub fn read(objects: &[ControllerRevision]) -> Vec<Made> {
    let made = objects.iter().filter_map(|object| {
        Some(Made {
            revision: Revision::read(object)?,
            at: created(object),
        })
    });
    let mut made: Vec<Made> = made.collect();
    made.sort_by_key(|made| made.revision.number);
    made
}

/// What serves: the newest revision that was verified and not given up since.
#[must_use]
pub fn serving(revisions: &[Made]) -> Option<&Made> {
    revisions.iter().rev().find(|made| {
        let facts = &made.revision.facts;
        facts.verified.is_some() && facts.given_up.is_none()
    })
}

/// A condition of an Environment.
#[must_use]
pub fn condition(environment: &Environment, type_: ConditionType) -> Option<&Condition> {
    let status = environment.status.as_ref()?;
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_.as_str())
}

/// When an object was made.
#[must_use]
pub fn created<K: Resource>(object: &K) -> Option<Timestamp> {
    object
        .meta()
        .creation_timestamp
        .as_ref()
        .map(|Time(at)| *at)
}

/// A label of an object, or nothing.
#[must_use]
pub fn label<'object, K: Resource>(object: &'object K, key: &str) -> &'object str {
    object.labels().get(key).map_or("", String::as_str)
}

/// Whether an object serves that purpose.
#[must_use]
pub fn is_for<K: Resource>(object: &K, purpose: &str) -> bool {
    label(object, labels::PURPOSE) == purpose
}
