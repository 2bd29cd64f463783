//! `Deployed`: the Environment of the preview is what it shall be, and Ready.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::lifetime;
use crate::api::condition::Class;
use crate::api::preview::PreviewStatus;
use crate::api::{ConditionType, Environment, Reason, labels};
use crate::build::environment;
use crate::plan::action::{Change, Live};
use crate::plan::{Action, Gate, Key, Plan};
use crate::seen::{Seen, SeenPreview};

const STAGE: ConditionType = ConditionType::Deployed;
/// How long an image is awaited before it is said why it may not come.
const LONG: SignedDuration = SignedDuration::from_mins(10);

/// Makes the Environment as the App's template says, and says how it stands.
pub(super) fn deploy(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Gate {
    let Seen::Found(app) = &seen.app else {
        return Gate::new(Reason::Pending, "Waiting for the App");
    };
    let live = seen.environment.as_deref();
    if live.is_some_and(|live| live.metadata.deletion_timestamp.is_some()) {
        let message =
            "The Environment of before is on its way out; it is made anew when it is gone";
        return Gate::new(Reason::Terminating, message);
    }
    let Some(mut wanted) = environment::of_preview(&seen.preview, app, live) else {
        return Gate::new(Reason::Pending, "Waiting for the App's preview section");
    };
    if let Some(sleep) = wanted
        .spec
        .preview
        .as_mut()
        .and_then(|of| of.sleep.as_mut())
    {
        sleep.slept_time = said(seen, labels::SLEEP, labels::SLEPT);
        sleep.woken_time = said(seen, labels::WAKE, labels::WOKEN);
    }
    if live.is_none_or(|live| live.spec != wanted.spec) {
        let change = Change {
            live: live.map(|live| Live {
                uid: live.uid().unwrap_or_default(),
                resource_version: None,
                foreign: Vec::new(),
            }),
            object: Box::new(wanted),
        };
        plan.push(STAGE, Action::Environment(change));
        return Gate::new(Reason::Deploying, "The Environment is being made");
    }
    plan.wanted
        .insert(Key::new("Environment", seen.preview.name_any()));
    let gate = live.map_or_else(
        || Gate::new(Reason::Deploying, "The Environment is being made"),
        judge,
    );
    match gate.reason {
        Reason::WaitingForImage => explained(seen, plan, gate),
        _ => gate,
    }
}

/// Says of an image that is awaited for long what is usually wrong.
fn explained(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>, mut gate: Gate) -> Gate {
    let long = lifetime::pushed(&seen.preview, seen.now) + LONG;
    if seen.now < long {
        plan.look_at(long);
        return gate;
    }
    gate.message.push_str(
        ". The commit in its tag must be the head commit of the pull request, 40 or 7 characters of it: CI systems often show \
         the merge commit instead",
    );
    gate
}

/// When a person last said a word, in whole seconds, as it is kept.
fn said(seen: &SeenPreview, word: &str, kept: &str) -> Option<Time> {
    let at = lifetime::said(&seen.preview, word, kept, seen.now)?;
    Some(Time(Timestamp::from_second(at.as_second()).unwrap_or(at)))
}

/// What the Environment says of itself.
fn judge(environment: &Environment) -> Gate {
    let Some(ready) = ready(environment) else {
        return Gate::new(Reason::Deploying, "The Environment is on its way");
    };
    if ready.status == "True" && ready.reason == Reason::Asleep.as_str() {
        return Gate::new(Reason::Asleep, ready.message.clone());
    }
    if ready.status == "True" {
        return Gate::new(Reason::Deployed, ready.message.clone());
    }
    if ready.reason == Reason::WaitingForImage.as_str() {
        return Gate::new(Reason::WaitingForImage, ready.message.clone());
    }
    let reason = match known(&ready.reason).map(Reason::class) {
        Some(Class::Refused | Class::Failed) => Reason::NotDeployed,
        _ => Reason::Deploying,
    };
    Gate::new(reason, format!("{}: {}", ready.reason, ready.message))
}

/// Whether the Environment is ready, if it has said so of its present spec.
pub(super) fn ready(environment: &Environment) -> Option<&Condition> {
    let status = environment.status.as_ref();
    let told = status.filter(|told| told.observed_generation == environment.metadata.generation);
    let mut conditions = told.into_iter().flat_map(|told| &told.conditions);
    conditions.find(|known| {
        known.type_ == ConditionType::Ready.as_str()
            && known.observed_generation == environment.metadata.generation
    })
}

/// The reason of this name.
pub(super) fn known(name: &str) -> Option<Reason> {
    let mut all = Reason::ALL.iter().map(|(reason, ..)| *reason);
    all.find(|reason| reason.as_str() == name)
}
