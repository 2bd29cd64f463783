//! Who gave a label, from GitLab's label events and the versions of the merge request.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::approval::{Happened, in_order, newest};
use super::super::pages::{Ending, List};
use super::super::shape::Label;
use super::super::{Approval, Failure, PullRequest, Repository};
use super::{GitLab, merge_request, project, reading};

/// Who may push to a project: Developer, and all above.
const DEVELOPER: u32 = 30;

/// A label that came or went.
#[derive(Deserialize)]
struct LabelEvent {
    user: Option<Member>,
    created_at: Timestamp,
    /// Absent: it was deleted since.
    label: Option<Label>,
    action: String,
}

#[derive(Deserialize)]
struct Member {
    id: u64,
    username: String,
}

/// A state that the branch had, by the host's clock.
#[derive(Deserialize)]
struct Version {
    head_commit_sha: String,
    created_at: Timestamp,
}

/// What somebody may do.
#[derive(Deserialize)]
struct Access {
    access_level: u32,
    state: Option<String>,
}

impl GitLab {
    pub(super) async fn label_given(
        &self,
        repository: &Repository,
        pull_request: &PullRequest,
        label: &str,
    ) -> Result<Option<Approval>, Failure> {
        if !pull_request.labels.iter().any(|has| has == label) {
            return Ok(None);
        }
        let number = pull_request.head.number;
        let events: Vec<LabelEvent> = self
            .all(repository, number, "resource_label_events")
            .await?;
        let versions: Vec<Version> = self.all(repository, number, "versions").await?;
        let pushes = versions.into_iter();
        let pushes = pushes.map(|version| (version.created_at, version.head_commit_sha));
        let labels = events.iter().filter_map(|event| event.read(label));
        let happened = in_order(labels.collect(), pushes);
        let Some((by, at, sha)) = newest(&happened) else {
            return Ok(None);
        };
        let users = events.iter().filter_map(|event| event.user.as_ref());
        let mut id = users.filter(|user| user.username == by).map(|user| user.id);
        let is_maintainer = match id.next_back() {
            Some(id) => self.may_write(repository, id).await?,
            None => false,
        };
        Ok(Some(Approval {
            by: by.to_owned(),
            is_maintainer,
            at,
            sha: sha.map(Into::into),
        }))
    }

    async fn all<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        number: u64,
        what: &str,
    ) -> Result<Vec<T>, Failure> {
        let path = merge_request(repository, number);
        let list = List {
            path: &format!("{path}/{what}?per_page=100"),
            most_pages: 10,
            ending: Ending::Link,
            purpose: &reading(repository),
        };
        let all = self.0.list(&list).await?;
        all.ok_or_else(|| {
            Failure::Refused(format!(
                "merge request {number} of {repository} has too many versions or labels to find who gave the label: it \
                 must be opened anew"
            ))
        })
    }

    async fn may_write(&self, repository: &Repository, user: u64) -> Result<bool, Failure> {
        let path = format!("{}/members/all/{user}", project(repository));
        let purpose = format!("read the members of {repository}");
        let found: Option<Access> = self.0.find(&path, &purpose).await?;
        Ok(found.is_some_and(|found| {
            found.access_level >= DEVELOPER
                && found.state.as_deref().unwrap_or("active") == "active"
        }))
    }
}

impl LabelEvent {
    fn read(&self, label: &str) -> Option<(Timestamp, Happened)> {
        let at = self.created_at;
        self.label.as_ref().filter(|of| of.name == label)?;
        match self.action.as_str() {
            "add" => {
                let by = self.user.as_ref().map(|user| user.username.clone());
                let by = by.unwrap_or_default();
                Some((at, Happened::Labelled { by, at }))
            }
            "remove" => Some((at, Happened::Unlabelled)),
            _ => None,
        }
    }
}
