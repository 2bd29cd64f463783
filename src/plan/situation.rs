//! Where an Environment stands: what serves, what is on its way, and what holds the slots.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::ResourceExt;

use super::accept::{self, Effective};
use super::configure::{self, Draft};
use super::record::Record;
use super::{Action, Fact, Gate, Key, Plan, incarnation, resolve, sleep, tokens};
use crate::api::environment::AppSeen;
use crate::api::{ConditionType, Reason, labels};
use crate::build::metadata::Of;
use crate::build::names;
use crate::revision::{Facts, Image, Revision};
use crate::seen::{Seen, SeenEnvironment};

/// What stages say that cannot be asked while nothing is accepted.
pub const NOT_ACCEPTED: &str = "Not asked while App and release are not accepted";

/// Where an Environment stands.
#[derive(Debug)]
pub struct Situation<'a> {
    /// What was seen.
    pub seen: &'a SeenEnvironment,
    /// The newest verified revision.
    pub serving: Option<&'a Revision>,
    /// What is on its way, or serves, or was given up last: the newest revision, or the one that is to be made.
    pub target: Option<Revision>,
    /// Whether the target is still to be made.
    pub fresh: bool,
    /// What migrations were applied.
    pub record: Record,
    /// Whether it is a preview that sleeps.
    pub asleep: bool,
    /// What is declared, or why it cannot be accepted.
    pub effective: Result<Effective, Gate>,
    images: Result<BTreeMap<String, Image>, Gate>,
    draft: Result<Draft, Gate>,
}

impl<'a> Situation<'a> {
    /// Reads the situation from what was seen.
    #[must_use]
    pub fn of(seen: &'a SeenEnvironment) -> Self {
        let effective = accept::accept(seen);
        let images = effective
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|effective| resolve::resolve(seen, effective));
        let draft = match (&effective, &images) {
            (Ok(effective), Ok(images)) => configure::draft(seen, effective, images),
            (_, Err(gate)) | (Err(gate), _) => Err(gate.clone()),
        };
        let newest = seen.revisions.last();
        let made = draft
            .as_ref()
            .ok()
            .and_then(|draft| due(seen, newest, draft));
        let mut situation = Self {
            serving: serving(seen),
            asleep: false,
            fresh: made.is_some(),
            target: made.or_else(|| newest.cloned()),
            record: Record::of(seen),
            seen,
            effective,
            images,
            draft,
        };
        situation.asleep = sleep::is_due(&situation);
        situation
    }

    /// Whether the target has passed the gates up to `Migrated` and was not given up since.
    #[must_use]
    pub fn has_entered(&self) -> bool {
        self.target.as_ref().is_some_and(Revision::holds_slots)
    }

    /// What the slots hold: the target once it has entered, else what serves.
    #[must_use]
    pub fn held(&self) -> Option<&Revision> {
        self.target
            .as_ref()
            .filter(|target| target.holds_slots())
            .or(self.serving)
    }

    /// Whether a revision is on its way: decided, neither verified nor given up.
    #[must_use]
    pub fn under_way(&self) -> bool {
        self.target.as_ref().is_some_and(|target| {
            target.facts.verified.is_none() && target.facts.given_up.is_none()
        })
    }

    /// Which of its databases the target runs on.
    #[must_use]
    pub fn incarnation(&self) -> i64 {
        let target = self.target.as_ref();
        target.map_or(0, |target| target.decided.incarnation)
    }

    /// Whether nothing is to be decided. A release whose images are not resolved yet is: what the database said before it was
    /// named is too old for it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.has_entered() && !self.fresh && self.draft.is_ok()
    }

    /// Whether a retry is asked for and cannot be made now, because nothing can be drafted.
    #[must_use]
    pub fn retry_waits(&self) -> bool {
        self.draft.is_err() && is_retried(self.seen, self.seen.revisions.last())
    }

    /// `Accepted`.
    #[must_use]
    pub fn accepted(&self) -> Gate {
        match &self.effective {
            Ok(_) => Gate::new(Reason::Accepted, "App and release are complete"),
            Err(gate) => gate.clone(),
        }
    }

    /// `Resolved`.
    #[must_use]
    pub fn resolved(&self) -> Gate {
        match (&self.effective, &self.images) {
            (Err(_), _) => Gate::new(Reason::Pending, NOT_ACCEPTED),
            (_, Ok(_)) => Gate::new(Reason::Resolved, "Every image is a digest"),
            (_, Err(gate)) => gate.clone(),
        }
    }

    /// `Configured`: with this gate open the revision is decided, before anything acts on it.
    pub fn configured(&self, plan: &mut Plan) -> Gate {
        let draft = match &self.draft {
            Ok(draft) => draft,
            Err(_) if self.effective.is_err() => return Gate::new(Reason::Pending, NOT_ACCEPTED),
            Err(_) if self.images.is_err() => {
                return Gate::new(Reason::Pending, "Not asked while images are not resolved");
            }
            Err(gate) => return gate.clone(),
        };
        if let Some(target) = self.target.as_ref().filter(|_| self.fresh) {
            let object = decided(self.seen, target);
            plan.push(ConditionType::Configured, Action::Decide(Box::new(object)));
        }
        for copy in &draft.copies {
            let key = Key::new("ConfigMap", copy.name_any());
            let there = self.seen.children.config_maps.contains_key(&key.name);
            plan.wanted.insert(key);
            if !there {
                plan.push(
                    ConditionType::Configured,
                    Action::Copy(Box::new(copy.clone())),
                );
            }
        }
        Gate::new(Reason::Configured, "Everything that is named is there")
    }

    /// The App that is spoken of: the one that the target stands for (a newer one with the same content counts), or the one
    /// that no revision can be made from.
    #[must_use]
    pub fn app_seen(&self) -> Option<AppSeen> {
        if let (Err(_), Seen::Found(app)) = (&self.draft, &self.seen.app) {
            return Some(AppSeen::of(app));
        }
        let target = self.target.as_ref()?;
        let same = self
            .draft
            .as_ref()
            .ok()
            .filter(|draft| draft.content == target.content);
        Some(same.map_or_else(
            || target.decided.app.clone(),
            |draft| draft.decided.app.clone(),
        ))
    }

    /// Says a fact of the target: in the POST that decides it, or as an annotation.
    pub fn record_fact(&self, plan: &mut Plan, stage: ConditionType, facts: &Facts) {
        let Some(target) = &self.target else { return };
        let annotations = facts.annotations();
        let pending = plan
            .steps
            .iter_mut()
            .find_map(|step| match &mut step.action {
                Action::Decide(object) if object.name_any() == target.name => {
                    Some(object.annotations_mut())
                }
                Action::Record(fact) if fact.name == target.name => Some(&mut fact.annotations),
                _ => None,
            });
        match pending {
            Some(pending) => pending.extend(annotations),
            None => {
                let fact = Fact {
                    name: target.name.clone(),
                    uid: target.uid.clone(),
                    annotations,
                };
                plan.push(stage, Action::Record(fact));
            }
        }
    }
}

/// The newest verified revision serves.
#[must_use]
pub fn serving(seen: &SeenEnvironment) -> Option<&Revision> {
    seen.revisions
        .iter()
        .rev()
        .find(|revision| revision.facts.verified.is_some() && revision.facts.given_up.is_none())
}

/// The revision to make: the content is another one than the newest's, or a person asks for another attempt at a failed one, or
/// for a new database.
fn due(seen: &SeenEnvironment, newest: Option<&Revision>, draft: &Draft) -> Option<Revision> {
    let asked = is_retried(seen, newest) || incarnation::is_asked_for(seen);
    if newest.is_some_and(|newest| newest.content == draft.content) && !asked {
        return None;
    }
    let number = newest.map_or(1, |newest| newest.number + 1);
    Some(Revision {
        number,
        name: names::revision(&seen.environment.name_any(), number),
        uid: String::new(),
        content: draft.content.clone(),
        decided: draft.decided.clone(),
        facts: Facts {
            handled: tokens::carried(seen),
            ..Facts::default()
        },
    })
}

/// Whether a person asks for another attempt, where there is something to try again.
fn is_retried(seen: &SeenEnvironment, newest: Option<&Revision>) -> bool {
    let failed = |newest: &Revision| newest.facts.given_up.is_some() || is_lost(seen, newest);
    tokens::fresh(seen, labels::RETRY).is_some() && newest.is_some_and(failed)
}

/// Whether the database's record lacks what this revision had applied: a backup was restored, or the database is new.
#[must_use]
pub fn is_lost(seen: &SeenEnvironment, revision: &Revision) -> bool {
    let applied = revision
        .decided
        .migration
        .as_ref()
        .filter(|_| revision.was_migrated());
    has_answered(seen)
        && applied.is_some_and(|migration| !Record::of(seen).has_applied(&migration.key))
}

/// Whether the database was asked and answered, so that its record is known.
#[must_use]
pub fn has_answered(seen: &SeenEnvironment) -> bool {
    matches!(seen.database, Some(crate::postgres::Answer::Found(_)))
}

fn decided(seen: &SeenEnvironment, revision: &Revision) -> ControllerRevision {
    let mut metadata = Of::environment(&seen.environment).owned(revision.name.clone());
    let mut annotations = revision.facts.annotations();
    annotations.insert(labels::CONTENT.to_owned(), revision.content.clone());
    metadata.annotations = Some(annotations);
    ControllerRevision {
        metadata,
        data: Some(RawExtension(
            serde_json::to_value(&revision.decided).unwrap_or_default(),
        )),
        revision: revision.number,
    }
}
