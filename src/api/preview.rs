//! `Preview`: one pull request of an App, live.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::environment::{AppRef, Release};

/// One pull request of an App, live: it stamps an Environment of its own name, which it owns, and it expires.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[kube(
    group = "towpath.dev",
    version = "v1alpha1",
    kind = "Preview",
    shortname = "tpr",
    category = "towpath",
    namespaced,
    status = "PreviewStatus",
    derive = "PartialEq",
    selectable = ".spec.appRef.name",
    doc = "One pull request of an App, live: it stamps an Environment of its own name, which it owns, and it expires.",
    printcolumn(name = "PR", type_ = "integer", json_path = ".spec.pullRequest.number"),
    printcolumn(name = "App", type_ = "string", json_path = ".spec.appRef.name"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresTime"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 30").message("the name of a Preview must have at most 30 characters"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name of a Preview must start with a letter and hold only lower-case letters, digits and '-'"),
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewSpec {
    /// The App, in the same namespace; its `preview` section says how the preview looks. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("appRef must not change: it is immutable"))]
    pub app_ref: AppRef,
    /// The pull request that is shown.
    pub pull_request: PullRequest,
    /// What runs: the images of the pull request's head. Another release is a push, from which the time to live is counted
    /// anew.
    pub release: Release,
}

/// A pull request, or merge request.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PullRequest {
    /// Its number. An App has one Preview of each. Immutable.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("number must not change: it is immutable"))]
    pub number: i64,
    /// Name of its branch; shown, and named in nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub branch: Option<String>,
    /// Where people read it; shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub url: Option<String>,
    /// Who wrote it; shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub author: Option<String>,
    /// Whether its commits come from another repository: the preview then reads no Secret and gets no seed data. Immutable.
    /// Default: false.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("fork must not change: it is immutable"))]
    pub fork: bool,
}

/// What the controller sees and says. Nothing is remembered here: whoever deletes it gets the same decisions.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewStatus {
    /// The generation of the Preview that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The first host, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub url: Option<String>,
    /// What serves, in short: the image's tag or digest, and the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub release: Option<String>,
    /// When it expires; absent while nobody waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub expires_time: Option<String>,
    /// The stages and their summaries; the reference of reasons is in the guide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
