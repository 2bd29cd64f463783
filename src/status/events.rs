//! Events: that something happened, once. They never fail a pass.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::runtime::events::{Event, EventType};

use crate::api::condition::Class;
use crate::api::environment::EnvironmentStatus;
use crate::api::{ConditionType, Environment, Reason};
use crate::context::Context;

/// Longest note, in bytes.
const LONGEST: usize = 1000;

/// Tells what the new status says that the old one did not.
pub(super) async fn publish(environment: &Environment, wanted: &EnvironmentStatus, ctx: &Context) {
    let before = environment
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    let target = wanted.target.unwrap_or_default();
    for event in happened(before.unwrap_or_default(), &wanted.conditions, target) {
        if ctx.may_write("Event", "create").is_err() {
            return;
        }
        if let Err(error) = ctx
            .recorder
            .publish(&event, &environment.object_ref(&()))
            .await
        {
            tracing::debug!(%error, reason = event.reason, "an event could not be published");
        }
    }
}

/// The transitions that people want to hear of. Pure.
fn happened(before: &[Condition], after: &[Condition], target: i64) -> Vec<Event> {
    let stages = after.iter().filter(|condition| {
        ConditionType::STAGES
            .iter()
            .any(|stage| stage.as_str() == condition.type_)
    });
    let changed = stages.filter(|condition| {
        let known = before.iter().find(|known| known.type_ == condition.type_);
        known.is_none_or(|known| {
            (&known.status, &known.reason) != (&condition.status, &condition.reason)
        })
    });
    changed
        .filter_map(|condition| event(condition, target))
        .collect()
}

fn event(condition: &Condition, target: i64) -> Option<Event> {
    let reasons = Reason::ALL.iter();
    let (reason, class, _) = reasons
        .into_iter()
        .find(|(reason, ..)| reason.as_str() == condition.reason)?;
    let begins = matches!(
        reason,
        Reason::MigrationRunning | Reason::RollingOut | Reason::Verifying
    );
    let type_ = match class {
        Class::Refused | Class::Failed => EventType::Warning,
        Class::Open if *reason != Reason::NotConfigured => EventType::Normal,
        Class::Waiting if begins => EventType::Normal,
        Class::Open | Class::Waiting | Class::Unknown => return None,
    };
    Some(Event {
        type_,
        reason: condition.reason.clone(),
        note: Some(note(&condition.message)),
        // Events of the same action and reason are counted as one for minutes, with the first note.
        action: format!("{}Revision{target}", condition.type_),
        secondary: None,
    })
}

fn note(message: &str) -> String {
    let to = (0..=LONGEST.min(message.len()))
        .rev()
        .find(|at| message.is_char_boundary(*at));
    message
        .get(..to.unwrap_or_default())
        .unwrap_or(message)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn condition(type_: &str, status: &str, reason: Reason) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: "a sentence".to_owned(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    }

    fn told(before: &[Condition], after: &[Condition]) -> Vec<(EventType, String)> {
        let events = happened(before, after, 3).into_iter();
        events.map(|event| (event.type_, event.reason)).collect()
    }

    #[test]
    fn a_failure_warns_once() {
        let failed = [condition("Migrated", "False", Reason::MigrationFailed)];
        let expected = [(EventType::Warning, "MigrationFailed".to_owned())];
        assert_eq!(told(&[], &failed), expected);
        assert!(told(&failed, &failed).is_empty());
    }

    #[test]
    fn waiting_and_summaries_are_no_events() {
        let waiting = [
            condition("Resolved", "False", Reason::WaitingForImage),
            condition("Ready", "False", Reason::MigrationFailed),
            condition("Migrated", "True", Reason::NotConfigured),
        ];
        assert!(told(&[], &waiting).is_empty());
        let begins = [condition("Migrated", "False", Reason::MigrationRunning)];
        assert_eq!(
            told(&waiting, &begins),
            [(EventType::Normal, "MigrationRunning".to_owned())]
        );
    }
}
