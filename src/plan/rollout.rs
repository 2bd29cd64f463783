//! `RolledOut`: every component runs the revision, and is available. A verdict puts the slots back to what served.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::situation::Situation;
use super::{Gate, Plan, health, sleep, slots};
use crate::api::{ConditionType, Reason, labels};
use crate::build::names;
use crate::revision::{Facts, Rendered, Revision, Verdict};
use crate::seen::SeenEnvironment;

const STAGE: ConditionType = ConditionType::RolledOut;

/// Rolls the target out, and judges it until it is verified.
pub fn roll(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let Some(target) = &situation.target else {
        return Gate::new(Reason::Pending, "Waiting for a revision");
    };
    if let Some(verdict) = target.facts.given_up.as_ref() {
        return given_up(situation, plan, target, verdict);
    }
    let changed = slots::hold(situation, plan, target);
    let seen = situation.seen;
    let on_its_way = target.facts.verified.is_none() && target.facts.entered.is_some();
    if on_its_way && let Some(verdict) = judge(seen, plan, target, &changed) {
        return give_up(situation, plan, STAGE, verdict);
    }
    state(seen, target, &changed)
}

/// How far a revision is: open when every component runs it and is available.
fn state(seen: &SeenEnvironment, revision: &Revision, changed: &[String]) -> Gate {
    let waiting: Vec<&str> = revision
        .decided
        .components
        .iter()
        .filter(|rendered| changed.contains(&rendered.name) || !is_settled(seen, rendered))
        .map(|rendered| rendered.name.as_str())
        .collect();
    if waiting.is_empty() && sleep::wakes(seen) {
        let message = "The preview wakes: its pods wait for the database";
        return Gate::new(Reason::RollingOut, message);
    }
    if waiting.is_empty() {
        return Gate::new(
            Reason::RolledOut,
            format!("Every component runs revision {}", revision.number),
        );
    }
    if let Some(refused) = revision
        .decided
        .components
        .iter()
        .find_map(|rendered| refused(seen, rendered))
    {
        return Gate::new(Reason::ObjectRefused, refused);
    }
    let trouble = revision
        .decided
        .components
        .iter()
        .flat_map(|rendered| health::pods_of(seen, &rendered.name, &rendered.hash))
        .find_map(health::trouble);
    let trouble = trouble
        .map(|trouble| format!(": {trouble}"))
        .unwrap_or_default();
    Gate::new(
        Reason::RollingOut,
        format!("Rolling out {}{trouble}", waiting.join(", ")),
    )
}

/// Why the apiserver takes no pods of a component: a quota or a policy.
fn refused(seen: &SeenEnvironment, rendered: &Rendered) -> Option<String> {
    let conditions = deployment(seen, rendered)?
        .status
        .as_ref()?
        .conditions
        .as_ref()?;
    let failure = conditions
        .iter()
        .find(|known| known.type_ == "ReplicaFailure" && known.status == "True")?;
    let why = failure.message.as_deref().unwrap_or("no reason given");
    Some(format!(
        "The apiserver refuses pods of component '{}': {}",
        rendered.name,
        without_suffix(why)
    ))
}

/// A pod's name ends in letters that differ from attempt to attempt; a message must not.
fn without_suffix(message: &str) -> &str {
    message
        .split_once("is forbidden: ")
        .map_or(message, |(_, why)| why)
}

/// Whether every component runs the revision and is available.
#[must_use]
pub fn is_rolled_out(seen: &SeenEnvironment, revision: &Revision) -> bool {
    state(seen, revision, &[]).is_open()
}

/// Whether a Deployment runs the wanted template only, at its present generation, and is available.
fn is_settled(seen: &SeenEnvironment, rendered: &Rendered) -> bool {
    let Some(live) = deployment(seen, rendered) else {
        return false;
    };
    let same = live.labels().get(labels::TEMPLATE) == Some(&rendered.hash);
    let wanted = live
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let Some(status) = &live.status else {
        return false;
    };
    same && status.observed_generation >= live.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.replicas.unwrap_or(0) <= wanted
        && status.available_replicas.unwrap_or(0) >= wanted
}

/// Whether a component has fewer ready pods of the wanted template than it shall have.
fn lacks_pods(seen: &SeenEnvironment, rendered: &Rendered) -> bool {
    let pods = health::pods_of(seen, &rendered.name, &rendered.hash);
    let ready = pods.filter(|pod| health::is_ready(pod)).count();
    deployment(seen, rendered).is_none_or(|live| wants_more(live, ready))
}

/// Whether a Deployment shall have more pods than these that are ready, as far as its controller has looked at what was
/// written last. Its status counts available pods of all templates together: while a pod is added before one is taken away,
/// those of the last release stand in for the new one that never gets ready.
fn wants_more(live: &Deployment, ready: usize) -> bool {
    let wanted = live
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let looked = live
        .status
        .as_ref()
        .is_some_and(|status| status.observed_generation >= live.metadata.generation);
    looked && i32::try_from(ready).unwrap_or(i32::MAX) < wanted
}

/// The Deployment of a component in the active slot.
#[must_use]
pub fn deployment<'a>(seen: &'a SeenEnvironment, rendered: &Rendered) -> Option<&'a Deployment> {
    let name = names::slot(
        &seen.environment.name_any(),
        &rendered.name,
        names::ACTIVE_SLOT,
    );
    seen.children.deployments.get(&name).map(AsRef::as_ref)
}

/// The components that a revision changes: pods that run the same template as what serves say nothing about it.
fn released<'a>(
    seen: &'a SeenEnvironment,
    target: &'a Revision,
) -> impl Iterator<Item = &'a Rendered> {
    let serving = super::situation::serving(seen);
    let components = target.decided.components.iter();
    components.filter(move |rendered| {
        let known = serving.and_then(|serving| serving.component(&rendered.name));
        known.is_none_or(|known| known.hash != rendered.hash)
    })
}

/// A crash is a verdict at once, no progress before the deadline another.
fn judge(
    seen: &SeenEnvironment,
    plan: &mut Plan,
    target: &Revision,
    changed: &[String],
) -> Option<Verdict> {
    let entered = target.facts.entered?;
    for rendered in released(seen, target) {
        if let Some(why) = health::pods_of(seen, &rendered.name, &rendered.hash)
            .find_map(|pod| health::crash(pod, entered.min(seen.now)))
        {
            return Some(Verdict {
                reason: Reason::Crashed,
                message: format!("Revision {}: {why}", target.number),
                at: Some(seen.now),
            });
        }
    }
    let open = state(seen, target, changed).is_open();
    let deadline = deadline(seen, target)?;
    if deadline > seen.now {
        plan.look_at(deadline);
        return None;
    }
    // What is only written now, or has pods too many, cannot be late.
    let late =
        |rendered: &Rendered| !changed.contains(&rendered.name) && lacks_pods(seen, rendered);
    if open || !released(seen, target).any(late) {
        return None;
    }
    let pods = released(seen, target)
        .flat_map(|rendered| health::pods_of(seen, &rendered.name, &rendered.hash));
    let unready = pods
        .filter(|pod| health::trouble(pod).is_none())
        .find_map(health::unready);
    let unready = unready
        .map(|unready| format!(": {unready}"))
        .unwrap_or_default();
    let state = format!("{}{unready}", state(seen, target, changed).message);
    let seconds = seen.environment.spec.strategy.progress_deadline_seconds;
    Some(Verdict {
        reason: Reason::DeadlineExceeded,
        message: format!(
            "Revision {} made no progress for {seconds} seconds. {state}",
            target.number
        ),
        at: Some(seen.now),
    })
}

/// Counted from entry, anew at each newly available pod. Nothing has happened in the future, whatever a clock that went wrong
/// has written.
#[must_use]
pub fn deadline(seen: &SeenEnvironment, target: &Revision) -> Option<Timestamp> {
    let entered = target.facts.entered?;
    let pods = released(seen, target)
        .flat_map(|rendered| health::pods_of(seen, &rendered.name, &rendered.hash));
    // A controller that stopped between entry and rollout has not used up the time of the pods.
    let begun = released(seen, target).filter_map(|rendered| {
        let pods = health::pods_of(seen, &rendered.name, &rendered.hash);
        pods.filter_map(|pod| pod.creation_timestamp())
            .map(|time| time.0)
            .min()
    });
    let progress = pods
        .filter_map(health::ready_since)
        .chain(begun)
        .map(|time| time.min(seen.now));
    let entered = (entered <= seen.now).then_some(entered);
    let progress = progress.chain(entered).max().unwrap_or(seen.now);
    let seconds = seen.environment.spec.strategy.progress_deadline_seconds;
    Some(progress + SignedDuration::from_secs(seconds.into()))
}

/// Gives the target up: the fact first, then the slots go back to what served. That is the rollback.
pub fn give_up(
    situation: &Situation<'_>,
    plan: &mut Plan,
    stage: ConditionType,
    verdict: Verdict,
) -> Gate {
    let gate = said(situation, &verdict);
    // What was planned for the target is not done any more.
    plan.steps
        .retain(|step| step.stage < ConditionType::RolledOut);
    situation.record_fact(
        plan,
        stage,
        &Facts {
            given_up: Some(verdict),
            ..Facts::default()
        },
    );
    if let Some(serving) = situation.serving {
        slots::hold(situation, plan, serving);
    }
    gate
}

/// The stage that judged stays closed; the stages before it speak of what serves.
fn given_up(
    situation: &Situation<'_>,
    plan: &mut Plan,
    target: &Revision,
    verdict: &Verdict,
) -> Gate {
    if verdict.stage() == STAGE {
        return said(situation, verdict);
    }
    match situation.serving {
        Some(serving) => {
            let changed = slots::hold(situation, plan, serving);
            state(situation.seen, serving, &changed)
        }
        None => state(situation.seen, target, &[]),
    }
}

/// What is said of a revision that was given up: rolled back, where there was something to go back to.
#[must_use]
pub fn said(situation: &Situation<'_>, verdict: &Verdict) -> Gate {
    let name = situation.seen.environment.name_any();
    match situation.serving {
        Some(serving) => Gate::new(
            Reason::RolledBack,
            format!(
                "{}. Revision {} serves again; name another release, or run `kubectl towpath retry {name}`",
                verdict.message.trim_end_matches('.'),
                serving.number
            ),
        ),
        None => Gate::new(
            verdict.reason,
            format!(
                "{}. There is no earlier revision to return to: its pods are left for inspection",
                verdict.message.trim_end_matches('.')
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus};

    use super::*;

    /// One replica, and its controller has looked at this generation: a new pod beside the old one, which is available.
    fn surging(observed: i64) -> Deployment {
        let mut live = Deployment::default();
        live.metadata.generation = Some(2);
        live.spec = Some(DeploymentSpec {
            replicas: Some(1),
            ..DeploymentSpec::default()
        });
        live.status = Some(DeploymentStatus {
            observed_generation: Some(observed),
            replicas: Some(2),
            updated_replicas: Some(1),
            available_replicas: Some(1),
            ..DeploymentStatus::default()
        });
        live
    }

    #[test]
    fn the_last_releases_pod_does_not_stand_in_for_the_new_one() {
        assert!(wants_more(&surging(2), 0));
        assert!(!wants_more(&surging(2), 1));
    }

    #[test]
    fn what_its_controller_has_not_looked_at_cannot_be_late() {
        assert!(!wants_more(&surging(1), 0));
    }
}
