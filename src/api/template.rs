//! The `preview` section of an App: how a preview of it looks.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Route;
use super::rules;
use super::shared::{EnvVar, NameRef, Resources};
use crate::config::GitProvider;

/// How a preview of an App looks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.env) || self.env.all(e, !e.name.startsWith('TOWPATH_'))")
    .message("the name of a variable of a preview must not start with TOWPATH_: these tell the app that it is one"),
    validation = Rule::new("!has(self.forks) || self.forks != 'Labelled' || !has(self.source) || has(self.source.label)")
    .message("with forks: Labelled the source must have a label: the one that lets a commit of a fork in"))]
pub struct PreviewTemplate {
    /// Hosts on which a preview answers. `{app}` and `{number}` stand for the App's name and the number of the pull request.
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".into()]))]
    pub hosts: Vec<PreviewHost>,
    /// The components that run, with one pod each unless more are said. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<PreviewComponent>,
    /// Variables of every component of a preview; they win over the App's and its components'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// The only Secrets that a preview may read, beside its database's own and the App's pull Secrets. A variable that needs
    /// another must get a value in `env`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<NameRef>,
    /// Where a preview may connect to, beside its own pods and names in DNS. Default: nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub egress: Vec<Egress>,
    /// How long a preview lives after the last push, in seconds. Default: 604800, a week.
    #[serde(default = "week")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub ttl_seconds: i32,
    /// After how long without a request a preview sleeps, in seconds: its pods go, and its database's pod; its data stays,
    /// and the first request wakes it. The controller must have an activator, which passes requests on. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 604_800))]
    pub sleep_after_seconds: Option<i32>,
    /// How many previews of the App may be live at once; the others wait in a queue. Default: 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 500))]
    pub max_previews: i32,
    /// The database that a preview gets. An App with a database must say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<PreviewDatabase>,
    /// Whether a pull request of a fork gets a preview. Default: `Deny`.
    #[serde(default)]
    pub forks: Forks,
    /// The repository whose pull requests get previews without anyone doing anything. Default: Previews are made by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Whether a pull request of a fork gets a preview.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Forks {
    /// It gets none.
    #[default]
    Deny,
    /// It gets one of the commit that was its head when a maintainer gave it the source's label. Such a preview reads no
    /// Secret and gets no seed data.
    Labelled,
}

/// A repository on a Git host whose pull requests get previews.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Whose API the host speaks.
    pub provider: GitProvider,
    /// Name of the host in the controller's configuration (`git.hosts`). Default: the only one of this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = r"^[-a-z0-9]+$"))]
    pub host: Option<String>,
    /// The repository, such as `acme/shop`.
    #[schemars(
        length(min = 3, max = 255),
        regex(pattern = r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$")
    )]
    pub repository: String,
    /// Secret in the same namespace that holds the token with which the host is asked.
    pub secret_ref: NameRef,
    /// Key of the token. Default: `token`.
    #[serde(default = "token_key")]
    #[schemars(length(min = 1, max = 253))]
    pub token_key: String,
    /// Only pull requests with this label get a preview. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub label: Option<String>,
    /// The image of a pull request, such as `registry.example.com/shop:pr-{number}-{shortSha}`. `{sha}` and `{shortSha}` are
    /// 40 and 7 characters of its head commit, never of a merge commit.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9._:/]|[{](number|sha|shortSha)[}])*$') && self.matches('[{](number|sha|shortSha)[}]')")
            .message("image must hold {number}, {sha} or {shortSha}, and nothing else in braces"),
        validation = Rule::new("self.matches(':([a-zA-Z0-9_]|[{][a-zA-Z]+[}])([-a-zA-Z0-9_.]|[{][a-zA-Z]+[}])*$')")
            .message("image must name a tag, such as registry.example.com/shop:pr-{number}-{shortSha}"),
    )]
    pub image: String,
    /// Images of components with a repository of their own, written in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<SourceImage>,
    /// A pull request that changes nothing under these paths gets no preview: files and folders, from the root of the
    /// repository, such as `services/shop`. Default: every one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)))]
    #[x_kube(validation = Rule::new("self.all(p, !p.startsWith('/') && !p.startsWith('./') && !p.contains('*'))")
        .message("paths must be files or folders such as services/shop, from the root of the repository, without / or ./ at the beginning and without *"))]
    pub paths: Vec<String>,
    /// Whether drafts get a preview. Default: true.
    #[serde(default = "yes")]
    pub drafts: bool,
    /// Whether pull requests of bots get a preview. Default: false.
    #[serde(default)]
    pub bots: bool,
    /// Whether one comment on the pull request tells how its preview is. Default: false.
    #[serde(default)]
    pub comment: bool,
    /// Whether that comment shows the last lines that a failed container wrote: for repositories that not everybody reads. Those
    /// of forks are never shown. Default: false.
    #[serde(default)]
    pub logs: bool,
}

/// A host of a preview, and what answers on it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewHost {
    /// DNS name, such as `{app}-pr-{number}.preview.example.com`. Its first label must hold `{number}`.
    #[schemars(
        length(min = 1, max = 240),
        regex(
            pattern = r"^([a-z0-9]|\{app\}|\{number\})(([-a-z0-9]|\{app\}|\{number\})*([a-z0-9]|\{app\}|\{number\}))?(\.([a-z0-9]|\{app\}|\{number\})(([-a-z0-9]|\{app\}|\{number\})*([a-z0-9]|\{app\}|\{number\}))?)*$"
        )
    )]
    #[x_kube(
        validation = Rule::new("self.matches('^[^.]*[{]number[}]') && !self.matches('^[^.]*[{]number[}][^.]*[{]number[}]') && !self.matches('^[^.]*[{]app[}][^.]*[{]app[}]')")
            .message("the first label of the host of a preview must hold {number} once, and {app} at most once"),
        validation = Rule::new("self.matches('^[^.]{1,45}([.]|$)')")
            .message("the first label of the host of a preview must have at most 45 characters"),
    )]
    pub host: String,
    /// Paths of the host; the longest prefix wins.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub routes: Vec<Route>,
}

/// A component of a preview.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewComponent {
    /// Name of the component.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,
    /// How many pods. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10))]
    pub replicas: i32,
    /// What each pod asks for and may use. Default: the App's; where that sets no limit, a core and 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Addresses that a preview may connect to.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Egress {
    /// Addresses, such as `203.0.113.0/24`; `0.0.0.0/0` is everywhere.
    #[schemars(length(min = 3, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,3}[.]){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$|^[0-9a-fA-F:]*:[0-9a-fA-F:]*/[0-9]{1,3}$')").message("cidr must be addresses such as 203.0.113.0/24"))]
    pub cidr: String,
    /// TCP ports. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<i32>,
}

/// The database of a preview. It goes with the preview.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(self.provider == 'Dedicated') == has(self.dedicated)")
        .message("database must have the member dedicated exactly when provider is Dedicated"),
    validation = Rule::new("(self.provider == 'Server') == has(self.server)")
        .message("database must have the member server exactly when provider is Server"),
)]
pub struct PreviewDatabase {
    /// `Dedicated`: a PostgreSQL of its own, one pod and a volume. `Server`: a database on a shared PostgreSQL. Provider,
    /// server, version and class of the volume stay as a preview was made with until it goes.
    pub provider: PreviewProvider,
    /// Settings of provider `Dedicated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedicated: Option<PreviewDedicated>,
    /// Settings of provider `Server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<PreviewServer>,
    /// When a preview gets a new database, without the data of the one before. Default: `OnMigrationChange`.
    #[serde(default)]
    pub reset: Reset,
    /// A command that fills a new database once, after its migration and before the app starts: with the image that migrates, or
    /// the first component's, and the same variables. It is no shell: `[sh, -c, "a && b"]` is. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub seed: Vec<String>,
}

/// When a preview gets a new database. It is made beside the one before, migrated and seeded; then the app moves, and the one
/// before is dropped.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum Reset {
    /// When the migration key changes that the release or its image declares. Where none is declared, data stays.
    #[default]
    OnMigrationChange,
    /// Only when a person asks for it.
    Never,
    /// With every release.
    Always,
}

impl Reset {
    /// Whether it is what nobody has to say.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A database on a shared PostgreSQL.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewServer {
    /// Name of the server in the controller's configuration (`postgres.servers`), which must allow this namespace.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// The database that new ones are copies of: marked as a template, and refusing connections. Default: an empty
    /// database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z_][a-z0-9_]*$"))]
    pub template: Option<String>,
}

/// Where the database of a preview comes from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum PreviewProvider {
    /// A server made for it alone.
    Dedicated,
    /// Made on a server that the controller's configuration names.
    Server,
}

/// A PostgreSQL of its own.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::size("1Gi"))]
pub struct PreviewDedicated {
    /// Major version, one that the controller's configuration has an image for.
    #[schemars(length(min = 1, max = 8), regex(pattern = r"^[0-9]+$"))]
    pub version: String,
    /// Size of its volume.
    #[schemars(length(min = 1, max = 32))]
    pub size: String,
    /// StorageClass of its volume. Default: the cluster's default.
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

/// The image of a component with a repository of its own.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceImage {
    /// Name of the component.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,
    /// Its image, written as the source's `image`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9._:/]|[{](number|sha|shortSha)[}])*$') && self.matches('[{](number|sha|shortSha)[}]')")
            .message("image must hold {number}, {sha} or {shortSha}, and nothing else in braces"),
        validation = Rule::new("self.matches(':([a-zA-Z0-9_]|[{][a-zA-Z]+[}])([-a-zA-Z0-9_.]|[{][a-zA-Z]+[}])*$')")
            .message("image must name a tag, such as registry.example.com/shop:pr-{number}-{shortSha}"),
    )]
    pub image: String,
}

fn token_key() -> String {
    "token".to_owned()
}
fn yes() -> bool {
    true
}
fn one() -> i32 {
    1
}
fn twenty() -> i32 {
    20
}
fn week() -> i32 {
    604_800
}
