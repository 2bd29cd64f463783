//! What the Git host shows of previews. It outlives the controller.

use std::collections::BTreeMap;

use towpath::git::{Comment, CommitStatus, Deployment, DeploymentState, Head, StatusState};

/// What the host shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The status of each commit.
    statuses: BTreeMap<String, CommitStatus>,
    /// The state of each deployment, by commit.
    deployments: BTreeMap<String, DeploymentState>,
    /// The comments: their marks and titles.
    comments: Vec<(String, String)>,
}

impl Shown {
    /// Shows how a commit is.
    pub fn status(&mut self, head: &Head, status: &CommitStatus) {
        self.statuses.insert(head.sha.clone(), status.clone());
    }

    /// Shows a deployment.
    pub fn deployment(&mut self, sha: &str, deployment: &Deployment) {
        self.deployments.insert(sha.to_owned(), deployment.state);
    }

    /// Ends all deployments but one.
    pub fn end(&mut self, but: Option<&str>) {
        let all = self.deployments.iter_mut();
        let ended = all.filter(|(sha, _)| Some(sha.as_str()) != but);
        ended.for_each(|(_, state)| *state = DeploymentState::Inactive);
    }

    /// Writes a comment, or edits the one with its mark.
    pub fn comment(&mut self, comment: &Comment) {
        let mut lines = comment.body().lines().map(str::to_owned);
        let (mark, title) = (lines.next(), lines.next());
        let (mark, title) = (mark.unwrap_or_default(), title.unwrap_or_default());
        match self.comments.iter_mut().find(|known| known.0 == mark) {
            Some(known) => known.1 = title,
            None => self.comments.push((mark, title)),
        }
    }

    /// Everything, a line each.
    pub fn lines(&self) -> Vec<String> {
        // Which of the states on the way was told last is a matter of time.
        let statuses = self.statuses.iter();
        let statuses = statuses.filter(|(_, status)| status.state != StatusState::Pending);
        let statuses = statuses.map(|(sha, status)| {
            format!("status {sha}: {:?}: {}", status.state, status.description)
        });
        let deployments = self.deployments.iter();
        let deployments = deployments.map(|(sha, state)| format!("deployment {sha}: {state:?}"));
        let comments = self.comments.iter();
        let comments = comments.map(|(_, title)| format!("comment: {title}"));
        statuses.chain(deployments).chain(comments).collect()
    }
}
