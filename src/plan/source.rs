//! Decides for an App which of its pull requests get a preview. Pure.
//!
//! What is not known changes nothing: a Preview goes only when the host has said that it shall.

mod previews;
mod status;
pub mod verdict;
mod wanted;

pub use wanted::is_made_for;

use super::{Gate, Plan};
use crate::api::app_status::AppStatus;
use crate::api::template::Source;
use crate::api::{ConditionType, Reason};
use crate::seen::SeenApp;

const STAGE: ConditionType = ConditionType::Sourced;

/// Decides what to do for an App, and what to say of it.
#[must_use]
pub fn plan(seen: &SeenApp) -> Plan<AppStatus> {
    let mut plan = Plan::default();
    let skipped = previews::decide(seen, &mut plan);
    plan.gates.push((STAGE, gate(seen)));
    plan.status = status::of(seen, skipped);
    if let Some(next) = seen.source.as_ref().and_then(|known| known.next) {
        plan.look_at(next);
    }
    plan
}

/// The source of an App's pull requests.
#[must_use]
pub fn of(seen: &SeenApp) -> Option<&Source> {
    seen.app.spec.preview.as_ref()?.source.as_ref()
}

/// Whether the pull requests are known.
fn gate(seen: &SeenApp) -> Gate {
    let (Some(source), Some(known)) = (of(seen), &seen.source) else {
        let message = "The App names no source of pull requests";
        return Gate::new(Reason::NotConfigured, message);
    };
    let repository = &source.repository;
    match &known.hindrance {
        Some(hindrance) => {
            let obstacle = hindrance.obstacle(source);
            Gate::new(obstacle.reason, obstacle.message)
        }
        None if !known.is_listed => {
            let message = format!("'{repository}' was not asked for its pull requests yet");
            Gate::new(Reason::SourceSilent, message)
        }
        None => {
            let provider = source.provider.as_str();
            let message = format!("Pull requests of '{repository}' on {provider} get previews");
            Gate::new(Reason::Sourced, message)
        }
    }
}

#[cfg(test)]
mod tests;
