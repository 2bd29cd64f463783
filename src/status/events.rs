//! Events: that something happened, once. They never fail a pass.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use crate::api::Reason;
use crate::api::condition::Class;
use crate::context::Context;
use crate::managed::{Managed, Status};

/// Longest note, in bytes.
const LONGEST: usize = 1000;

/// Tells what the new status says that the old one did not.
pub(super) async fn publish<K: Managed>(object: &K, wanted: &K::Status, ctx: &Context) {
    let before = object.status().map(Status::conditions).unwrap_or_default();
    for event in happened::<K>(before, wanted.conditions(), &wanted.run()) {
        if ctx.may_write("Event", "create").is_err() {
            return;
        }
        if let Err(error) = ctx.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::debug!(%error, reason = event.reason, "an event could not be published");
        }
    }
}

/// The transitions that people want to hear of. Pure.
fn happened<K: Managed>(before: &[Condition], after: &[Condition], run: &str) -> Vec<Event> {
    let stages = after.iter().filter(|condition| {
        let mut stages = K::STAGES.iter();
        stages.any(|stage| stage.as_str() == condition.type_)
    });
    let changed = stages.filter(|condition| {
        let known = before.iter().find(|known| known.type_ == condition.type_);
        known.is_none_or(|known| {
            (&known.status, &known.reason) != (&condition.status, &condition.reason)
        })
    });
    changed
        .filter_map(|condition| event(condition, run))
        .collect()
}

fn event(condition: &Condition, run: &str) -> Option<Event> {
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
        Class::Open if *reason == Reason::ExpiresSoon => EventType::Warning,
        Class::Open if *reason != Reason::NotConfigured => EventType::Normal,
        Class::Waiting if begins => EventType::Normal,
        Class::Open | Class::Waiting | Class::Unknown => return None,
    };
    Some(Event {
        type_,
        reason: condition.reason.clone(),
        note: Some(note(&condition.message)),
        // Events of the same action and reason are counted as one for minutes, with the first note.
        action: format!("{}{run}", condition.type_),
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
    use crate::api::Environment;
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
        let events = happened::<Environment>(before, after, "Revision3").into_iter();
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
