//! What GitHub answers, and Forgejo after its model. What is not needed is not read, and what may be missing is optional:
//! one odd pull request must not hide the others.

use jiff::Timestamp;
use serde::Deserialize;

use super::pull_request::{Head, PullRequest, is_bot_name, is_sha};

/// A pull request.
#[derive(Deserialize)]
pub(super) struct Pull {
    number: u64,
    title: String,
    html_url: String,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    user: Option<User>,
    labels: Option<Vec<Label>>,
    head: Branch,
    base: Branch,
    updated_at: Timestamp,
}

/// One side of a pull request.
#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
    #[serde(default)]
    sha: Option<String>,
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

/// Somebody. Which of the names there is depends on the host; Forgejo sends both.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct User {
    login: Option<String>,
    username: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A label.
#[derive(Deserialize)]
pub(super) struct Label {
    pub name: String,
}

impl User {
    /// The name to log in by.
    pub fn name(&self) -> &str {
        let name = self.login.as_deref().or(self.username.as_deref());
        name.unwrap_or("ghost")
    }

    /// Whether it is a program: as GitHub says, else by its name.
    pub fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot") || is_bot_name(self.name())
    }
}

impl Pull {
    /// The pull request; `None` where it has no commit that could run.
    pub fn read(self) -> Option<PullRequest> {
        let sha = self.head.sha.filter(|sha| is_sha(sha))?;
        let repository = self.head.repo.map(|repo| repo.full_name);
        let base = self.base.repo.map(|repo| repo.full_name);
        let user = self.user.unwrap_or_default();
        Some(PullRequest {
            head: Head {
                number: self.number,
                sha,
                branch: self.head.name,
                // Who cannot be seen is foreign.
                is_from_fork: repository.is_none() || repository != base,
                repository,
            },
            title: self.title,
            url: self.html_url,
            author: user.name().to_owned(),
            is_bot: user.is_bot(),
            is_draft: self.draft.unwrap_or_default(),
            labels: names(self.labels),
            is_open: self.state == "open",
            updated: self.updated_at,
        })
    }
}

fn names(labels: Option<Vec<Label>>) -> Vec<String> {
    let labels = labels.unwrap_or_default();
    labels.into_iter().map(|label| label.name).collect()
}

/// A changed file.
#[derive(Deserialize)]
pub(super) struct File {
    filename: String,
    previous_filename: Option<String>,
}

impl File {
    /// Where it is, and where it was if that is elsewhere.
    pub fn paths(self) -> impl Iterator<Item = String> {
        let before = self.previous_filename.filter(|before| !before.is_empty());
        [Some(self.filename), before].into_iter().flatten()
    }
}
