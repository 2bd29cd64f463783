//! Makes conditions of gates. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::condition::Class;
use crate::api::{ConditionType, Reason};
use crate::managed::{Managed, Status};
use crate::plan::{Gate, Plan};

/// Longest message, in bytes; the whole status has room for 32 KiB.
const LONGEST: usize = 2048;

type Gates = [(ConditionType, Gate)];

/// The status as it shall be: what was reached says what it says now, everything else what it said last.
pub(super) fn merge<K: Managed>(
    object: &K,
    plan: &Plan<K::Status>,
    gates: &Gates,
    now: Timestamp,
) -> K::Status {
    let generation = object.meta().generation;
    let before = Before {
        known: object.status().map(Status::conditions).unwrap_or_default(),
        generation,
        now,
    };
    let ready = ready::<K>(plan, gates);
    let stages = K::STAGES.iter().map(|stage| before.stage(*stage, gates));
    let mut conditions: Vec<Condition> = stages.collect();
    let also = K::ALSO.iter();
    conditions.extend(
        also.map(|type_| before.or_unknown(*type_, plan.available.as_ref(), "anything serves")),
    );
    conditions.push(before.or_unknown(ConditionType::Ready, ready.as_ref(), "everything runs"));
    conditions.extend(ready.iter().filter_map(|gate| before.summary(gate)));
    plan.status.clone().with(generation, conditions)
}

/// The status when no pass could be made: all as it was, but for these conditions and what sums them up.
pub(super) fn amend<S: Status>(
    status: S,
    said: &[ConditionType],
    gate: &Gate,
    generation: Option<i64>,
    now: Timestamp,
) -> S {
    let known = status.conditions().to_vec();
    let before = Before {
        known: &known,
        generation,
        now,
    };
    let amended = said.iter().map(|type_| before.condition(*type_, gate));
    let amended: Vec<Condition> = amended.chain(before.summary(gate)).collect();
    let replaced = |type_: &str| {
        let summaries = [ConditionType::Reconciling, ConditionType::Stalled];
        let types = said.iter().chain(&summaries);
        types.into_iter().any(|other| other.as_str() == type_)
    };
    let kept = known.iter().filter(|known| !replaced(&known.type_));
    let conditions = kept.cloned().chain(amended).collect();
    let observed = status.observed_generation();
    status.with(observed, conditions)
}

/// Whether two statuses say the same; the apiserver may keep conditions in another order.
pub(super) fn same<S: Status>(one: &S, other: &S) -> bool {
    let sorted = |status: &S| {
        let mut conditions = status.conditions().to_vec();
        conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
            .clone()
            .with(status.observed_generation(), conditions)
    };
    sorted(one) == sorted(other)
}

/// The first closed gate; when all stages were reached and none is closed, that all of it runs. `None`: nothing was judged.
fn ready<K: Managed>(plan: &Plan<K::Status>, gates: &Gates) -> Option<Gate> {
    let closed = gates
        .iter()
        .find(|(stage, gate)| stage.counts() && gate.reason.class() != Class::Open);
    if let Some((_, gate)) = closed {
        return Some(gate.clone());
    }
    let reached = |stage: &ConditionType| gates.iter().any(|(known, _)| known == stage);
    let mut stages = K::STAGES.iter().filter(|stage| stage.counts());
    let next = stages.find(|stage| !reached(stage));
    match (gates.last(), next) {
        (None, _) => None,
        (Some(_), Some(next)) => Some(pending(&format!("{} is judged next", next.as_str()))),
        (Some(_), None) => plan.ready.clone().or_else(|| {
            Some(Gate {
                reason: Reason::Ready,
                message: plan.status.praise(),
            })
        }),
    }
}

fn pending(message: &str) -> Gate {
    Gate {
        reason: Reason::Pending,
        message: message.to_owned(),
    }
}

/// What was said before this pass.
struct Before<'a> {
    known: &'a [Condition],
    generation: Option<i64>,
    now: Timestamp,
}

impl Before<'_> {
    fn known(&self, type_: ConditionType) -> Option<&Condition> {
        self.known
            .iter()
            .find(|known| known.type_ == type_.as_str())
    }

    fn stage(&self, stage: ConditionType, gates: &Gates) -> Condition {
        let gate = gates
            .iter()
            .find(|(known, _)| *known == stage)
            .map(|(_, gate)| gate);
        let closed = gates
            .iter()
            .find(|(_, gate)| gate.reason.class() != Class::Open);
        let waits = closed.map_or("an earlier stage", |(closed, _)| closed.as_str());
        match (gate, self.known(stage)) {
            (Some(gate), _) => self.condition(stage, gate),
            (None, Some(known)) if known.reason != Reason::Pending.as_str() => known.clone(),
            (None, _) => self.unknown(stage, &format!("Waiting for {waits}")),
        }
    }

    fn or_unknown(&self, type_: ConditionType, gate: Option<&Gate>, what: &str) -> Condition {
        match (gate, self.known(type_)) {
            (Some(gate), _) => self.condition(type_, gate),
            (None, Some(known)) => known.clone(),
            (None, None) => self.unknown(type_, &format!("It is not known yet whether {what}")),
        }
    }

    /// A condition that nothing has been said of yet.
    fn unknown(&self, type_: ConditionType, message: &str) -> Condition {
        self.written(type_, "Unknown", &pending(message))
    }

    fn condition(&self, type_: ConditionType, gate: &Gate) -> Condition {
        let status = match gate.reason.class() {
            Class::Open => "True",
            Class::Unknown => "Unknown",
            Class::Waiting | Class::Refused | Class::Failed => "False",
        };
        self.written(type_, status, gate)
    }

    /// What follows for people (`Stalled`) and for tools that wait (`Reconciling`).
    fn summary(&self, ready: &Gate) -> Option<Condition> {
        let type_ = match ready.reason.class() {
            Class::Open => return None,
            Class::Refused | Class::Failed => ConditionType::Stalled,
            Class::Waiting | Class::Unknown => ConditionType::Reconciling,
        };
        Some(self.written(type_, "True", ready))
    }

    /// The time moves only with the status.
    fn written(&self, type_: ConditionType, status: &str, gate: &Gate) -> Condition {
        let same = self.known(type_).filter(|known| known.status == status);
        Condition {
            type_: type_.as_str().to_owned(),
            status: status.to_owned(),
            reason: gate.reason.as_str().to_owned(),
            message: shortened(&gate.message).to_owned(),
            observed_generation: self.generation,
            last_transition_time: same.map_or(Time(seconds(self.now)), |known| {
                known.last_transition_time.clone()
            }),
        }
    }
}

/// Times of the API have whole seconds: what is written must be what is read back.
fn seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

pub(super) fn shortened(text: &str) -> &str {
    let to = (0..=LONGEST.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..to.unwrap_or_default()).unwrap_or(text)
}

#[cfg(test)]
mod tests;
