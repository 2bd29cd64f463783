//! The kubelet, and the scheduler before it: a pod moves on by one step.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Pod, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::pods::phase;
use crate::api::labels;
use crate::simulate::effect::Effect;
use crate::simulate::script::{Migrates, Runs, Script};

/// From start to ready.
const WARM_UP: i64 = 2;
/// From the request to end to the end.
const DRAIN: i64 = 3;
/// From a crash to the next start, at first.
const BACK_OFF: i64 = 5;

/// The next step of a pod, if there is one now.
pub(super) fn step(pod: &Pod, script: &Script, now: Timestamp) -> Option<Effect> {
    if let Some(leaving) = &pod.metadata.deletion_timestamp {
        return has_passed(leaving.0, DRAIN, now).then(|| Effect::PodGone(pod.name_any()));
    }
    let container = pod.spec.as_ref()?.containers.first()?;
    let build = script.of(container.image.as_deref().unwrap_or_default());
    let purpose = pod.labels().get(labels::PURPOSE).map(String::as_str);
    let status = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let Some(known) = status.and_then(|all| all.first()) else {
        return Some(next(
            pod,
            waiting(&container.name, "ContainerCreating", 0, None),
            false,
            "is scheduled",
            now,
        ));
    };
    match purpose {
        Some("migration") => migrates(pod, known, build.migrates, now),
        Some("seed") => migrates(pod, known, build.seeds, now),
        Some("database") => runs(pod, known, Runs::Well, now),
        _ => runs(pod, known, build.runs, now),
    }
}

fn runs(pod: &Pod, known: &ContainerStatus, runs: Runs, now: Timestamp) -> Option<Effect> {
    if let Some(since) = started(known) {
        return running(pod, known, runs, since, now);
    }
    let waits_for = waiting_reason(known);
    if runs == Runs::NotPulled {
        let refused = waiting(&known.name, "ImagePullBackOff", 0, None);
        return (waits_for != "ImagePullBackOff")
            .then(|| next(pod, refused, false, "cannot pull its image", now));
    }
    let ended = known
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let ended = ended.and_then(|ended| ended.finished_at.as_ref());
    let pause = BACK_OFF * i64::from(known.restart_count + 1);
    if ended.is_some_and(|ended| !has_passed(ended.0, pause, now)) {
        return None;
    }
    let mut start = known.clone();
    start.restart_count += i32::from(ended.is_some());
    start.state = Some(ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(Time(now)),
        }),
        ..ContainerState::default()
    });
    Some(next(pod, start, false, "starts", now))
}

fn running(
    pod: &Pod,
    known: &ContainerStatus,
    runs: Runs,
    since: Timestamp,
    now: Timestamp,
) -> Option<Effect> {
    let ready = known.ready;
    let warm = has_passed(since, WARM_UP, now);
    match runs {
        Runs::Crashes if has_passed(since, 1, now) => Some(crash(pod, known, since, now)),
        Runs::Well | Runs::AnswersErrors | Runs::SaysNothing if !ready && warm => {
            Some(next(pod, known.clone(), true, "is ready", now))
        }
        Runs::FailsAfter(seconds)
            if !ready && warm && !has_passed(since, WARM_UP + seconds, now) =>
        {
            Some(next(pod, known.clone(), true, "is ready", now))
        }
        Runs::FailsAfter(seconds) if ready && has_passed(since, WARM_UP + seconds, now) => Some(
            next(pod, known.clone(), false, "is not ready any more", now),
        ),
        _ => None,
    }
}

fn crash(pod: &Pod, known: &ContainerStatus, since: Timestamp, now: Timestamp) -> Effect {
    let ended = terminated(1, "panic: out of luck", since, now);
    let mut crashed = waiting(&known.name, "CrashLoopBackOff", known.restart_count, None);
    crashed.last_state = Some(ended);
    next(pod, crashed, false, "crashes", now)
}

fn migrates(
    pod: &Pod,
    known: &ContainerStatus,
    migrates: Migrates,
    now: Timestamp,
) -> Option<Effect> {
    if matches!(phase(pod), "Succeeded" | "Failed") {
        return None;
    }
    let Some(since) = started(known) else {
        let runs_as = if migrates == Migrates::NotPulled {
            Runs::NotPulled
        } else {
            Runs::NeverReady
        };
        return runs(pod, known, runs_as, now);
    };
    let (code, words) = match migrates {
        Migrates::Within(seconds) if has_passed(since, seconds, now) => (0, ""),
        Migrates::Fails if has_passed(since, 1, now) => {
            (1, "ERROR: column \"price\" does not exist")
        }
        _ => return None,
    };
    let mut ended = known.clone();
    ended.state = Some(terminated(code, words, since, now));
    Some(next(
        pod,
        ended,
        false,
        if code == 0 { "succeeds" } else { "fails" },
        now,
    ))
}

/// The pod with this container status.
fn next(pod: &Pod, container: ContainerStatus, ready: bool, words: &str, now: Timestamp) -> Effect {
    let mut pod = pod.clone();
    let before = pod.status.take().unwrap_or_default();
    let container = ContainerStatus { ready, ..container };
    pod.status = Some(PodStatus {
        phase: Some(phase_with(&container, before.phase.as_deref()).to_owned()),
        start_time: before.start_time.clone().or(Some(Time(now))),
        conditions: Some(vec![
            condition(&before, "PodScheduled", true, now),
            condition(&before, "Ready", ready, now),
        ]),
        container_statuses: Some(vec![container]),
        ..before
    });
    Effect::Pod(Box::new(pod), words.to_owned())
}

fn phase_with(container: &ContainerStatus, before: Option<&str>) -> &'static str {
    let state = container.state.as_ref();
    match state.and_then(|state| state.terminated.as_ref()) {
        Some(ended) if ended.exit_code == 0 => "Succeeded",
        Some(_) => "Failed",
        None if state.is_some_and(|state| state.running.is_some()) => "Running",
        None if before == Some("Running") => "Running",
        None => "Pending",
    }
}

fn condition(before: &PodStatus, type_: &str, holds: bool, now: Timestamp) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let known = before
        .conditions
        .iter()
        .flatten()
        .find(|known| known.type_ == type_);
    let since = known
        .filter(|known| known.status == status)
        .and_then(|known| known.last_transition_time.clone());
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_transition_time: since.or(Some(Time(now))),
        ..PodCondition::default()
    }
}

fn waiting(name: &str, reason: &str, restarts: i32, message: Option<String>) -> ContainerStatus {
    ContainerStatus {
        name: name.to_owned(),
        restart_count: restarts,
        state: Some(ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some(reason.to_owned()),
                message,
            }),
            ..ContainerState::default()
        }),
        ..ContainerStatus::default()
    }
}

fn terminated(code: i32, words: &str, since: Timestamp, now: Timestamp) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: code,
            message: (!words.is_empty()).then(|| words.to_owned()),
            started_at: Some(Time(since)),
            finished_at: Some(Time(now)),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

fn started(container: &ContainerStatus) -> Option<Timestamp> {
    let running = container.state.as_ref()?.running.as_ref()?;
    running.started_at.as_ref().map(|time| time.0)
}

fn waiting_reason(container: &ContainerStatus) -> &str {
    let waiting = container
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    waiting
        .and_then(|waiting| waiting.reason.as_deref())
        .unwrap_or_default()
}

fn has_passed(since: Timestamp, seconds: i64, now: Timestamp) -> bool {
    now.duration_since(since) >= SignedDuration::from_secs(seconds)
}
