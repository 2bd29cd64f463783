//! When a preview sleeps: nothing is on its way, and nobody has asked for it for as long as its App says. Decided in each pass
//! from what is seen: a Lease that the activator renews, what became of the revision, and a person's word.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::situation::Situation;
use super::{Gate, Plan, database, finish, health, route, slots, tokens};
use crate::api::environment::Sleep;
use crate::api::{ConditionType, Reason, labels};
use crate::build::names;
use crate::seen::SeenEnvironment;

/// How this Environment sleeps. `None`: it never does, because nobody says so, or no activator could wake it.
#[must_use]
pub fn of(seen: &SeenEnvironment) -> Option<&Sleep> {
    let sleep = seen.environment.spec.preview.as_ref()?.sleep.as_ref();
    sleep.filter(|_| seen.activator.is_some())
}

/// Whether it sleeps now.
#[must_use]
pub fn is_due(situation: &Situation<'_>) -> bool {
    let seen = situation.seen;
    let (Some(sleep), Some(active)) = (of(seen), active(situation)) else {
        return false;
    };
    is_sent(seen, sleep, active) || falls_asleep(sleep, active) <= seen.now
}

/// Whether a person sent it to sleep after all that happened. Words are known to the second.
fn is_sent(seen: &SeenEnvironment, sleep: &Sleep, active: Timestamp) -> bool {
    let Some(slept) = at(sleep.slept_time.as_ref(), seen.now) else {
        return false;
    };
    let woken = at(sleep.woken_time.as_ref(), seen.now);
    slept.as_second() >= active.as_second() && woken.is_none_or(|woken| woken < slept)
}

fn falls_asleep(sleep: &Sleep, active: Timestamp) -> Timestamp {
    active + SignedDuration::from_secs(sleep.after_seconds.into())
}

/// When it was last asked for, or was told to be up. `None`: something is on its way, so that it does not sleep.
fn active(situation: &Situation<'_>) -> Option<Timestamp> {
    let seen = situation.seen;
    let target = situation.target.as_ref();
    let verified = target.and_then(|target| target.facts.verified)?;
    if !situation.is_settled() || !tokens::none_fresh(seen) {
        return None;
    }
    let lease = seen
        .children
        .leases
        .get(&names::activity(&seen.environment.name_any()));
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref());
    let renewed = renewed.map(|renewed| renewed.0.min(seen.now));
    let woken = of(seen).and_then(|sleep| at(sleep.woken_time.as_ref(), seen.now));
    let times = [Some(verified.min(seen.now)), renewed, woken];
    times.into_iter().flatten().max()
}

/// Nothing has happened in the future, whatever a clock that went wrong has written.
fn at(time: Option<&Time>, now: Timestamp) -> Option<Timestamp> {
    time.map(|time| time.0.min(now))
}

/// Looks again when it falls asleep, if nobody asks for it until then.
pub fn watch(situation: &Situation<'_>, plan: &mut Plan) {
    if let (Some(sleep), Some(active)) = (of(situation.seen), active(situation)) {
        plan.look_at(falls_asleep(sleep, active));
    }
}

/// What an Environment that sleeps is: everything but its pods, as it shall be. The database is not asked.
#[must_use]
pub fn environment(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    slots::keep(situation, &mut plan);
    plan.gates = vec![
        (ConditionType::Accepted, situation.accepted()),
        (ConditionType::Resolved, situation.resolved()),
    ];
    let configured = situation.configured(&mut plan);
    plan.gates.push((ConditionType::Configured, configured));
    let unasked = Gate::new(Reason::Asleep, "Not asked while the preview sleeps");
    plan.gates.extend([
        (ConditionType::DatabaseReady, unasked.clone()),
        (ConditionType::Migrated, unasked),
        (ConditionType::RolledOut, pods(situation.seen)),
        (ConditionType::Routed, route::answers(situation.seen)),
        (ConditionType::Verified, verified(situation)),
    ]);
    let asleep = Gate::new(
        Reason::Asleep,
        "The preview sleeps: the first request wakes it",
    );
    plan.ready = Some(asleep.clone());
    finish::asleep(situation, &mut plan, asleep);
    plan
}

fn pods(seen: &SeenEnvironment) -> Gate {
    let message = match (seen.children.pods.values()).any(|pod| runs(pod)) {
        true => "The pods are being stopped",
        false => "No pod runs",
    };
    Gate::new(Reason::Asleep, message)
}

fn verified(situation: &Situation<'_>) -> Gate {
    let number = situation.target.as_ref().map_or(0, |target| target.number);
    Gate::new(Reason::Verified, format!("Revision {number} is verified"))
}

/// How many pods the dedicated database has: it goes when nothing uses it any more.
#[must_use]
pub fn database_replicas(situation: &Situation<'_>, present: Option<i32>) -> i32 {
    if !situation.asleep {
        return 1;
    }
    let uses = |pod: &Pod| {
        runs(pod)
            && pod
                .labels()
                .get(labels::PURPOSE)
                .is_none_or(|purpose| purpose != health::DATABASE)
    };
    match (situation.seen.children.pods.values()).any(|pod| uses(pod)) {
        true => present.unwrap_or(1),
        false => 0,
    }
}

fn runs(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether a workload without pods stays so: its Environment sleeps, or wakes and its database is not up yet.
#[must_use]
pub fn is_held_down(situation: &Situation<'_>, replicas: Option<i32>) -> bool {
    situation.asleep || replicas == Some(0) && waits_for_database(situation.seen)
}

fn waits_for_database(seen: &SeenEnvironment) -> bool {
    of(seen).is_some()
        && database::dedicated_spec(&seen.environment).is_some()
        && !health::pods_for(seen, health::DATABASE).any(health::is_ready)
}

/// Whether a preview wakes, and none of its pods has started yet.
#[must_use]
pub fn wakes(seen: &SeenEnvironment) -> bool {
    let deployments = seen.children.deployments.values();
    let mut specs = deployments.filter_map(|live| live.spec.as_ref());
    waits_for_database(seen) && specs.any(|spec| spec.replicas == Some(0))
}
