//! The contract: what people declare and what they read back. No IO.

pub mod app;
pub mod condition;
pub mod environment;
pub mod labels;
pub mod shared;

pub use app::{App, AppSpec, Component, Role};
pub use condition::{ConditionType, Reason};
pub use environment::{Environment, EnvironmentSpec, EnvironmentStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The API group of every kind.
pub const GROUP: &str = "towpath.dev";

/// The CRDs in the order in which they are written: file name and content.
///
/// Schemas derived from Rust types carry number formats that the apiserver does not know; they are left out, and the
/// bounds that stand beside them say the same.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![App::crd(), Environment::crd()]
}
