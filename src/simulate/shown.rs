//! What the simulated Git host shows of previews, and everything that it was told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;

use super::world::World;
use crate::api::template::Source;
use crate::api::{Preview, Reason, labels};
use crate::git::{CommitStatus, Deployment, DeploymentState, Failure, Head};
use crate::plan::Announcement;
use crate::plan::announcement::Piece;
use crate::plan::preview::with_way_out;
use crate::seen::{Hindrance, Obstacle, PutOff};

/// How long a host that did not answer is left alone.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// What a Git host shows.
#[derive(Debug, Default)]
pub struct Shown {
    /// Whether it gives no answer.
    pub silent: bool,
    /// The pieces that it refuses, by their names.
    pub refuses: Vec<&'static str>,
    /// The newest status of each commit.
    pub statuses: BTreeMap<String, CommitStatus>,
    /// The newest state of each deployment, by commit.
    pub deployments: BTreeMap<String, Deployment>,
    /// The comments, by their first line.
    pub comments: BTreeMap<String, String>,
    /// Everything that was written there, in words.
    pub told: Vec<String>,
    /// What the controller remembers of it.
    pub(super) put_off: Vec<PutOff>,
}

impl Shown {
    /// Takes one piece. What it shows already is not written again.
    fn take(&mut self, piece: &Piece, head: &Head) -> Result<(), Failure> {
        if self.silent {
            return Err(Failure::Silent("the Git host gave no answer".to_owned()));
        }
        if self.refuses.contains(&piece.name()) {
            let why = format!("the token must be allowed to write: {}", piece.name());
            return Err(Failure::Refused(why));
        }
        let short = head.sha.get(..7).unwrap_or_default().to_owned();
        match piece {
            Piece::Status(status) => {
                let known = self.statuses.insert(head.sha.clone(), status.clone());
                if known.as_ref() != Some(status) {
                    let (state, words) = (status.state, &status.description);
                    self.told
                        .push(format!("status of {short}: {state:?}: {words}"));
                }
            }
            Piece::Deployment(wanted) => {
                let known = self.deployments.insert(head.sha.clone(), wanted.clone());
                if known.as_ref() != Some(wanted) {
                    self.told
                        .push(format!("deployment of {short}: {:?}", wanted.state));
                }
            }
            Piece::End { but, .. } => {
                for (sha, known) in &mut self.deployments {
                    if but.as_ref() != Some(sha) && known.state != DeploymentState::Inactive {
                        known.state = DeploymentState::Inactive;
                        let short = sha.get(..7).unwrap_or_default();
                        self.told.push(format!("deployment of {short}: Inactive"));
                    }
                }
            }
            Piece::Comment(comment) => {
                let body = comment.body();
                let mark = body.lines().next().unwrap_or_default().to_owned();
                let known = self.comments.insert(mark, body.to_owned());
                if known.as_deref() != Some(body) {
                    let verb = known.map_or("write", |_| "edit");
                    let title = body.lines().nth(1).unwrap_or_default();
                    self.told.push(format!("{verb} comment: {title}"));
                }
            }
        }
        Ok(())
    }
}

impl World {
    /// Tells the Git host, as the controller's own writer does.
    pub(super) fn announce(
        &mut self,
        preview: &Preview,
        announcement: &Announcement,
    ) -> Result<Option<Obstacle>, super::store::Refusal> {
        let (told, obstacle) = self.tell_git(announcement);
        let obstacle = obstacle.map(|mut obstacle| {
            obstacle.message = with_way_out(preview, &obstacle.message);
            obstacle
        });
        if told.pieces.is_empty() {
            return Ok(obstacle);
        }
        let metadata = match &told.lets_go {
            Some(finalizers) => json!({"uid": preview.uid(), "finalizers": finalizers}),
            None => {
                json!({"uid": preview.uid(), "annotations": {labels::ANNOUNCED: told.told.text()}})
            }
        };
        let patch = json!({ "metadata": metadata });
        self.store.patch::<Preview>(&preview.name_any(), &patch)?;
        Ok(obstacle)
    }

    /// What the Git host took, and why not the rest. Nothing is noted.
    pub(super) fn tell_git(
        &mut self,
        announcement: &Announcement,
    ) -> (Announcement, Option<Obstacle>) {
        let (mut told, mut first) = (announcement.clone(), None);
        let now = self.store.now;
        for piece in &announcement.pieces {
            let Err(failure) = self.shown.take(piece, &announcement.head) else {
                continue;
            };
            told.leave_out(|known| known == piece);
            let put_off = put_off(announcement, piece, failure, now);
            first.get_or_insert_with(|| put_off.obstacle.clone());
            self.shown.put_off.retain(|known| known.until > now);
            self.shown.put_off.push(put_off);
        }
        (told, first)
    }

    /// What keeps the Git host from being told: the Secret of its token is not there.
    pub(super) fn git_obstacle(&self, source: Option<&Source>) -> Option<Obstacle> {
        let source = source?;
        let missing = !self.store.secrets.contains_key(&source.secret_ref.name);
        missing.then(|| Hindrance::SecretMissing.obstacle(source))
    }
}

fn put_off(announcement: &Announcement, piece: &Piece, failure: Failure, now: Timestamp) -> PutOff {
    let hash = piece.hash(&announcement.repository, &announcement.head);
    let (reason, message, piece) = match failure {
        Failure::Refused(why) => (Reason::GitHostRefused, why, Some(hash)),
        Failure::Silent(why) => (Reason::GitHostSilent, why, None),
        Failure::Limited(_) => (Reason::GitHostBusy, String::new(), None),
    };
    PutOff {
        obstacle: Obstacle { reason, message },
        until: now + PAUSE,
        piece,
    }
}
