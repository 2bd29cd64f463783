//! `Environment`: where a release of an App runs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::shared::{EnvFrom, EnvVar, NameRef, Resources};
use super::template::{Egress, Reset};

/// Where a release of an App runs: development, staging or production.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[kube(
    group = "towpath.dev",
    version = "v1alpha1",
    kind = "Environment",
    shortname = "tenv",
    category = "towpath",
    namespaced,
    status = "EnvironmentStatus",
    derive = "PartialEq",
    selectable = ".spec.appRef.name",
    doc = "Where a release of an App runs: development, staging or production.",
    printcolumn(name = "App", type_ = "string", json_path = ".spec.appRef.name"),
    printcolumn(name = "Release", type_ = "string", json_path = ".status.release", description = "What serves"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 30").message("the name of an Environment must have at most 30 characters"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name of an Environment must start with a letter and hold only lower-case letters, digits and '-'"),
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(oldSelf.database) || has(self.database)")
    .message("database must not be removed: delete the Environment instead"))]
pub struct EnvironmentSpec {
    /// The App, in the same namespace. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("appRef must not change: it is immutable"))]
    pub app_ref: AppRef,
    /// What runs here.
    pub release: Release,
    /// Hosts on which the Web components answer, through the cluster's gateway. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub hosts: Vec<Host>,
    /// How a new revision replaces the one that serves.
    #[serde(default)]
    pub strategy: Strategy,
    /// Variables of every component; they win over the App's and its components'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// ConfigMaps and Secrets whose keys all become variables of every component; they win over the App's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFrom>,
    /// What is different here about a component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentOverride>,
    /// The database that the App gets here. An App with a database must have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// What becomes of data (volumes, its database unless that is external, its Secrets) when this Environment is deleted.
    /// `Retain` keeps it, labelled, and an Environment of the same name finds it again. `Delete` deletes it; a database on a
    /// shared server is dropped when no pod is left. Default: `Retain`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Set by the Preview that owns this Environment; on another one it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewOf>,
    /// `true` stops the controller: nothing of this Environment is written but the condition that says so. Default: `false`.
    #[serde(default)]
    pub suspend: bool,
}

/// What an Environment is told by the Preview that owns it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewOf {
    /// Number of the pull request.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub number: i64,
    /// Whether it shows a pull request of a fork: it then reads no Secret but its database's own, and gets no seed data.
    /// Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fork: bool,
    /// The components that run. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 15)))]
    pub components: Vec<String>,
    /// The only Secrets that may be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<NameRef>,
    /// Where pods may connect to, beside their own Environment and names in DNS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub egress: Vec<Egress>,
    /// When it gets a new database. Default: `OnMigrationChange`.
    #[serde(default, skip_serializing_if = "Reset::is_default")]
    pub reset: Reset,
    /// The command that fills a new database. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub seed: Vec<String>,
    /// A person's word that the database shall be a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reset_token: Option<String>,
    /// When it sleeps. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleep: Option<Sleep>,
}

/// When a preview sleeps: its pods go, and its database's pod; its data stays, and the first request wakes it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sleep {
    /// After how long without a request, in seconds.
    #[schemars(range(min = 60, max = 604_800))]
    pub after_seconds: i32,
    /// When a person last sent it to sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        length(max = 64),
        regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$")
    )]
    pub slept_time: Option<Time>,
    /// When a person last woke it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        length(max = 64),
        regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$")
    )]
    pub woken_time: Option<Time>,
}

/// The App of an Environment.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppRef {
    /// Its name.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// A release: an image for every component, and where it comes from.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.image) || (has(self.components) && self.components.size() > 0)")
    .message("release must name image or components"))]
pub struct Release {
    /// Image of every component whose repository is the App's, by tag or digest. A tag is resolved once, to a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$")
    )]
    #[x_kube(validation = Rule::new("self.matches('^[^@]+:[a-zA-Z0-9_][-a-zA-Z0-9_.]{0,127}$|@sha256:[0-9a-f]{64}$')")
        .message("image must name a tag or a digest, such as registry.example.com/shop:1.4.2"))]
    pub image: Option<String>,
    /// Images of single components; they win over `image`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentImage>,
    /// The commit that the images were built from. Another `sha` is another release, also under the same tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Names the state of the migration files, such as their hash. The migration runs once for each. Default: the image label
    /// `dev.towpath.migrations`; without it the migration runs on each new image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[-a-zA-Z0-9._:+/]+$"))]
    pub migration_key: Option<String>,
}

/// The image of one component.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentImage {
    /// Name of the component.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,
    /// Its image, by tag or digest.
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$")
    )]
    #[x_kube(validation = Rule::new("self.matches('^[^@]+:[a-zA-Z0-9_][-a-zA-Z0-9_.]{0,127}$|@sha256:[0-9a-f]{64}$')")
        .message("image must name a tag or a digest, such as registry.example.com/shop:1.4.2"))]
    pub image: String,
}

/// Where a release comes from.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Commit {
    /// The commit's hash.
    #[schemars(length(min = 7, max = 64), regex(pattern = r"^[0-9a-f]+$"))]
    pub sha: String,
    /// Who wrote it; shown, and no part of what a release is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub author: Option<String>,
    /// Its first line; shown, and no part of what a release is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// A host and what answers on it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// DNS name. When two Environments name it, the older keeps it.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = Rule::new("!self.matches('^[0-9.]+$')").message("host must be a DNS name, not an IP address"))]
    pub host: String,
    /// Paths of the host; the longest prefix wins.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub routes: Vec<Route>,
}

/// A path and the component that answers on it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Prefix of the path.
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = r"^/([-a-zA-Z0-9._~!$&'()*+,;=:@/]|%[0-9a-fA-F]{2})*$")
    )]
    #[x_kube(validation = Rule::new("!self.matches('//|/[.][.]?(/|$)|%2[fF]')")
        .message("path must not hold '//', '%2F' or a part that is '.' or '..': gateways refuse it"))]
    pub path: String,
    /// A Web component.
    #[schemars(length(min = 1, max = 15))]
    pub component: String,
}

/// How a new revision replaces the one that serves.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Strategy {
    /// `RollingUpdate`: new pods replace old ones as they become available. Default: `RollingUpdate`.
    #[serde(rename = "type", default)]
    pub type_: StrategyType,
    /// How long the rollout may make no progress, in seconds, before it is given up and the last good revision returns.
    /// Default: 300.
    #[serde(default = "three_hundred")]
    #[schemars(range(min = 10, max = 86400))]
    pub progress_deadline_seconds: i32,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            type_: StrategyType::RollingUpdate,
            progress_deadline_seconds: three_hundred(),
        }
    }
}

/// The ways to replace a revision.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum StrategyType {
    /// Pod by pod, in place.
    #[default]
    RollingUpdate,
}

/// What is different here about a component.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentOverride {
    /// Name of the component.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,
    /// How many pods here. Default: the App's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 500))]
    pub replicas: Option<i32>,
    /// What each pod asks for and may use here. Default: the App's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Variables of this component here; they win over all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// ConfigMaps and Secrets whose keys all become variables of this component here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFrom>,
}

/// The database of an Environment.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(self.provider == 'Dedicated') == has(self.dedicated)")
        .message("database must have the member dedicated exactly when provider is Dedicated"),
    validation = Rule::new("(self.provider == 'Server') == has(self.server)")
        .message("database must have the member server exactly when provider is Server"),
    validation = Rule::new("(self.provider == 'External') == has(self.external)")
        .message("database must have the member external exactly when provider is External"),
)]
pub struct Database {
    /// `Dedicated`: a PostgreSQL of its own, one pod, for development, staging and small apps. `Server`: a database and two
    /// roles on a shared PostgreSQL that the controller's configuration names. `External`: one that exists; it is never
    /// created and never dropped. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("provider must not change: it is immutable"))]
    pub provider: Provider,
    /// Settings of provider `Dedicated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedicated: Option<Dedicated>,
    /// Settings of provider `Server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SharedServer>,
    /// Settings of provider `External`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// Where a database comes from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Provider {
    /// Made here.
    Dedicated,
    /// Made on a server that the controller's configuration names.
    Server,
    /// Made elsewhere.
    External,
}

/// A PostgreSQL of its own.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::size("5Gi"),
    validation = rules::size_grows(),
    validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)")
        .message("storageClassName must not change: it is immutable"),
)]
pub struct Dedicated {
    /// Major version, one that the controller's configuration has an image for. Immutable: for another, dump and restore.
    #[schemars(length(min = 1, max = 8), regex(pattern = r"^[0-9]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("version must not change: dump the database and restore it into a new Environment"))]
    pub version: String,
    /// Size of its volume; it only grows.
    #[schemars(length(min = 1, max = 32))]
    pub size: String,
    /// StorageClass of its volume. Immutable. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub storage_class_name: Option<String>,
    /// What the database asks for and may use. Default: requests of 50m and 128Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// A database on a shared PostgreSQL.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedServer {
    /// Name of the server in the controller's configuration (`postgres.servers`), which must allow this namespace. Immutable.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the name of the server must not change: it is immutable"))]
    pub name: String,
    /// The database that a new one is a copy of: marked as a template, and refusing connections. It counts only when the
    /// database is made. Default: an empty database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z_][a-z0-9_]*$"))]
    pub template: Option<String>,
}

/// A PostgreSQL that exists.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct External {
    /// Secret in the same namespace that holds the URLs.
    pub secret_ref: NameRef,
    /// Key of the URL of the app's role. Default: `url`.
    #[serde(default = "url_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub url_key: String,
    /// Key of the URL of the owner's role, for migrations; it must lead to the server itself and not to a pool. Default: as
    /// `urlKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub migration_url_key: Option<String>,
}

/// What becomes of data when its Environment goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It goes too.
    Delete,
}

/// What the controller sees and says. Nothing is remembered here: whoever deletes it gets the same decisions.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// The generation of the Environment that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The App that is spoken of: the one that the present revision was made from, or the one that none can be made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppSeen>,
    /// What serves, in short: the image's tag or digest, and the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub release: Option<String>,
    /// Number of the revision that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<i64>,
    /// Number of the revision that is on its way, or was given up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<i64>,
    /// The first host, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub url: Option<String>,
    /// The hosts of a preview that it holds: those that nobody else has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    pub hosts: Vec<String>,
    /// The components that run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentStatus>,
    /// The newest migration in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationStatus>,
    /// Tokens that were handled last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 300)))]
    pub handled_tokens: Vec<String>,
    /// The stages and their summaries; the reference of reasons is in the guide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The App that a revision was made from.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppSeen {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its generation.
    pub generation: i64,
}

impl AppSeen {
    /// The App as it was read.
    #[must_use]
    pub fn of(app: &super::App) -> Self {
        Self {
            name: app.name_any(),
            uid: app.uid().unwrap_or_default(),
            generation: app.metadata.generation.unwrap_or_default(),
        }
    }
}

/// A component as it runs.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Its active slot.
    #[schemars(length(max = 1))]
    pub slot: String,
    /// How many pods it shall have.
    pub replicas: i32,
    /// The port of its Service; absent: it takes no requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// The newest migration in the record.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// Its key.
    #[schemars(length(max = 128))]
    pub key: String,
    /// The revision that brought it.
    pub revision: i64,
}

fn three_hundred() -> i32 {
    300
}
fn url_key() -> String {
    "url".to_owned()
}
