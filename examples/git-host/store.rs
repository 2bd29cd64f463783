//! What the host knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

/// Everything, by repository.
#[derive(Default)]
pub struct Store {
    pub repositories: BTreeMap<String, Repository>,
}

/// A repository.
#[derive(Default)]
pub struct Repository {
    pub pulls: BTreeMap<u64, Pull>,
    /// By commit and context.
    pub statuses: BTreeMap<(String, String), Value>,
    pub deployments: Vec<Deployment>,
}

/// A deployment, as it was asked for.
pub struct Deployment {
    pub id: u64,
    pub made: Value,
    /// What was said of it, the oldest first.
    pub said: Vec<Value>,
}

/// A pull request.
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub branch: String,
    pub author: String,
    pub sha: String,
    /// The repository that its commits are in.
    pub from: String,
    pub state: &'static str,
    pub draft: bool,
    pub labels: Vec<String>,
    pub files: Vec<String>,
    pub updated: Timestamp,
    pub timeline: Vec<Value>,
    pub comments: Vec<Comment>,
}

/// A comment of whoever the token is of.
pub struct Comment {
    pub id: u64,
    pub body: String,
    /// How often it was edited.
    pub edits: u32,
}

/// What is said when a pull request is opened.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Opening {
    pub number: Option<u64>,
    pub title: String,
    pub branch: String,
    pub author: String,
    pub sha: Option<String>,
    pub fork: Option<String>,
    pub draft: bool,
    pub labels: Vec<String>,
    pub files: Vec<String>,
}

impl Repository {
    /// Opens a pull request, and says its number.
    pub fn open(&mut self, name: &str, opening: Opening) -> u64 {
        let next = self.pulls.last_key_value().map_or(1, |(last, _)| last + 1);
        let number = opening.number.unwrap_or(next);
        let mut pull = Pull {
            number,
            title: opening.title,
            branch: opening.branch,
            author: opening.author,
            sha: String::new(),
            from: opening.fork.unwrap_or_else(|| name.to_owned()),
            state: "open",
            draft: opening.draft,
            labels: opening.labels,
            files: opening.files,
            updated: Timestamp::now(),
            timeline: Vec::new(),
            comments: Vec::new(),
        };
        pull.push(opening.sha);
        self.pulls.insert(number, pull);
        number
    }
}

impl Pull {
    /// Gives it this head, or a new one.
    pub fn push(&mut self, sha: Option<String>) {
        self.updated = Timestamp::now();
        self.sha = sha.unwrap_or_else(|| invented(&format!("{} {}", self.number, self.updated)));
        let commits = json!({"is_force_push": false, "commit_ids": [self.sha]});
        let author = self.author.clone();
        self.happened("pull_push", &author, &commits.to_string(), Value::Null);
    }

    /// Gives it a label.
    pub fn label(&mut self, name: &str, by: &str) {
        self.updated = Timestamp::now();
        self.labels.push(name.to_owned());
        self.happened("label", by, "1", json!({"name": name}));
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.updated = Timestamp::now();
        self.state = "closed";
    }

    fn happened(&mut self, kind: &str, by: &str, body: &str, label: Value) {
        let at = Timestamp::now().to_string();
        self.timeline.push(json!({
            "id": self.timeline.len() + 1, "type": kind, "user": {"login": by}, "body": body, "label": label,
            "created_at": at,
        }));
    }

    /// As the API shows it.
    pub fn shown(&self, repository: &str, url: &str) -> Value {
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        json!({
            "number": self.number, "title": self.title, "state": self.state, "draft": self.draft, "labels": labels,
            "html_url": format!("{url}/{repository}/pulls/{}", self.number),
            "user": {"login": self.author},
            "head": {"ref": self.branch, "sha": self.sha, "repo": {"full_name": self.from}},
            "base": {"ref": "main", "repo": {"full_name": repository}},
            "updated_at": self.updated.to_string(),
        })
    }
}

/// Forty digits of a commit that nobody made.
fn invented(of: &str) -> String {
    let digest = digest(&SHA256, of.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.take(20).collect()
}
