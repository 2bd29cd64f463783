//! Forgejo, and Gitea, whose API is the same here.

mod approval;

use async_trait::async_trait;
use http::{Method, StatusCode};

use super::comments::Thread;
use super::github::{body, word};
use super::pages::{Ending, List};
use super::session::{Ask, Session};
use super::shape::{File, Pull};
use super::status::Combined;
use super::{
    Approval, Comment, CommitStatus, Deployment, Failure, Files, GitHost, Head, Listed,
    PullRequest, RateLimit, Repository,
};

/// Forgejo, or Gitea.
pub(super) struct Forgejo(pub Session);

fn reading(repository: &Repository) -> String {
    format!("read the pull requests of {repository}")
}

#[async_trait]
impl GitHost for Forgejo {
    async fn open(&self, repository: &Repository) -> Result<Listed, Failure> {
        let list = List {
            path: &format!("/repos/{repository}/pulls?state=open&sort=recentupdate&limit=50"),
            most_pages: 20,
            ending: Ending::Link,
            purpose: &reading(repository),
        };
        self.0.open_list(&list, Pull::read).await
    }

    async fn pull_request(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<PullRequest>, Failure> {
        let path = format!("/repos/{repository}/pulls/{number}");
        let found = self.0.find::<Pull>(&path, &reading(repository)).await?;
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
            path: &format!("/repos/{repository}/pulls/{number}/files?limit=50"),
            most_pages: 20,
            ending: Ending::Link,
            purpose: &reading(repository),
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
        let said = self.said(repository, sha, &purpose).await?;
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
        _repository: &Repository,
        _sha: &str,
        _deployment: &Deployment,
    ) -> Result<(), Failure> {
        Ok(())
    }

    async fn end_deployments(
        &self,
        _repository: &Repository,
        _sha: Option<&str>,
        _environment: &str,
        _preview: &str,
    ) -> Result<(), Failure> {
        Ok(())
    }

    async fn set_comment(
        &self,
        repository: &Repository,
        number: u64,
        comment: &Comment,
    ) -> Result<(), Failure> {
        let post = format!("/repos/{repository}/issues/{number}/comments");
        let thread = Thread {
            list: format!("{post}?limit=50"),
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

impl Forgejo {
    /// What is said of a commit; older versions answer with nothing at all when nothing is.
    async fn said(
        &self,
        repository: &Repository,
        sha: &str,
        purpose: &str,
    ) -> Result<Combined, Failure> {
        let path = format!("/repos/{repository}/commits/{sha}/status?limit=50");
        let told = self.0.ask(&Ask::get(&path)).await?;
        if told.status == StatusCode::OK && told.content.is_empty() {
            return Ok(Combined::default());
        }
        self.0.read(&told, purpose)
    }
}
