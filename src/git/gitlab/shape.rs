//! What GitLab answers.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::pull_request::{Head, PullRequest, is_sha};
use super::super::shape::User;
use super::Repository;

/// A merge request.
#[derive(Deserialize)]
pub(super) struct MergeRequest {
    iid: u64,
    title: String,
    web_url: String,
    state: String,
    #[serde(default)]
    draft: bool,
    author: Option<User>,
    #[serde(default)]
    labels: Vec<String>,
    sha: Option<String>,
    source_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    updated_at: Timestamp,
}

impl MergeRequest {
    /// The pull request; `None` where it has no commit that could run.
    pub fn read(self, repository: &Repository) -> Option<PullRequest> {
        let is_from_fork = self.source_project_id != Some(self.target_project_id);
        let author = self.author.unwrap_or_default();
        Some(PullRequest {
            head: Head {
                number: self.iid,
                sha: self.sha.filter(|sha| is_sha(sha))?,
                branch: self.source_branch,
                is_from_fork,
                repository: (!is_from_fork).then(|| repository.to_string()),
            },
            title: self.title,
            url: self.web_url,
            author: author.name().to_owned(),
            is_bot: author.is_bot(),
            is_draft: self.draft,
            labels: self.labels,
            is_open: self.state == "opened",
            updated: self.updated_at,
        })
    }
}

/// The change of one file.
#[derive(Deserialize)]
pub(super) struct Diff {
    old_path: String,
    new_path: String,
}

impl Diff {
    /// Where it was, and where it is.
    pub fn paths(self) -> impl Iterator<Item = String> {
        [self.old_path, self.new_path].into_iter()
    }
}
