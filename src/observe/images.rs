//! Asks registries, and remembers what they said so that many passes are one question.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use kube::{Resource, ResourceExt};

use super::secrets::pull_secrets;
use crate::caches::locked;
use crate::context::Context;
use crate::plan::questions;
use crate::registry::{Answer, PullSecret};
use crate::seen::SeenEnvironment;

/// The first pause after a no, and the longest.
const PAUSES: (SignedDuration, SignedDuration) = (
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(300),
);
/// Those of a preview: people wait for its image, which CI is building.
const PAUSES_OF_PREVIEW: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(5), SignedDuration::from_secs(60));
/// A found image is in its revision soon; until then it need not be asked for again.
const FOUND: SignedDuration = SignedDuration::from_secs(120);

/// What was asked of registries for one state of an Environment, and the answers.
#[derive(Debug, Default)]
pub struct Asked {
    basis: Basis,
    answers: HashMap<String, Remembered>,
}

/// What answers depend on: another release, another retry or another login asks anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Basis {
    generation: Option<i64>,
    retry: Option<String>,
    label: bool,
    is_preview: bool,
    logins: Vec<String>,
}

#[derive(Clone, Debug)]
struct Remembered {
    answer: Answer,
    at: Timestamp,
    tries: u32,
}

impl Remembered {
    fn is_fresh(&self, now: Timestamp, is_preview: bool) -> bool {
        let age = now.duration_since(self.at);
        // A clock that was set back makes nothing fresh for ever.
        !age.is_negative() && age < self.lasts(is_preview)
    }

    fn lasts(&self, is_preview: bool) -> SignedDuration {
        if matches!(self.answer, Answer::Found { .. }) {
            return FOUND;
        }
        let (first, longest) = match is_preview {
            true => PAUSES_OF_PREVIEW,
            false => PAUSES,
        };
        let doubled = first.saturating_mul(2_i32.saturating_pow(self.tries.saturating_sub(1)));
        doubled.min(longest)
    }
}

impl Asked {
    fn on(&mut self, basis: &Basis) -> &mut HashMap<String, Remembered> {
        if self.basis != *basis {
            *self = Self {
                basis: basis.clone(),
                answers: HashMap::new(),
            };
        }
        &mut self.answers
    }

    fn fresh(&mut self, basis: &Basis, image: &str, now: Timestamp) -> Option<Answer> {
        let known = self.on(basis).get(image)?;
        let fresh = known.is_fresh(now, basis.is_preview);
        fresh.then(|| known.answer.clone())
    }

    fn remember(&mut self, basis: &Basis, image: &str, answer: Answer, now: Timestamp) {
        let answers = self.on(basis);
        let tries = answers
            .get(image)
            .map_or(1, |known| known.tries.saturating_add(1));
        answers.insert(
            image.to_owned(),
            Remembered {
                answer,
                at: now,
                tries,
            },
        );
    }
}

/// The answers of registries to what this pass must know.
pub(super) async fn ask(seen: &SeenEnvironment, ctx: &Context) -> BTreeMap<String, Answer> {
    let (logins, versions) = pull_secrets(seen, ctx);
    let environment = &seen.environment;
    let basis = Basis {
        generation: environment.meta().generation,
        retry: environment
            .annotations()
            .get(crate::api::labels::RETRY)
            .cloned(),
        label: wants_label(seen),
        is_preview: environment.spec.preview.is_some(),
        logins: versions,
    };
    let asked = questions::images(seen).into_iter();
    let answers = asked.map(|image| one(image, &basis, &logins, seen, ctx));
    join_all(answers).await.into_iter().collect()
}

async fn one(
    image: String,
    basis: &Basis,
    logins: &[PullSecret],
    seen: &SeenEnvironment,
    ctx: &Context,
) -> (String, Answer) {
    let memory = ctx.memories.of(&seen.environment);
    let known = locked(&memory.images).fresh(basis, &image, seen.now);
    if let Some(known) = known {
        return (image, known);
    }
    let answer = ctx.registry.resolve(&image, logins, basis.label).await;
    locked(&memory.images).remember(basis, &image, answer.clone(), ctx.now());
    (image, answer)
}

/// Whether the image's label says which migration key it has.
fn wants_label(seen: &SeenEnvironment) -> bool {
    let migrates = super::found(&seen.app).is_some_and(|app| app.spec.migration.is_some());
    migrates && seen.environment.spec.release.migration_key.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_no_is_asked_again_later_each_time() {
        let mut asked = Asked::default();
        let basis = Basis::default();
        let no = Answer::Missing("not there".to_owned());
        asked.remember(&basis, "a:1", no.clone(), after(0));
        assert_eq!(asked.fresh(&basis, "a:1", after(9)), Some(no.clone()));
        assert_eq!(asked.fresh(&basis, "a:1", after(10)), None);
        asked.remember(&basis, "a:1", no.clone(), after(10));
        assert_eq!(asked.fresh(&basis, "a:1", after(29)), Some(no.clone()));
        assert_eq!(asked.fresh(&basis, "a:1", after(30)), None);
        (0..20).for_each(|_| asked.remember(&basis, "a:1", no.clone(), after(30)));
        assert_eq!(asked.fresh(&basis, "a:1", after(330)), None);
        assert_eq!(asked.fresh(&basis, "a:1", after(5)), None);
    }

    #[test]
    fn the_image_of_a_preview_is_asked_for_at_least_once_a_minute() {
        let mut asked = Asked::default();
        let basis = Basis {
            is_preview: true,
            ..Basis::default()
        };
        let no = Answer::Missing("not there".to_owned());
        asked.remember(&basis, "a:1", no.clone(), after(0));
        assert_eq!(asked.fresh(&basis, "a:1", after(4)), Some(no.clone()));
        assert_eq!(asked.fresh(&basis, "a:1", after(5)), None);
        (0..20).for_each(|_| asked.remember(&basis, "a:1", no.clone(), after(5)));
        assert_eq!(asked.fresh(&basis, "a:1", after(65)), None);
    }

    #[test]
    fn a_new_login_or_release_asks_at_once() {
        let mut asked = Asked::default();
        let old = Basis::default();
        asked.remember(&old, "a:1", Answer::Refused("no".to_owned()), after(0));
        let new = Basis {
            logins: vec!["7".to_owned()],
            ..Basis::default()
        };
        assert_eq!(asked.fresh(&new, "a:1", after(1)), None);
    }
}
