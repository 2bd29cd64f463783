//! Tells Git hosts how previews are, and notes what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt;
use tokio::time::Instant;

use super::Writer;
use super::stop::Stop;
use crate::api::{Preview, Reason, labels};
use crate::caches::{Place, locked};
use crate::git::{Failure, GitHost};
use crate::observe::git;
use crate::plan::Fact;
use crate::plan::announcement::{Announcement, Piece};
use crate::plan::preview::with_way_out;
use crate::seen::{Obstacle, PutOff};

/// How long telling may take: a pass does more than that.
const TIMEOUT: Duration = Duration::from_secs(20);
/// When to tell again what was refused, if nothing changes.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);

impl Writer<'_> {
    /// Tells the pieces one after the other, and notes those that the host took.
    pub(super) async fn announce(
        &self,
        preview: &Preview,
        announcement: &Announcement,
    ) -> Result<(), Stop> {
        self.ctx
            .may_write("GitHost", "announce")
            .map_err(Stop::Failed)?;
        let subject = (self.owner.kind(), self.place(self.owner.name()));
        let source = &announcement.source;
        let connected = git::connect(&subject, source, self.ctx).await;
        let host = connected
            .map_err(|why| Stop::Untold(why.obstacle(source)))?
            .host;
        let app = self.place(&preview.spec.app_ref.name);
        self.ctx.silences.ask(&app, self.ctx.now());
        let (told, obstacle) = self.tell(&host, &app, announcement).await;
        if !told.pieces.is_empty() {
            self.note(preview, &told).await?;
        }
        let Some(mut obstacle) = obstacle else {
            return Ok(());
        };
        obstacle.message = with_way_out(preview, &obstacle.message);
        Err(Stop::Untold(obstacle))
    }

    /// What the host took, and why it did not take the rest.
    async fn tell(
        &self,
        host: &Arc<dyn GitHost>,
        app: &Place,
        announcement: &Announcement,
    ) -> (Announcement, Option<Obstacle>) {
        let (mut told, mut first) = (announcement.clone(), None);
        let deadline = Instant::now() + TIMEOUT;
        let mut silent = false;
        for piece in &announcement.pieces {
            let answer = match silent {
                true => None,
                false => Some(say(host, announcement, piece, deadline).await),
            };
            if let Some(Ok(())) = answer {
                self.ctx.silences.end(app);
                continue;
            }
            told.leave_out(|known| known == piece);
            if let Some(Err(failure)) = answer {
                silent = !matches!(failure, Failure::Refused(_));
                let obstacle = self.failed(announcement, piece, failure, app);
                first.get_or_insert(obstacle);
            }
        }
        (told, first)
    }

    /// Remembers when to try again.
    fn failed(
        &self,
        announcement: &Announcement,
        piece: &Piece,
        failure: Failure,
        app: &Place,
    ) -> Obstacle {
        let now = self.ctx.now();
        let (reason, message, until) = match failure {
            Failure::Refused(why) => (Reason::GitHostRefused, why, None),
            Failure::Silent(why) => (Reason::GitHostSilent, why, None),
            Failure::Limited(until) => (Reason::GitHostBusy, BUSY.to_owned(), Some(until)),
        };
        tracing::warn!(
            namespace = self.namespace,
            name = self.owner.name(),
            reason = reason.as_str(),
            "the Git host could not be told of the preview: {message}"
        );
        let obstacle = Obstacle { reason, message };
        if reason == Reason::GitHostRefused {
            self.ctx.silences.end(app);
            let refused = PutOff {
                obstacle: obstacle.clone(),
                until: now + AGAIN,
                piece: Some(piece.hash(&announcement.repository, &announcement.head)),
            };
            let version = git::version(&self.namespace, &announcement.source, self.ctx);
            locked(&self.memory.refused).keep(version, refused, now);
        } else {
            self.ctx.silences.begin(app, obstacle.clone(), until, now);
        }
        obstacle
    }

    /// Notes what was told; with the last word the Preview is let go.
    async fn note(&self, preview: &Preview, told: &Announcement) -> Result<(), Stop> {
        let uid = preview.uid().unwrap_or_default();
        if let Some(finalizers) = &told.lets_go {
            let version = preview.resource_version();
            return self.hold(&uid, version.as_deref(), finalizers).await;
        }
        let annotations = BTreeMap::from([(labels::ANNOUNCED.to_owned(), told.told.text())]);
        let fact = Fact {
            name: preview.name_any(),
            uid,
            annotations,
        };
        self.record::<Preview>(&fact).await
    }
}

const BUSY: &str = "The Git host takes no more requests of this token now";

/// Tells one piece.
async fn say(
    host: &Arc<dyn GitHost>,
    announcement: &Announcement,
    piece: &Piece,
    deadline: Instant,
) -> Result<(), Failure> {
    let (repository, head) = (&announcement.repository, &announcement.head);
    let said = async {
        match piece {
            Piece::Status(status) => host.set_status(repository, head, status).await,
            Piece::Deployment(deployment) => {
                host.set_deployment(repository, &head.sha, deployment).await
            }
            Piece::End {
                environment,
                preview,
                but,
            } => {
                host.end_deployments(repository, but.as_deref(), environment, preview)
                    .await
            }
            Piece::Comment(comment) => host.set_comment(repository, head.number, comment).await,
        }
    };
    let late = || {
        Err(Failure::Silent(
            "the Git host did not answer in time".to_owned(),
        ))
    };
    tokio::time::timeout_at(deadline, said)
        .await
        .unwrap_or_else(|_| late())
}
