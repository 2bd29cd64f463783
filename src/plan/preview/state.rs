//! How a preview stands, in words for those who look at its pull request: they may be anybody, so what others said of it is
//! quoted only where it can hold nothing but what the App declares.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::deploy;
use crate::api::preview::PreviewStatus;
use crate::api::{ConditionType, Environment, Reason};
use crate::plan::announcement::Stand;
use crate::plan::{Gate, Plan};
use crate::seen::SeenPreview;

/// How a preview stands, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// How.
    pub stand: Stand,
    /// Why, in a sentence that anybody may read.
    pub sentence: String,
    /// The stage of the Environment that is closed, if it failed there.
    pub failed: Option<Condition>,
}

impl State {
    fn new(stand: Stand, sentence: impl Into<String>) -> Self {
        Self {
            stand,
            sentence: sentence.into(),
            failed: None,
        }
    }

    /// The pull request is closed, or the Preview was deleted.
    pub fn closed() -> Self {
        Self::new(Stand::Closed, "The preview is gone")
    }
}

/// How the preview stands, by what its stages said in this pass.
pub(super) fn of(seen: &SeenPreview, plan: &Plan<PreviewStatus>) -> State {
    let accepted = plan.gate(ConditionType::Accepted);
    if let Some(gate) = accepted.filter(|gate| !gate.is_open()) {
        return unaccepted(gate);
    }
    match plan.gate(ConditionType::Deployed) {
        Some(gate) if gate.is_open() => State::new(Stand::Ready, "The preview answers"),
        Some(gate) => undeployed(seen, gate),
        None => State::new(Stand::Waiting, ON_ITS_WAY),
    }
}

const ON_ITS_WAY: &str = "The preview is on its way";

fn unaccepted(gate: &Gate) -> State {
    use crate::api::condition::Class;
    let stand = match (gate.reason, gate.reason.class()) {
        (Reason::Expired, _) => Stand::Expired,
        (_, Class::Refused | Class::Failed) => Stand::Failed,
        _ => Stand::Queued,
    };
    State::new(stand, sentence(gate.reason, &gate.message))
}

fn undeployed(seen: &SeenPreview, gate: &Gate) -> State {
    let environment = seen.environment.as_deref();
    let ready = environment.and_then(deploy::ready);
    let reason = ready.and_then(|ready| deploy::known(&ready.reason));
    let said = ready.zip(reason);
    let said = said.map(|(ready, reason)| (reason, sentence(reason, &ready.message)));
    let Some((reason, sentence)) = said.filter(|_| gate.reason != Reason::Terminating) else {
        return State::new(Stand::Waiting, ON_ITS_WAY);
    };
    match gate.reason {
        Reason::NotDeployed => State {
            stand: Stand::Failed,
            sentence: format!("{}: {sentence}", reason.as_str()),
            failed: environment.and_then(|environment| failed(environment, reason)),
        },
        // After a while it names the usual cause.
        Reason::WaitingForImage => State::new(Stand::Queued, gate.message.clone()),
        _ => State::new(Stand::Waiting, sentence),
    }
}

/// The stage that is closed for this reason.
fn failed(environment: &Environment, reason: Reason) -> Option<Condition> {
    let conditions = environment.status.iter().flat_map(|told| &told.conditions);
    let is_stage = |known: &&Condition| {
        let mut stages = ConditionType::STAGES.iter();
        known.reason == reason.as_str() && stages.any(|stage| stage.as_str() == known.type_)
    };
    conditions.into_iter().find(is_stage).cloned()
}

/// What may be said of a reason. The same as long as the reason is, but for what names the image or the place in the queue:
/// how many pods are ready is no news.
fn sentence(reason: Reason, message: &str) -> String {
    match reason {
        // Of what the App and the release declare, in the controller's own words.
        Reason::WaitingForImage
        | Reason::Queued
        | Reason::Expired
        | Reason::ReferenceMissing
        | Reason::KeyMissing
        | Reason::ReleaseInvalid
        | Reason::SpecInvalid
        | Reason::TooLarge => message.to_owned(),
        Reason::DatabaseStarting | Reason::DatabaseBusy => "The database is being made".to_owned(),
        Reason::MigrationRunning | Reason::OtherMigrationRunning | Reason::BackendsLeft => {
            "The database is being migrated".to_owned()
        }
        Reason::SeedRunning => "The database is being filled".to_owned(),
        Reason::RollingOut | Reason::NothingServes => "Its pods are starting".to_owned(),
        Reason::RoutePending => "The gateway is taking its routes".to_owned(),
        Reason::Verifying => "It is being checked".to_owned(),
        _ => documented(reason),
    }
}

/// What the reference says of a reason that a person must look at.
fn documented(reason: Reason) -> String {
    use crate::api::condition::Class;
    match reason.class() {
        Class::Open | Class::Waiting | Class::Unknown => ON_ITS_WAY.to_owned(),
        Class::Refused | Class::Failed => {
            let mut all = Reason::ALL.iter();
            let known = all.find(|(known, ..)| *known == reason);
            known.map_or_else(String::new, |(.., text)| text.trim().to_owned())
        }
    }
}
