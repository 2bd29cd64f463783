//! Types that App and Environment share: variables, references, resources.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// One environment variable: a value, a key of a Secret or a key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.value), has(self.secretRef), has(self.configMapRef)].filter(x, x).size() == 1")
    .message("a variable must have exactly one of value, secretRef and configMapRef"))]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub name: String,
    /// Its value as it stands; `$(NAME)` is not expanded. At most 8 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub value: Option<String>,
    /// A key of a Secret. Its value is read as it is now: when it changes, the pods are restarted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
    /// A key of a ConfigMap. Its value belongs to the revision and rolls back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
}

/// All keys of a ConfigMap or a Secret in the same namespace, as variables.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.configMapRef) != has(self.secretRef)")
    .message("an entry of envFrom must have exactly one of configMapRef and secretRef"))]
pub struct EnvFrom {
    /// A ConfigMap. Its content belongs to the revision and rolls back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<NameRef>,
    /// A Secret. Its content is read as it is now: when it changes, the pods are restarted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NameRef>,
}

/// An object of the same namespace, by name.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameRef {
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// A key of an object of the same namespace.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// Name of the object.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// What a container asks for and may use.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::within_limits("cpu"),
    validation = rules::within_limits("memory"),
    validation = rules::within_limits("ephemeralStorage"),
)]
pub struct Resources {
    /// What the scheduler sets aside. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceList>,
    /// What the container may not exceed. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceList>,
}

/// Amounts of resources.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::quantity("cpu", "100m or 2"),
    validation = rules::quantity("memory", "128Mi or 2Gi"),
    validation = rules::quantity("ephemeralStorage", "1Gi"),
)]
pub struct ResourceList {
    /// Processor time, in cores: `100m` is a tenth of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub cpu: Option<String>,
    /// Memory, in bytes: `128Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub memory: Option<String>,
    /// Disk of the node that goes with the pod, in bytes: `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub ephemeral_storage: Option<String>,
}

/// A check of a container: an HTTP path on the component's port, or a command.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.path) != has(self.command)").message("health must have exactly one of path and command"))]
pub struct Health {
    /// Path that answers 2xx or 3xx when the component can take requests. It must not depend on what all pods share, such
    /// as the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^/[^\s]*$"))]
    pub path: Option<String>,
    /// Command that ends with 0 when the component is well. It is no shell: `[sh, -c, "a && b"]` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), inner(length(max = 1024)))]
    pub command: Option<Vec<String>>,
    /// How often it is asked, in seconds. Default: 5.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 300))]
    pub period_seconds: i32,
    /// How long one answer may take, in seconds. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: i32,
    /// How long the component may take to become healthy after its start, in seconds. Default: 60.
    #[serde(default = "sixty")]
    #[schemars(range(min = 1, max = 3600))]
    pub startup_seconds: i32,
}

/// A check that restarts the container when it fails for half a minute. It must never depend on the database.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.path) != has(self.command)").message("liveness must have exactly one of path and command"))]
pub struct Liveness {
    /// Path that answers 2xx or 3xx as long as the process is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^/[^\s]*$"))]
    pub path: Option<String>,
    /// Command that ends with 0 as long as the process is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), inner(length(max = 1024)))]
    pub command: Option<Vec<String>>,
}

fn two() -> i32 {
    2
}
fn five() -> i32 {
    5
}
fn sixty() -> i32 {
    60
}
