//! How long a preview lives: from the last push, from a person's word after it, or from when it went live, whichever was last.
//! Who waits in the queue lives not yet.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::api::preview::PreviewStatus;
use crate::api::template::PreviewTemplate;
use crate::api::{ConditionType, Environment, Preview, labels};
use crate::build::{environment, hash};
use crate::plan::{Action, Fact, Plan};
use crate::seen::{Seen, SeenPreview};

/// The longest warning before the end.
const WARNING: SignedDuration = SignedDuration::from_hours(24);

/// What a person may say to a preview, and where it is kept that it was handled, and when.
const WORDS: [(&str, &str); 3] = [
    (labels::EXTEND, labels::EXTENDED),
    (labels::SLEEP, labels::SLEPT),
    (labels::WAKE, labels::WOKEN),
];

/// When a preview is warned of, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// From then on it says so.
    pub warns: Timestamp,
    /// From then on it is over.
    pub ends: Timestamp,
}

/// The lifetime of this preview. `None`: nobody knows one, it does not end, or it has not begun.
pub(super) fn of(seen: &SeenPreview) -> Option<Lifetime> {
    let Seen::Found(app) = &seen.app else {
        return None;
    };
    let live = seen.environment.as_deref();
    lifetime(&seen.preview, live, app.spec.preview.as_ref()?, seen.now)
}

/// The lifetime of a preview of this template. `None`: it does not end, or has not begun.
fn lifetime(
    preview: &Preview,
    live: Option<&Environment>,
    template: &PreviewTemplate,
    now: Timestamp,
) -> Option<Lifetime> {
    if is_kept(preview) {
        return None;
    }
    let ttl = SignedDuration::from_secs(i64::from(template.ttl_seconds));
    let ends = match live {
        Some(live) => {
            let made = live.creation_timestamp().map_or(Timestamp::MIN, |at| at.0);
            meant(preview, now).max(made) + ttl
        }
        None => ended(preview, now)?,
    };
    Some(Lifetime {
        warns: ends - WARNING.min(ttl / 10),
        ends,
    })
}

/// Whether a person said that it does not end.
pub(super) fn is_kept(preview: &Preview) -> bool {
    preview.labels().get(labels::KEEP).map(String::as_str) == Some("true")
}

/// Whether the time of a preview that is not live is over.
pub(super) fn is_over(preview: &Preview, now: Timestamp) -> bool {
    !is_kept(preview) && ended(preview, now).is_some()
}

/// When it was last meant to live: by a push, or by a person's word.
fn meant(preview: &Preview, now: Timestamp) -> Timestamp {
    let extended = said(preview, labels::EXTEND, labels::EXTENDED, now);
    pushed(preview, now).max(extended.unwrap_or(Timestamp::MIN))
}

/// When its time was over, if nobody has meant it to live since.
fn ended(preview: &Preview, now: Timestamp) -> Option<Timestamp> {
    let at = noted(preview, labels::EXPIRED, preview.metadata.uid.as_deref()?)?;
    (at > meant(preview, now)).then_some(at.min(now))
}

/// Writes down that its time is over, before what it had goes: of what is gone nobody can tell whether it was ever there.
pub(super) fn end(seen: &SeenPreview, life: Lifetime, plan: &mut Plan<PreviewStatus>) {
    let preview = &seen.preview;
    if ended(preview, seen.now).is_none() {
        let uid = preview.uid().unwrap_or_default();
        let value = format!("{uid} {}", text(life.ends));
        write(preview, [(labels::EXPIRED.to_owned(), value)].into(), plan);
    }
}

/// A moment as it is told and kept: in whole seconds.
pub(super) fn text(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

/// Writes down a push or a word that is new: nothing that decides lives in the status alone.
pub(super) fn note(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) {
    let preview = &seen.preview;
    let mut annotations = BTreeMap::new();
    if noted(preview, labels::PUSHED, &release(preview)).is_none() {
        let value = format!("{} {}", release(preview), text(seen.now));
        annotations.insert(labels::PUSHED.to_owned(), value);
    }
    for (word, kept) in WORDS {
        if let Some(token) = environment::word(preview, word)
            && noted(preview, kept, &token).is_none()
        {
            let value = format!("{token} {}", text(seen.now));
            annotations.insert(kept.to_owned(), value);
        }
    }
    if !annotations.is_empty() {
        write(preview, annotations, plan);
    }
}

/// Notes more on a Preview, in one write.
fn write(
    preview: &Preview,
    mut annotations: BTreeMap<String, String>,
    plan: &mut Plan<PreviewStatus>,
) {
    for step in &plan.steps {
        if let Action::Note(fact) = &step.action {
            annotations.extend(fact.annotations.clone());
        }
    }
    let fact = Fact {
        name: preview.name_any(),
        uid: preview.uid().unwrap_or_default(),
        annotations,
    };
    plan.push(ConditionType::Accepted, Action::Note(fact));
}

/// When this release was pushed. One that is not written down yet was pushed now.
pub(super) fn pushed(preview: &Preview, now: Timestamp) -> Timestamp {
    noted(preview, labels::PUSHED, &release(preview)).map_or(now, |at| at.min(now))
}

/// When a person last said a word, and where that is kept.
pub(super) fn said(preview: &Preview, word: &str, kept: &str, now: Timestamp) -> Option<Timestamp> {
    match environment::word(preview, word) {
        Some(token) => Some(noted(preview, kept, &token).map_or(now, |at| at.min(now))),
        // The word was taken back; what was noted for this very object still counts.
        None => {
            let (token, at) = preview.annotations().get(kept)?.split_once(' ')?;
            let meant = token.split('.').next() == preview.metadata.uid.as_deref();
            at.parse().ok().filter(|at| meant && *at <= now)
        }
    }
}

/// What is noted under a name, if it is of this.
fn noted(preview: &Preview, annotation: &str, of: &str) -> Option<Timestamp> {
    let (what, at) = preview.annotations().get(annotation)?.split_once(' ')?;
    (what == of).then(|| at.parse().ok()).flatten()
}

/// What tells one release from another: author and message of its commit do not.
pub(super) fn release(preview: &Preview) -> String {
    let mut release = preview.spec.release.clone();
    if let Some(commit) = &mut release.commit {
        commit.author = None;
        commit.message = None;
    }
    hash::of(&release, 16)
}
