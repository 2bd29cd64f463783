//! `Announced`: the Git host shows how the preview is, whatever the stages before it say. Nothing is told twice, and no more
//! often than people can read.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::state::{self, State};
use super::{comment, lifetime};
use crate::api::preview::PreviewStatus;
use crate::api::template::Source;
use crate::api::{ConditionType, Preview, Reason, labels};
use crate::config::GitProvider;
use crate::git::{self, Comment, CommitStatus, Deployment, DeploymentState, Head, Repository};
use crate::plan::announcement::{Announcement, Piece, Stand, Told};
use crate::plan::{Action, Gate, Plan, Step};
use crate::seen::{Obstacle, PutOff, Seen, SeenPreview};

const STAGE: ConditionType = ConditionType::Announced;
/// What is waited for is told at most so often.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// A preview that has answered may be without an answer for so long before that is told: pods move.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);

/// Where a preview is told of, and of which commit.
pub(super) struct Subject<'a> {
    pub source: &'a Source,
    repository: Repository,
    head: Head,
}

/// Tells the Git host how the preview is, by what its stages said.
pub(super) fn announce(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Gate {
    let taken = plan.gate(ConditionType::Accepted);
    if taken.is_some_and(|gate| gate.reason == Reason::PullRequestTaken) {
        let message = "The Preview that shows the pull request is announced";
        return Gate::new(Reason::NotConfigured, message);
    }
    let subject = match Subject::of(seen) {
        Ok(subject) => subject,
        Err(gate) => return gate,
    };
    let state = state::of(seen, plan);
    let wanted = wanted(seen, &subject, &state);
    let told = Told::of(&seen.preview);
    if let Some(later) = later(seen, &state, &told) {
        plan.look_at(later);
        return shown(&subject);
    }
    let announcement = subject.announcement(seen, &state, wanted, told);
    match due(seen, announcement) {
        Due::Nothing => shown(&subject),
        Due::Later(gate, until) => {
            until.into_iter().for_each(|until| plan.look_at(until));
            gate
        }
        Due::Now(announcement) => {
            hold(seen, &announcement, plan);
            let action = Action::Announce(announcement);
            plan.push(STAGE, action);
            shown(&subject)
        }
    }
}

fn shown(subject: &Subject<'_>) -> Gate {
    let message = format!("{} shows how the preview is", subject.repository);
    Gate::new(Reason::Announced, message)
}

/// When to tell what is not told yet, if not now.
fn later(seen: &SeenPreview, state: &State, told: &Told) -> Option<Timestamp> {
    let same = told.release == lifetime::release(&seen.preview);
    if !same || !state.stand.is_waiting() {
        return None;
    }
    let until = match told.stand {
        Some(Stand::Ready) => unready_since(seen) + PATIENCE,
        _ => told.at.map_or(seen.now, |at| at.min(seen.now)) + PAUSE,
    };
    (until > seen.now && told.at.is_some()).then_some(until)
}

/// Since when it has said that it is not ready.
fn unready_since(seen: &SeenPreview) -> Timestamp {
    let status = seen.preview.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|told| &told.conditions);
    let ready = conditions.find(|known| known.type_ == ConditionType::Ready.as_str());
    let unready = ready.filter(|ready| ready.status != "True");
    unready.map_or(seen.now, |ready| ready.last_transition_time.0.min(seen.now))
}

/// Whether something is to be told.
pub(super) enum Due {
    /// All of it is told.
    Nothing,
    /// It cannot be told before this time, if that is known.
    Later(Gate, Option<Timestamp>),
    /// This.
    Now(Box<Announcement>),
}

/// What of an announcement is told now.
pub(super) fn due(seen: &SeenPreview, mut announcement: Announcement) -> Due {
    let (repository, head) = (&announcement.repository, &announcement.head);
    let before = &announcement.before;
    let hash = |piece: &Piece| piece.hash(repository, head);
    announcement
        .pieces
        .retain(|piece| !before.has(piece.name(), &hash(piece)));
    if announcement.pieces.is_empty() {
        return Due::Nothing;
    }
    if let Some(obstacle) = &seen.obstacle {
        return Due::Later(closed(obstacle), None);
    }
    let waits: Vec<&PutOff> = seen
        .put_off
        .iter()
        .filter(|it| it.until > seen.now)
        .collect();
    let waits = |piece: &Piece| {
        let piece = piece.hash(&announcement.repository, &announcement.head);
        let meant = |it: &&&PutOff| it.piece.as_ref().is_none_or(|known| *known == piece);
        waits.iter().find(meant).copied()
    };
    let refused: Vec<Option<&PutOff>> = announcement.pieces.iter().map(waits).collect();
    let first = refused.iter().flatten().next();
    match first {
        Some(it) if refused.iter().all(Option::is_some) => {
            Due::Later(closed(&it.obstacle), Some(it.until))
        }
        _ => {
            let out: Vec<Piece> = announcement
                .pieces
                .iter()
                .filter(|piece| waits(piece).is_some())
                .cloned()
                .collect();
            announcement.leave_out(|piece| out.contains(piece));
            Due::Now(Box::new(announcement))
        }
    }
}

fn closed(obstacle: &Obstacle) -> Gate {
    Gate::new(obstacle.reason, obstacle.message.clone())
}

/// What is made at the host must end there: the finalizer comes first.
fn hold(seen: &SeenPreview, announcement: &Announcement, plan: &mut Plan<PreviewStatus>) {
    let held = is_marked(&seen.preview);
    if held || !announcement.pieces.iter().any(Piece::must_end) {
        return;
    }
    let mut finalizers = seen.preview.finalizers().to_vec();
    finalizers.push(labels::ANNOUNCEMENT.to_owned());
    // Before whatever else is written on the Preview: it is bound to the version that was read.
    let action = Action::hold("Preview", &seen.preview.metadata, finalizers);
    plan.steps.insert(
        0,
        Step {
            stage: STAGE,
            action,
        },
    );
}

/// Whether the Preview has the finalizer.
pub(super) fn is_marked(preview: &Preview) -> bool {
    let mut finalizers = preview.finalizers().iter();
    finalizers.any(|known| known == labels::ANNOUNCEMENT)
}

/// Everything that the host shall show.
fn wanted(seen: &SeenPreview, subject: &Subject<'_>, state: &State) -> Vec<Piece> {
    let mut pieces = vec![Piece::Status(subject.status(seen, state))];
    if subject.source.provider == GitProvider::GitHub {
        pieces.extend(subject.deployment(seen, state));
    }
    if subject.source.comment {
        pieces.push(subject.comment(seen, state));
    }
    pieces
}

/// What the host shall show of what it was told, when the preview is gone.
pub(super) fn last(seen: &SeenPreview, subject: &Subject<'_>) -> Announcement {
    let (told, state) = (Told::of(&seen.preview), State::closed());
    let mut pieces = Vec::new();
    // What was made may not have been noted.
    if subject.source.provider == GitProvider::GitHub {
        pieces.extend(subject.deployment(seen, &state));
    }
    if told.pieces.contains_key("status") {
        pieces.push(Piece::Status(subject.status(seen, &state)));
    }
    if told.pieces.contains_key("comment") {
        pieces.push(subject.comment(seen, &state));
    }
    let mut last = subject.announcement(seen, &state, pieces, told);
    last.lets_go = Some(without_mark(&seen.preview));
    last
}

/// The finalizers of a Preview that is let go.
pub(super) fn without_mark(preview: &Preview) -> Vec<String> {
    let mut finalizers = preview.finalizers().to_vec();
    finalizers.retain(|known| known != labels::ANNOUNCEMENT);
    finalizers
}

impl<'a> Subject<'a> {
    /// Where this preview is told of, if anywhere.
    pub fn of(seen: &'a SeenPreview) -> Result<Self, Gate> {
        let app = match &seen.app {
            Seen::Found(app) => Some(app),
            Seen::Missing => None,
            Seen::Unknown(why) => return Err(Gate::new(Reason::NoAnswer, why.clone())),
        };
        let source = app.and_then(|app| app.spec.preview.as_ref()?.source.as_ref());
        let Some(source) = source else {
            let message = "The App names no repository whose host could be told";
            return Err(Gate::new(Reason::NotConfigured, message));
        };
        let spec = &seen.preview.spec;
        let commit = spec.release.commit.as_ref().map(|commit| &commit.sha);
        let Some(sha) = commit.filter(|sha| git::is_sha(sha)) else {
            let message =
                "The release names no commit by its 40 characters, of which the host could be told";
            return Err(Gate::new(Reason::NotConfigured, message));
        };
        let repository =
            Repository::parse(source.provider, &source.repository).map_err(Gate::spec)?;
        let branch = spec.pull_request.branch.clone();
        let head = Head {
            number: u64::try_from(spec.pull_request.number).unwrap_or_default(),
            sha: sha.clone(),
            // Without a branch the host is asked by the number, as for a fork.
            is_from_fork: spec.pull_request.fork || branch.is_none(),
            branch: branch.unwrap_or_default(),
            repository: None,
        };
        Ok(Self {
            source,
            repository,
            head,
        })
    }

    fn announcement(
        &self,
        seen: &SeenPreview,
        state: &State,
        pieces: Vec<Piece>,
        before: Told,
    ) -> Announcement {
        let release = lifetime::release(&seen.preview);
        let said = before.stand.filter(|_| before.release == release);
        let mut told = Told {
            stand: if state.stand.is_over() {
                said
            } else {
                Some(state.stand)
            },
            release,
            at: Timestamp::from_second(seen.now.as_second()).ok(),
            pieces: before.pieces.clone(),
        };
        for name in ["deployment", "end"] {
            if pieces.iter().any(|piece| piece.is_of_deployments()) {
                told.pieces.remove(name);
            }
        }
        for piece in &pieces {
            let hash = piece.hash(&self.repository, &self.head);
            told.pieces.insert(piece.name().to_owned(), hash);
        }
        Announcement {
            source: self.source.clone(),
            repository: self.repository.clone(),
            head: self.head.clone(),
            pieces,
            told,
            before,
            lets_go: None,
        }
    }

    fn status(&self, seen: &SeenPreview, state: &State) -> CommitStatus {
        let told = Told::of(&seen.preview);
        let same = told.release == lifetime::release(&seen.preview);
        CommitStatus {
            context: format!("towpath/preview/{}", seen.preview.spec.app_ref.name),
            state: state.stand.on_commit(told.stand.filter(|_| same)),
            description: state.sentence.clone(),
            url: url(seen, state),
        }
    }

    /// The deployment of the commit, and the end of the others.
    fn deployment(&self, seen: &SeenPreview, state: &State) -> Vec<Piece> {
        let environment = format!("{}-pr-{}", seen.preview.spec.app_ref.name, self.head.number);
        let preview = comment::identity(seen);
        let end = |but: Option<&String>| Piece::End {
            environment: environment.clone(),
            preview: preview.clone(),
            but: but.cloned(),
        };
        let deployment = |state: DeploymentState, sentence: &str, url| {
            Piece::Deployment(Deployment {
                environment: environment.clone(),
                preview: preview.clone(),
                state,
                description: sentence.to_owned(),
                url,
            })
        };
        let here = |is| deployment(is, &state.sentence, url(seen, state));
        match state.stand {
            Stand::Queued => vec![here(DeploymentState::Queued)],
            Stand::Waiting => vec![here(DeploymentState::InProgress)],
            Stand::Failed => vec![here(DeploymentState::Failure)],
            // What served before it serves no more.
            Stand::Ready => vec![here(DeploymentState::Success), end(Some(&self.head.sha))],
            Stand::Expired | Stand::Closed => vec![end(None)],
        }
    }

    fn comment(&self, seen: &SeenPreview, state: &State) -> Piece {
        let markdown = comment::markdown(seen, self.source, state);
        Piece::Comment(Comment::new(&comment::identity(seen), &markdown))
    }
}

/// Where the preview answers, if anything does.
fn url(seen: &SeenPreview, state: &State) -> Option<String> {
    let told = seen.environment.as_ref()?.status.as_ref()?;
    let answers = matches!(state.stand, Stand::Ready | Stand::Failed);
    told.serving.filter(|_| answers).and(told.url.clone())
}
