//! Makes conditions of gates. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::api::condition::Class;
use crate::api::environment::EnvironmentStatus;
use crate::api::{ConditionType, Environment, Reason};
use crate::plan::{Gate, Plan};

/// Longest message, in bytes; the whole status has room for 32 KiB.
const LONGEST: usize = 2048;

type Gates = [(ConditionType, Gate)];

/// The status as it shall be: what was reached says what it says now, everything else what it said last.
pub(super) fn merge(
    environment: &Environment,
    plan: &Plan,
    gates: &Gates,
    now: Timestamp,
) -> EnvironmentStatus {
    let before = Before { environment, now };
    let ready = ready(plan, gates);
    let mut conditions: Vec<Condition> = ConditionType::STAGES
        .iter()
        .map(|stage| before.stage(*stage, gates))
        .collect();
    conditions.push(before.or_unknown(
        ConditionType::Available,
        plan.available.as_ref(),
        "anything serves",
    ));
    conditions.push(before.or_unknown(ConditionType::Ready, ready.as_ref(), "everything runs"));
    conditions.extend(ready.iter().filter_map(|gate| before.summary(gate)));
    EnvironmentStatus {
        observed_generation: environment.metadata.generation,
        conditions,
        ..plan.status.clone()
    }
}

/// The status after a fault of the controller: all as it was, but for what sums it up.
pub(super) fn faulty(environment: &Environment, gate: &Gate, now: Timestamp) -> EnvironmentStatus {
    let before = Before { environment, now };
    let mut status = environment.status.clone().unwrap_or_default();
    let summaries = [
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
    ];
    status.conditions.retain(|known| {
        summaries
            .iter()
            .all(|summary| known.type_ != summary.as_str())
    });
    status
        .conditions
        .push(before.condition(ConditionType::Ready, gate));
    status.conditions.extend(before.summary(gate));
    status
}

/// The conditions of an Environment of which only the metadata can be read.
pub(super) fn unreadable(object: &DynamicObject, why: &str, now: Timestamp) -> Value {
    let known = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let since = |type_: &str, status: &str| {
        let same = known
            .into_iter()
            .flatten()
            .find(|known| known["type"] == type_ && known["status"] == status);
        let since = same.and_then(|known| known["lastTransitionTime"].as_str().map(str::to_owned));
        since.unwrap_or_else(|| now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    };
    let condition = |type_: &str, status: &str| {
        json!({
            "type": type_,
            "status": status,
            "reason": Reason::SpecInvalid.as_str(),
            "message": shortened(&format!("This version of the controller cannot read the Environment: {why}")),
            "observedGeneration": object.metadata.generation,
            "lastTransitionTime": since(type_, status),
        })
    };
    json!([
        condition("Accepted", "False"),
        condition("Ready", "False"),
        condition("Stalled", "True")
    ])
}

/// The first closed gate; when all stages were reached and none is closed, that all of it runs. `None`: nothing was judged.
fn ready(plan: &Plan, gates: &Gates) -> Option<Gate> {
    let closed = gates
        .iter()
        .find(|(_, gate)| gate.reason.class() != Class::Open);
    if let Some((_, gate)) = closed {
        return Some(gate.clone());
    }
    let reached = |stage: &ConditionType| gates.iter().any(|(known, _)| known == stage);
    let next = ConditionType::STAGES.iter().find(|stage| !reached(stage));
    match (gates.last(), next) {
        (None, _) => None,
        (Some(_), Some(next)) => Some(pending(&format!("{} is judged next", next.as_str()))),
        (Some(_), None) => {
            let release = plan.status.release.as_deref().unwrap_or("The release");
            Some(Gate {
                reason: Reason::Ready,
                message: format!("{release} runs"),
            })
        }
    }
}

fn pending(message: &str) -> Gate {
    Gate {
        reason: Reason::Pending,
        message: message.to_owned(),
    }
}

/// The status before this pass.
struct Before<'a> {
    environment: &'a Environment,
    now: Timestamp,
}

impl Before<'_> {
    fn known(&self, type_: ConditionType) -> Option<&Condition> {
        let status = self.environment.status.as_ref()?;
        status
            .conditions
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
            (None, Some(known)) => known.clone(),
            (None, None) => self.unknown(stage, &format!("Waiting for {waits}")),
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
            observed_generation: self.environment.metadata.generation,
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
