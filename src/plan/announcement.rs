//! What a Git host is told of a preview, piece by piece, and what it was told last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::template::Source;
use crate::api::{Preview, labels};
use crate::build::hash;
use crate::git::{Comment, CommitStatus, Deployment, Head, Repository, StatusState};

/// What a Git host is told, and what is noted of it then.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Who is told.
    pub source: Source,
    /// Where.
    pub repository: Repository,
    /// Of which commit.
    pub head: Head,
    /// What it was not told yet, in this order.
    pub pieces: Vec<Piece>,
    /// What is noted when all of it is told.
    pub told: Told,
    /// What it was told before.
    pub before: Told,
    /// It is the last word: with it the Preview is let go, which keeps these finalizers.
    pub lets_go: Option<Vec<String>>,
}

/// Something that a Git host is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// How the preview is, on its commit.
    Status(CommitStatus),
    /// The deployment of its commit.
    Deployment(Deployment),
    /// That deployments to other commits have ended; without a commit, that all have.
    End {
        /// The environment that the host shows.
        environment: String,
        /// Whose deployments they are.
        preview: String,
        /// The commit whose deployment goes on.
        but: Option<String>,
    },
    /// The one comment.
    Comment(Comment),
}

/// What was told last: kept in an annotation of the Preview, so that nothing is told twice after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Told {
    /// The release that was spoken of.
    pub release: String,
    /// What was said of it.
    pub stand: Option<Stand>,
    /// When.
    pub at: Option<Timestamp>,
    /// The hash of each piece, by its name.
    pub pieces: BTreeMap<String, String>,
}

/// How a preview stands, for those who look at its pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stand {
    /// It has no place yet, or waits for its image.
    Queued,
    /// It is on its way.
    Waiting,
    /// It answers.
    Ready,
    /// A person must change something.
    Failed,
    /// Its time is over.
    Expired,
    /// Its pull request is closed.
    Closed,
}

impl Stand {
    /// Whether it ends by itself.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Waiting)
    }

    /// Whether nothing of it is there any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Closed)
    }

    /// The state of the commit. That a preview is over says nothing of its commit: what was said stays.
    #[must_use]
    pub fn on_commit(self, said: Option<Self>) -> StatusState {
        match self {
            Self::Queued | Self::Waiting => StatusState::Pending,
            Self::Ready => StatusState::Success,
            Self::Failed => StatusState::Failure,
            Self::Expired | Self::Closed => match said {
                Some(Self::Ready) => StatusState::Success,
                Some(Self::Failed) => StatusState::Failure,
                _ => StatusState::Pending,
            },
        }
    }
}

impl Piece {
    /// What it is remembered by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Deployment(_) => "deployment",
            Self::End { .. } => "end",
            Self::Comment(_) => "comment",
        }
    }

    /// Whether it is about deployments.
    #[must_use]
    pub fn is_of_deployments(&self) -> bool {
        matches!(self, Self::Deployment(_) | Self::End { .. })
    }

    /// Whether something is left at the host that must end with the preview.
    #[must_use]
    pub fn must_end(&self) -> bool {
        matches!(self, Self::Deployment(_) | Self::Comment(_))
    }

    /// The hash of what is told, and where.
    #[must_use]
    pub fn hash(&self, repository: &Repository, head: &Head) -> String {
        let content = match self {
            Self::Status(status) => json!([
                status.context,
                format!("{:?}", status.state),
                status.description,
                status.url
            ]),
            Self::Deployment(deployment) => json!([
                deployment.environment,
                deployment.preview,
                format!("{:?}", deployment.state),
                deployment.description,
                deployment.url
            ]),
            Self::End {
                environment,
                preview,
                but,
            } => json!([environment, preview, but]),
            Self::Comment(comment) => json!([comment.body()]),
        };
        // One comment goes through all commits.
        let sha = match self {
            Self::Comment(_) => None,
            _ => Some(&head.sha),
        };
        hash::of(&json!([repository.as_str(), head.number, sha, content]), 12)
    }
}

impl Told {
    /// What was told of this Preview; what cannot be read counts as nothing.
    #[must_use]
    pub fn of(preview: &Preview) -> Self {
        let text = preview.annotations().get(labels::ANNOUNCED);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        json!(self).to_string()
    }

    /// Whether exactly this was told.
    #[must_use]
    pub fn has(&self, name: &str, hash: &str) -> bool {
        self.pieces.get(name).is_some_and(|known| known == hash)
    }
}

impl Announcement {
    /// Leaves out what is not told now: of these pieces nothing is noted but what was noted before.
    pub fn leave_out(&mut self, is_out: impl Fn(&Piece) -> bool) {
        let (out, pieces): (Vec<Piece>, _) = self.pieces.drain(..).partition(is_out);
        self.pieces = pieces;
        if !out.is_empty() {
            self.lets_go = None;
        }
        for piece in out {
            let name = piece.name();
            match self.before.pieces.get(name) {
                Some(known) => self.told.pieces.insert(name.to_owned(), known.clone()),
                None => self.told.pieces.remove(name),
            };
        }
    }
}
