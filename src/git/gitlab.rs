//! GitLab. Its merge requests are the pull requests.

mod approval;
mod shape;

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::json;

use super::announcement::description;
use super::comments::Thread;
use super::pages::{Ending, List};
use super::repository::escaped;
use super::session::{Ask, Session};
use super::status::Said;
use super::{
    Approval, Comment, CommitStatus, Deployment, Failure, Files, GitHost, Head, Listed,
    PullRequest, RateLimit, Repository, StatusState,
};
use shape::{Diff, MergeRequest};

/// GitLab.
pub(super) struct GitLab(pub Session);

fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failed",
    }
}

/// The path of a project.
fn project(repository: &Repository) -> String {
    format!("/projects/{}", repository.as_one_part())
}

/// The path of a merge request.
fn merge_request(repository: &Repository, number: u64) -> String {
    format!("{}/merge_requests/{number}", project(repository))
}

fn reading(repository: &Repository) -> String {
    format!("read the merge requests of {repository}")
}

#[async_trait]
impl GitHost for GitLab {
    async fn open(&self, repository: &Repository) -> Result<Listed, Failure> {
        // Descriptions are up to 1 MiB each: small pages.
        let list = List {
            path: &format!(
                "{}/merge_requests?state=opened&order_by=updated_at&sort=desc&per_page=20",
                project(repository)
            ),
            most_pages: 50,
            ending: Ending::Link,
            purpose: &reading(repository),
        };
        let read = |found: MergeRequest| found.read(repository);
        self.0.open_list(&list, read).await
    }

    async fn pull_request(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<PullRequest>, Failure> {
        let path = merge_request(repository, number);
        let purpose = reading(repository);
        let found: Option<MergeRequest> = self.0.find(&path, &purpose).await?;
        Ok(found.and_then(|found| found.read(repository)))
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
        // The list comes with the changes themselves: small pages.
        let list = List {
            path: &format!("{}/diffs?per_page=30", merge_request(repository, number)),
            most_pages: 34,
            ending: Ending::Link,
            purpose: &reading(repository),
        };
        let diffs = self.0.list::<Diff>(&list).await?;
        Ok(Files::of(
            diffs.map(|diffs| diffs.into_iter().flat_map(Diff::paths)),
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
        let path = format!(
            "{}/repository/commits/{sha}/statuses?name={}&per_page=100",
            project(repository),
            escaped(&status.context)
        );
        let said: Vec<Said> = session.get(&path, &purpose).await?;
        if !said.iter().any(|said| said.is(status, word(status.state))) {
            self.say(repository, head, status, &purpose).await?;
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
        let post = format!("{}/notes", merge_request(repository, number));
        let thread = Thread {
            list: format!(
                "{post}?sort=asc&order_by=created_at&activity_filter=only_comments&per_page=100"
            ),
            edit: post.clone(),
            post,
            edit_method: Method::PUT,
            shown: format!("merge request {number} of {repository}"),
        };
        self.0.one_comment(&thread, comment).await
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        self.0.memory.limit()
    }
}

impl GitLab {
    async fn say(
        &self,
        repository: &Repository,
        head: &Head,
        status: &CommitStatus,
        purpose: &str,
    ) -> Result<(), Failure> {
        let path = format!("{}/statuses/{}", project(repository), head.sha);
        // Commits of a fork are on no branch of this project.
        let on = if head.is_from_fork {
            format!("refs/merge-requests/{}/head", head.number)
        } else {
            head.branch.clone()
        };
        let mut body = json!({
            "name": status.context,
            "state": word(status.state),
            "ref": on,
            "description": description(&status.description),
        });
        if let (Some(url), Some(fields)) = (&status.url, body.as_object_mut()) {
            fields.insert("target_url".into(), json!(url));
        }
        let ask = Ask::send(Method::POST, &path, body);
        let told = self.0.ask(&ask).await?;
        // Older versions take the text of a state that is there already, and then say that there is no way to it.
        let is_there = told.status == StatusCode::BAD_REQUEST
            && told.message().starts_with("Cannot transition status");
        if is_there {
            return Ok(());
        }
        self.0.accepted(&told, purpose)
    }
}
