//! Who gave a label, from the events of the pull request and the pushes of its branch.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::approval::{Happened, in_order, newest};
use super::super::pages::{Ending, List};
use super::super::repository::escaped;
use super::super::shape::{Label, User};
use super::super::{Approval, Failure, Head, PullRequest, Repository};
use super::GitHub;
use crate::config::GitProvider;

/// Something that happened to a pull request.
#[derive(Deserialize)]
struct Event {
    event: String,
    actor: Option<User>,
    created_at: Option<Timestamp>,
    label: Option<Label>,
}

/// A push, by the host's clock.
#[derive(Deserialize)]
struct Activity {
    after: String,
    #[serde(rename = "ref")]
    name: String,
    timestamp: Timestamp,
}

/// What somebody may do.
#[derive(Deserialize)]
struct Permission {
    permission: String,
}

impl GitHub {
    pub(super) async fn label_given(
        &self,
        repository: &Repository,
        pull_request: &PullRequest,
        label: &str,
    ) -> Result<Option<Approval>, Failure> {
        if !pull_request.labels.iter().any(|has| has == label) {
            return Ok(None);
        }
        let head = &pull_request.head;
        let labels = self.labels(repository, head.number, label).await?;
        let happened = in_order(labels, self.pushes(head).await?.into_iter());
        let Some((by, at, sha)) = newest(&happened) else {
            return Ok(None);
        };
        Ok(Some(Approval {
            by: by.to_owned(),
            is_maintainer: self.may_write(repository, by).await?,
            at,
            sha: sha.map(Into::into),
        }))
    }

    async fn labels(
        &self,
        repository: &Repository,
        number: u64,
        label: &str,
    ) -> Result<Vec<(Timestamp, Happened)>, Failure> {
        let list = List {
            path: &format!("/repos/{repository}/issues/{number}/events?per_page=100"),
            most_pages: 10,
            ending: Ending::Link,
            purpose: &format!("read the pull requests of {repository}"),
        };
        let Some(events) = self.0.list::<Event>(&list).await? else {
            return Err(Failure::Refused(format!(
                "pull request {number} of {repository} has too many events to find who gave the label: it must be opened anew"
            )));
        };
        let read = |event: Event| event.read(label);
        Ok(events.into_iter().filter_map(read).collect())
    }

    /// The pushes to the branch, as the repository that has it tells; none where that repository may not be read.
    async fn pushes(&self, head: &Head) -> Result<Vec<(Timestamp, String)>, Failure> {
        let name = head.repository.as_deref().unwrap_or_default();
        let Ok(repository) = Repository::parse(GitProvider::GitHub, name) else {
            return Ok(Vec::new());
        };
        let full = format!("refs/heads/{}", head.branch);
        let path = format!(
            "/repos/{repository}/activity?ref={}&per_page=100",
            escaped(&full)
        );
        let purpose = format!("read the activity of {repository}");
        let pushes: Vec<Activity> = match self.0.get(&path, &purpose).await {
            Ok(pushes) => pushes,
            Err(Failure::Refused(_)) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let of_branch = pushes.into_iter().filter(|push| push.name == full);
        Ok(of_branch.map(|push| (push.timestamp, push.after)).collect())
    }

    async fn may_write(&self, repository: &Repository, login: &str) -> Result<bool, Failure> {
        let path = format!(
            "/repos/{repository}/collaborators/{}/permission",
            escaped(login)
        );
        let purpose = format!("read who may write to {repository}");
        let found: Option<Permission> = self.0.find(&path, &purpose).await?;
        Ok(found.is_some_and(|found| ["admin", "write"].contains(&&*found.permission)))
    }
}

impl Event {
    fn read(self, label: &str) -> Option<(Timestamp, Happened)> {
        let (at, of) = (self.created_at?, self.label?);
        if of.name != label {
            return None;
        }
        let by = self.actor.unwrap_or_default().name().to_owned();
        match self.event.as_str() {
            "labeled" => Some((at, Happened::Labelled { by, at })),
            "unlabeled" => Some((at, Happened::Unlabelled)),
            _ => None,
        }
    }
}
