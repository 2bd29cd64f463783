//! What is said of an App: its previews, and the pull requests that get none.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller sees and says of an App. Nothing is remembered here: whoever deletes it gets the same decisions.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppStatus {
    /// The generation of the App that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many previews of the App are live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_previews: Option<i64>,
    /// How many previews of the App wait for a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_previews: Option<i64>,
    /// Numbers of the pull requests whose previews wait for a place, in the order of the queue; the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub queue: Vec<i64>,
    /// How many pull requests are open at the source, as far as the host tells. Absent: there is no source, or the host has
    /// told nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_pull_requests: Option<i64>,
    /// Open pull requests of which not the newest commit is shown, and why, the newest first; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    pub skipped: Vec<Skipped>,
    /// The stage and its summaries; the reference of reasons is in the guide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 24))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// An open pull request of which not the newest commit is shown.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Its number.
    pub number: i64,
    /// Why, in a word.
    pub reason: SkipReason,
    /// Why, in a sentence.
    #[schemars(length(max = 512))]
    pub message: String,
}

/// Why a pull request gets no preview of its newest commit.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, JsonSchema)]
pub enum SkipReason {
    /// It does not have the label of the source.
    NotLabelled,
    /// It is a draft.
    Draft,
    /// A program opened it.
    Bot,
    /// It comes from a fork.
    Fork,
    /// No maintainer gave the label to its newest commit. What was approved before stays live.
    NotApproved,
    /// It changes nothing under the paths of the source.
    Untouched,
    /// Its Preview, or one of the name that it would get, was made by somebody else.
    MadeByOthers,
    /// The host has not told yet what must be known of it.
    Unknown,
}
