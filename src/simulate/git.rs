//! A repository on a Git host, as far as an App's source asks for it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::git::{Approval, Files, Head, Listed, PullRequest};

/// The pull requests of a repository. Nothing happens to them but by these functions.
#[derive(Clone, Debug, Default)]
pub struct Hosted {
    /// Whether the host gives no answer.
    pub is_silent: bool,
    pull_requests: BTreeMap<u64, PullRequest>,
    files: BTreeMap<u64, Vec<String>>,
    approvals: BTreeMap<u64, Approval>,
    happened: i64,
}

impl Hosted {
    /// Somebody opens a pull request, opens it again, or pushes to it. To one that is closed a push changes no more than its
    /// newest commit.
    pub fn push(&mut self, number: u64, sha: &str) {
        let known = self.pull_requests.entry(number);
        let told = known.or_insert_with(|| opened(number));
        told.head.sha = sha.to_owned();
        self.touch(number);
    }

    /// It is opened again.
    pub fn reopen(&mut self, number: u64) {
        self.edit(number, |told| told.is_open = true);
    }

    /// It is closed or merged.
    pub fn close(&mut self, number: u64) {
        self.edit(number, |told| told.is_open = false);
    }

    /// Anything else about it changes.
    pub fn edit(&mut self, number: u64, edit: impl FnOnce(&mut PullRequest)) {
        if let Some(told) = self.pull_requests.get_mut(&number) {
            edit(told);
            self.touch(number);
        }
    }

    /// What it changes.
    pub fn changes(&mut self, number: u64, files: &[&str]) {
        let files = files.iter().map(|file| (*file).to_owned());
        self.files.insert(number, files.collect());
        self.touch(number);
    }

    /// A maintainer gives it a label, for its newest commit.
    pub fn approve(&mut self, number: u64, label: &str) {
        self.edit(number, |told| told.labels.push(label.to_owned()));
        let sha = self.pull_request(number).map(|told| told.head.sha);
        let approval = Approval {
            by: "maria".to_owned(),
            is_maintainer: true,
            at: self.now(),
            sha,
        };
        self.approvals.insert(number, approval);
    }

    /// The open ones.
    #[must_use]
    pub fn open(&self) -> Listed {
        let open = self.pull_requests.values().filter(|told| told.is_open);
        Listed {
            pull_requests: open.cloned().collect(),
            is_cut: false,
        }
    }

    /// One of them, open or not.
    #[must_use]
    pub fn pull_request(&self, number: u64) -> Option<PullRequest> {
        self.pull_requests.get(&number).cloned()
    }

    /// Who gave it this label.
    #[must_use]
    pub fn approval(&self, number: u64, label: &str) -> Option<Approval> {
        let told = self.pull_requests.get(&number)?;
        let is_labelled = told.labels.iter().any(|known| known == label);
        is_labelled.then(|| self.approvals.get(&number).cloned())?
    }

    /// What it changes.
    #[must_use]
    pub fn changed_files(&self, number: u64) -> Files {
        Files::Paths(self.files.get(&number).cloned().unwrap_or_default())
    }

    fn touch(&mut self, number: u64) {
        self.happened += 1;
        let now = self.now();
        if let Some(told) = self.pull_requests.get_mut(&number) {
            told.updated = now;
        }
    }

    /// The host's own clock: it goes on when something happens.
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.happened).unwrap_or_default()
    }
}

fn opened(number: u64) -> PullRequest {
    PullRequest {
        head: Head {
            number,
            sha: String::new(),
            branch: format!("feature-{number}"),
            is_from_fork: false,
            repository: None,
        },
        title: format!("Feature {number}"),
        url: format!("https://git.example.com/acme/shop/pulls/{number}"),
        author: "dev".to_owned(),
        is_bot: false,
        is_draft: false,
        labels: Vec::new(),
        is_open: true,
        updated: Timestamp::UNIX_EPOCH,
    }
}
