//! `App`: what an app is. An Environment says where it runs; of the App itself only its previews are reconciled.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app_status::AppStatus;
use super::rules;
use super::shared::{EnvFrom, EnvVar, Health, Liveness, NameRef, Resources};
use super::template::PreviewTemplate;

/// What an app is: its components, health, configuration, database and migration.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[kube(
    group = "towpath.dev",
    version = "v1alpha1",
    kind = "App",
    plural = "towpathapps",
    singular = "towpathapp",
    shortname = "tapp",
    category = "towpath",
    namespaced,
    status = "AppStatus",
    derive = "PartialEq",
    doc = "What an app is: its components, health, configuration, database and migration. An Environment says where a release of it runs.",
    printcolumn(name = "Components", type_ = "string", json_path = ".spec.components[*].name"),
    printcolumn(name = "Database", type_ = "string", json_path = ".spec.database.engine"),
    printcolumn(name = "Previews", type_ = "integer", json_path = ".status.livePreviews", description = "Live previews"),
    printcolumn(name = "Queued", type_ = "integer", json_path = ".status.queuedPreviews", description = "Previews that wait for a place", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 20").message("the name of an App must have at most 20 characters"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name of an App must start with a letter and hold only lower-case letters, digits and '-'"),
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.migration) || self.components.exists(c, c.name == self.migration.component)")
        .message("migration.component must name a component of the App"),
    validation = Rule::new("!has(self.migration) || has(self.database)").message("an App with a migration must have a database"),
    validation = Rule::new("!has(self.preview) || has(self.preview.database) == has(self.database)")
        .message("preview.database must be set exactly when the App has a database"),
    validation = Rule::new("!has(self.preview) || !has(self.preview.components) || self.preview.components.all(p, self.components.exists(c, c.name == p.name))")
        .message("preview.components must name components of the App"),
    validation = Rule::new("!has(self.preview) || !has(self.preview.source) || !has(self.preview.source.components) || self.preview.source.components.all(p, self.components.exists(c, c.name == p.name))")
        .message("preview.source.components must name components of the App"),
)]
pub struct AppSpec {
    /// Repository of every component that names none of its own, without tag or digest. A release whose image comes from
    /// elsewhere is refused. Default: any repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = r"^[a-z0-9]([-a-z0-9._:/]*[a-z0-9])?$")
    )]
    #[x_kube(validation = Rule::new("!self.matches(':[^/]*$')").message("image must be a repository without tag: releases name tags"))]
    pub image: Option<String>,
    /// Secrets of type `kubernetes.io/dockerconfigjson` in the same namespace: with them images are resolved and pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<NameRef>,
    /// ServiceAccount of every pod, in the same namespace. Its token is mounted only when it is named here. Default: `default`
    /// without token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub service_account_name: Option<String>,
    /// `Restricted`: pods meet the restricted Pod Security level (not root, no capabilities, default seccomp profile).
    /// `Baseline`: for images that must run as root. Default: `Restricted`.
    #[serde(default)]
    pub security_profile: SecurityProfile,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "maxProperties" = 16,
        "additionalProperties" = {"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"}
    ))]
    #[x_kube(validation = Rule::new("self.all(key, key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))")
        .message("the keys of nodeSelector must be keys of labels, such as kubernetes.io/arch"))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
    /// Variables of every component. A component's, then an Environment's, then its component's of the same name win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// ConfigMaps and Secrets whose keys all become variables of every component; `env` wins over them, a later one over an
    /// earlier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFrom>,
    /// The parts of the app that run; each becomes a Deployment.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<Component>,
    /// The database that the app needs. Which one it gets is said by the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<AppDatabase>,
    /// Runs before any new code does, once per migration key, as a Job with the release's own image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// How a preview of a pull request looks. Default: the App has no previews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewTemplate>,
}

/// How strictly pods are confined.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum SecurityProfile {
    /// The restricted Pod Security level.
    #[default]
    Restricted,
    /// The baseline Pod Security level.
    Baseline,
}

/// A taint that pods tolerate, as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')")
        .message("a toleration without key must have operator Exists"),
    validation = Rule::new("!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''")
        .message("a toleration with operator Exists must have no value"),
)]
pub struct Toleration {
    /// Key of the taint; absent with operator `Exists`: every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 317),
        regex(
            pattern = r"^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
        )
    )]
    pub key: Option<String>,
    /// How key and value are compared. Default: `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// Value of the taint, with operator `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 63),
        regex(pattern = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
    )]
    pub value: Option<String>,
    /// Effect of the taint; absent: every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum TolerationOperator {
    /// Key and value are the same.
    Equal,
    /// The key is there.
    Exists,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum TaintEffect {
    /// New pods are not placed.
    NoSchedule,
    /// New pods are rather placed elsewhere.
    PreferNoSchedule,
    /// Pods are evicted.
    NoExecute,
}

/// A part of an app that runs.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.role != 'Web' || has(self.port)").message("a Web component must have a port"),
    validation = Rule::new("has(self.port) || !has(self.health) || !has(self.health.path)")
        .message("a component with health.path must have a port"),
    validation = Rule::new("has(self.port) || !has(self.liveness) || !has(self.liveness.path)")
        .message("a component with liveness.path must have a port"),
    validation = Rule::new("!has(self.volumes) || self.volumes.size() == 0 || !has(self.replicas) || self.replicas <= 1")
        .message("replicas must be 1 with a ReadWriteOnce volume"),
    validation = Rule::new("!has(self.volumes) || self.volumes.size() == 0 || (has(self.update) && self.update == 'Recreate')")
        .message("update must be Recreate with a ReadWriteOnce volume: requests stop while its one pod is replaced"),
    validation = Rule::new("!has(self.volumes) || self.volumes.all(one, self.volumes.exists_one(other, other.path == one.path))")
        .message("every volume of a component must have a path of its own"),
    validation = Rule::new("!self.name.endsWith('-a') && !self.name.endsWith('-b')")
        .message("the name of a component must not end in -a or -b: these are the names of slots"),
    validation = Rule::new("!(self.name in ['postgres', 'migrate', 'door'])").message("the name of a component must not be postgres, migrate or door"),
)]
pub struct Component {
    /// Name, unique in the App: at most 15 characters, starting with a letter, not ending in `-a` or `-b`.
    #[schemars(
        length(min = 1, max = 15),
        regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// `Web` takes requests on `port`; `Worker` takes none from outside.
    pub role: Role,
    /// Repository of this component when it is not the App's; a release then names an image for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = r"^[a-z0-9]([-a-z0-9._:/]*[a-z0-9])?$")
    )]
    #[x_kube(validation = Rule::new("!self.matches(':[^/]*$')").message("image must be a repository without tag: releases name tags"))]
    pub image: Option<String>,
    /// Replaces the image's entry point. It is no shell. Default: the image's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Replaces the image's arguments. Default: the image's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// TCP port that the component listens on; a Web component must have one. It is also the port of its Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// How many pods. Absent: 1 at first, and never touched after, so that an autoscaler or a person may decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 500))]
    pub replicas: Option<i32>,
    /// What each pod asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Startup and readiness. Default: with a port, that it can be connected to; else that the process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Liveness. Default: with a port, that it can be connected to; else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// How long a pod may take to finish its work after it got no more, in seconds. Default: 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: i32,
    /// `RollingUpdate` starts a new pod before it ends an old one; `Recreate` ends the old ones first, so that requests stop
    /// meanwhile. Default: `RollingUpdate`.
    #[serde(default)]
    pub update: Update,
    /// ReadWriteOnce volumes. They are data: they outlive the Environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,
    /// Variables of this component; they win over the App's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// ConfigMaps and Secrets whose keys all become variables of this component; they win over the App's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFrom>,
}

/// What a component is for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Role {
    /// Takes requests on its port, by a Service and by routes.
    Web,
    /// Takes no requests from outside.
    Worker,
}

/// How pods of a component are replaced.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Update {
    /// New pods first.
    #[default]
    RollingUpdate,
    /// Old pods first: requests stop meanwhile.
    Recreate,
}

/// A ReadWriteOnce volume of a component.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::size("1Gi"),
    validation = rules::size_grows(),
    validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)")
        .message("storageClassName must not change: it is immutable"),
)]
pub struct Volume {
    /// Name, unique in the component.
    #[schemars(
        length(min = 1, max = 15),
        regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Where it is mounted.
    #[schemars(length(min = 2, max = 256), regex(pattern = r"^/[^:\s]+$"))]
    pub path: String,
    /// Its size; it only grows.
    #[schemars(length(min = 1, max = 32))]
    pub size: String,
    /// StorageClass. Immutable. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub storage_class_name: Option<String>,
}

/// The database that an app needs, and the variables by which it learns of it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.migrationUrlVariable) || self.migrationUrlVariable != self.urlVariable")
    .message("migrationUrlVariable must differ from urlVariable"))]
pub struct AppDatabase {
    /// `Postgres`. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("engine must not change: it is immutable"))]
    pub engine: Engine,
    /// Variable that holds the URL of the app's role in every component. Default: `DATABASE_URL`.
    #[serde(default = "database_url")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub url_variable: String,
    /// How that URL is written, over `{host}`, `{port}`, `{database}`, `{user}` and `{password}`; for drivers that want
    /// `postgresql+asyncpg://...`. With provider `External` the Secret's own URL is used as it stands. Default:
    /// `postgresql://{user}:{password}@{host}:{port}/{database}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub url_template: Option<String>,
    /// Variable that holds the URL of the owner's role, in the migration Job only. Default: the migration Job has `urlVariable`
    /// with the owner's role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub migration_url_variable: Option<String>,
    /// How the owner's URL is written. Default: as `urlTemplate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub migration_url_template: Option<String>,
}

/// Engine of a database.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
}

/// A command that brings the database's schema to what the release needs.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Migration {
    /// The component whose image and variables it has.
    #[schemars(length(min = 1, max = 15))]
    pub component: String,
    /// The command, which must be safe to run again. It is no shell: `[sh, -c, "a && b"]` is.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// How long it may take, in seconds; then it is ended and counts as failed. Default: 600.
    #[serde(default = "six_hundred")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: i32,
}

fn twenty() -> i32 {
    20
}
fn six_hundred() -> i32 {
    600
}
fn database_url() -> String {
    "DATABASE_URL".to_owned()
}
