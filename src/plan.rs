//! Decides: a snapshot in, an ordered list of actions and the conditions out. Pure: no clock, no randomness, no IO, and it
//! cannot fail.

pub mod accept;
pub mod action;
pub mod announcement;
pub mod configure;
pub mod database;
pub mod defaults;
pub mod diff;
pub mod door;
pub mod finish;
pub mod health;
pub mod incarnation;
pub mod migration;
pub mod policy;
pub mod preview;
pub mod previewed;
pub mod questions;
pub mod record;
pub mod render;
pub mod resolve;
pub mod rollout;
pub mod route;
pub mod secrets;
pub mod seed;
pub mod situation;
pub mod sleep;
pub mod slots;
pub mod source;
pub mod stages;
pub mod sweep;
pub mod teardown;
pub mod tokens;
pub mod traffic;
pub mod verify;
pub mod work;

pub use action::{Action, Change, Fact, Key, Step};
pub use announcement::Announcement;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::condition::Class;
use crate::api::environment::EnvironmentStatus;
use crate::api::{ConditionType, Reason};
use crate::seen::SeenEnvironment;

/// What a stage says of the target. Refused and Failed need a person; Waiting and Unknown end by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Why; its class says how the gate stands.
    pub reason: Reason,
    /// A sentence for the user.
    pub message: String,
}

impl Gate {
    /// A gate that stands for this reason.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// What App and Environment declare does not fit together.
    #[must_use]
    pub fn spec(message: String) -> Self {
        Self::new(Reason::SpecInvalid, message)
    }

    /// Whether the next stage may act.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.reason.class() == Class::Open
    }
}

/// What a pass decided; `S` is the status of the kind that it is over.
#[derive(Clone, Debug, Default)]
pub struct Plan<S = EnvironmentStatus> {
    /// What to do, in this order; after a failed write nothing later is sent, unless it [stands
    /// alone](Action::stands_alone).
    pub steps: Vec<Step>,
    /// What each stage said, in their order; behind the first closed one nothing was asked.
    pub gates: Vec<(ConditionType, Gate)>,
    /// Whether something serves.
    pub available: Option<Gate>,
    /// What `Ready` says where no stage is closed. Default: that the release runs.
    pub ready: Option<Gate>,
    /// Everything else that the status shows; its conditions are made of the gates.
    pub status: S,
    /// When to look again although nothing happened.
    pub next: Option<Timestamp>,
    /// Every child that shall be there: what else is owned goes when the plan is complete.
    pub wanted: BTreeSet<Key>,
}

impl<S> Plan<S> {
    /// Asks for an action. A later one on the same object replaces an earlier one: one writer per object.
    pub fn push(&mut self, stage: ConditionType, action: Action) {
        if let Some(key) = action.key() {
            self.steps
                .retain(|step| step.action.key().as_ref() != Some(&key));
        }
        self.steps.push(Step { stage, action });
    }

    /// Says that an object shall be there; asks for a write only if it differs.
    pub fn want<K>(
        &mut self,
        stage: ConditionType,
        key: Key,
        change: Option<Change<K>>,
        wrap: impl FnOnce(Change<K>) -> Action,
    ) -> bool {
        self.wanted.insert(key.clone());
        self.steps
            .retain(|step| step.action.key().as_ref() != Some(&key));
        let Some(change) = change else { return false };
        self.push(stage, wrap(change));
        true
    }

    /// Looks again at this time at the latest.
    pub fn look_at(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// What a stage said.
    #[must_use]
    pub fn gate(&self, condition: ConditionType) -> Option<&Gate> {
        self.gates
            .iter()
            .find(|(stage, _)| *stage == condition)
            .map(|(_, gate)| gate)
    }
}

/// Decides what to do for an Environment, and what to say of it.
#[must_use]
pub fn environment(seen: &SeenEnvironment) -> Plan {
    if teardown::is_held(&seen.environment) {
        return teardown::environment(seen);
    }
    if let Some(gate) = stages::stopped(seen) {
        return finish::only(seen, gate);
    }
    let situation = situation::Situation::of(seen);
    if situation.incarnation() != seen.incarnation {
        // Images were asked meanwhile: what another database said says nothing of this one.
        let seen = SeenEnvironment {
            incarnation: situation.incarnation(),
            database: None,
            ..seen.clone()
        };
        return decide(&situation::Situation::of(&seen));
    }
    decide(&situation)
}

fn decide(situation: &situation::Situation<'_>) -> Plan {
    if situation.asleep {
        return sleep::environment(situation);
    }
    let mut plan = Plan::default();
    tokens::hand(situation, &mut plan);
    slots::keep(situation, &mut plan);
    stages::run(situation, &mut plan);
    finish::finish(situation, &mut plan);
    sleep::watch(situation, &mut plan);
    plan
}
