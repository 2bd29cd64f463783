//! GitHub.

mod approval;
mod deployments;

use async_trait::async_trait;
use http::Method;
use serde_json::json;

use super::announcement::description;
use super::comments::Thread;
use super::pages::{Ending, List};
use super::session::Session;
use super::shape::{File, Pull};
use super::status::Combined;
use super::{
    Approval, Comment, CommitStatus, Deployment, Failure, Files, GitHost, Head, Listed,
    PullRequest, RateLimit, Repository, StatusState,
};

/// GitHub, or GitHub Enterprise Server.
pub(super) struct GitHub(pub Session);

/// The word for a state, which Forgejo uses too.
pub(super) fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
    }
}

#[async_trait]
impl GitHost for GitHub {
    async fn open(&self, repository: &Repository) -> Result<Listed, Failure> {
        let list = List {
            path: &format!(
                "/repos/{repository}/pulls?state=open&sort=updated&direction=desc&per_page=50"
            ),
            most_pages: 20,
            ending: Ending::Link,
            purpose: &format!("read the pull requests of {repository}"),
        };
        self.0.open_list(&list, Pull::read).await
    }

    async fn pull_request(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<PullRequest>, Failure> {
        let path = format!("/repos/{repository}/pulls/{number}");
        let purpose = format!("read the pull requests of {repository}");
        let found = self.0.find::<Pull>(&path, &purpose).await?;
        Ok(found.and_then(Pull::read))
    }

    async fn approval(
        &self,
        repository: &Repository,
        pull_request: &PullRequest,
        label: &str,
    ) -> Result<Option<Approval>, Failure> {
        self.label_given(repository, pull_request, label).await
    }

    async fn changed_files(&self, repository: &Repository, number: u64) -> Result<Files, Failure> {
        let list = List {
            path: &format!("/repos/{repository}/pulls/{number}/files?per_page=100"),
            most_pages: 10,
            ending: Ending::Link,
            purpose: &format!("read the pull requests of {repository}"),
        };
        let files = self.0.list::<File>(&list).await?;
        Ok(Files::of(
            files.map(|files| files.into_iter().flat_map(File::paths)),
        ))
    }

    async fn set_status(
        &self,
        repository: &Repository,
        head: &Head,
        status: &CommitStatus,
    ) -> Result<(), Failure> {
        let (session, sha) = (&self.0, &head.sha);
        let thing = format!("status {repository} {sha} {}", status.context);
        if session.memory.is_told(&thing, status) {
            return Ok(());
        }
        let purpose = format!("write commit statuses of {repository}");
        let path = format!("/repos/{repository}/commits/{sha}/status?per_page=100");
        let said: Combined = session.get(&path, &purpose).await?;
        if !said.says(status, word(status.state)) {
            let path = format!("/repos/{repository}/statuses/{sha}");
            let body = body(status);
            session.send(Method::POST, &path, body, &purpose).await?;
        }
        session.memory.keep_told(&thing, status);
        Ok(())
    }

    async fn set_deployment(
        &self,
        repository: &Repository,
        sha: &str,
        deployment: &Deployment,
    ) -> Result<(), Failure> {
        self.deploy(repository, sha, deployment).await
    }

    async fn end_deployments(
        &self,
        repository: &Repository,
        sha: Option<&str>,
        environment: &str,
        preview: &str,
    ) -> Result<(), Failure> {
        self.end(repository, sha, environment, preview).await
    }

    async fn set_comment(
        &self,
        repository: &Repository,
        number: u64,
        comment: &Comment,
    ) -> Result<(), Failure> {
        let post = format!("/repos/{repository}/issues/{number}/comments");
        let thread = Thread {
            list: format!("{post}?per_page=100"),
            post,
            edit: format!("/repos/{repository}/issues/comments"),
            edit_method: Method::PATCH,
            shown: format!("pull request {number} of {repository}"),
        };
        self.0.one_comment(&thread, comment).await
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        self.0.memory.limit()
    }
}

/// A status as GitHub and Forgejo take it.
pub(super) fn body(status: &CommitStatus) -> serde_json::Value {
    let mut body = json!({
        "context": status.context,
        "state": word(status.state),
        "description": description(&status.description),
    });
    if let (Some(url), Some(fields)) = (&status.url, body.as_object_mut()) {
        fields.insert("target_url".into(), json!(url));
    }
    body
}
