//! Who gave a label, from the timeline of the pull request.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::approval::{Happened, in_order, newest};
use super::super::pages::{Ending, List};
use super::super::repository::escaped;
use super::super::shape::{Label, User};
use super::super::{Approval, Failure, PullRequest, Repository};
use super::{Forgejo, reading};

/// Something that happened to a pull request.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    user: Option<User>,
    created_at: Timestamp,
    body: Option<String>,
    label: Option<Label>,
}

/// The text of a push: its commits, the oldest first.
#[derive(Deserialize)]
struct Push {
    commit_ids: Vec<String>,
}

/// What somebody may do.
#[derive(Deserialize)]
struct Permission {
    permission: String,
}

impl Forgejo {
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
        let list = List {
            path: &format!("/repos/{repository}/issues/{number}/timeline?limit=50"),
            most_pages: 21,
            // The host sends no links here.
            ending: Ending::Empty,
            purpose: &reading(repository),
        };
        let Some(events) = self.0.list::<Event>(&list).await? else {
            return Err(Failure::Refused(format!(
                "pull request {number} of {repository} has too many events to find who gave the label: it must be opened anew"
            )));
        };
        let labels = events.iter().filter_map(|event| event.label(label));
        let pushes = events.iter().filter_map(Event::push);
        let happened = in_order(labels.collect(), pushes);
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

    async fn may_write(&self, repository: &Repository, login: &str) -> Result<bool, Failure> {
        let path = format!(
            "/repos/{repository}/collaborators/{}/permission",
            escaped(login)
        );
        let purpose = format!("read who may write to {repository}");
        let found: Option<Permission> = self.0.find(&path, &purpose).await?;
        Ok(found
            .is_some_and(|found| ["owner", "admin", "write"].contains(&found.permission.as_str())))
    }
}

impl Event {
    /// The label that came, with the text `1`, or went.
    fn label(&self, label: &str) -> Option<(Timestamp, Happened)> {
        let is_label = self.kind == "label" && self.label.as_ref()?.name == label;
        let at = self.created_at;
        match self.body.as_deref() {
            _ if !is_label => None,
            Some("1") => {
                let by = self.user.as_ref().map(|user| user.name().to_owned());
                let by = by.unwrap_or_default();
                Some((at, Happened::Labelled { by, at }))
            }
            _ => Some((at, Happened::Unlabelled)),
        }
    }

    /// The newest commit of a push. The host notes the first commits too when the pull request is opened.
    fn push(&self) -> Option<(Timestamp, String)> {
        let body = self.body.as_deref().filter(|_| self.kind == "pull_push")?;
        let push: Push = serde_json::from_str(body).ok()?;
        Some((self.created_at, push.commit_ids.last()?.clone()))
    }
}
