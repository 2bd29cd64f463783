//! What pods say of themselves.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::ResourceExt;

use crate::api::labels;
use crate::seen::SeenEnvironment;

/// How long a container must have run for its failure to count as one after it was available, in seconds: as long as a
/// Deployment waits before it calls a pod available.
const AVAILABLE_SECONDS: i64 = 5;
/// So many restarts of one container are a crash.
const RESTARTS: i32 = 2;

/// The purpose of a database's pod.
pub const DATABASE: &str = "database";

/// The pods that serve one purpose, such as [`DATABASE`] or `migration`.
pub fn pods_for<'a>(seen: &'a SeenEnvironment, purpose: &'a str) -> impl Iterator<Item = &'a Pod> {
    let pods = seen.children.pods.values().map(AsRef::as_ref);
    pods.filter(move |pod: &&Pod| {
        pod.labels()
            .get(labels::PURPOSE)
            .is_some_and(|known| known == purpose)
    })
}

/// The pods that run a component's template.
pub fn pods_of<'a>(
    seen: &'a SeenEnvironment,
    component: &'a str,
    template: &'a str,
) -> impl Iterator<Item = &'a Pod> {
    let has = |pod: &Pod, label: &str, value: &str| {
        pod.labels().get(label).is_some_and(|known| known == value)
    };
    let pods = seen.children.pods.values().map(AsRef::as_ref);
    pods.filter(move |pod: &&Pod| {
        has(pod, labels::COMPONENT, component)
            && has(pod, labels::TEMPLATE, template)
            && pod.metadata.deletion_timestamp.is_none()
    })
}

/// Whether a pod is ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && ready(pod).is_some_and(|ready| ready.status == "True")
}

/// Since when a pod is ready.
#[must_use]
pub fn ready_since(pod: &Pod) -> Option<Timestamp> {
    ready(pod)
        .filter(|ready| ready.status == "True")?
        .last_transition_time
        .as_ref()
        .map(|time| time.0)
}

fn ready(pod: &Pod) -> Option<&PodCondition> {
    pod.status
        .as_ref()?
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready")
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status
        .iter()
        .filter_map(|status| status.container_statuses.as_ref())
        .flatten()
}

/// Whether no container of the pod ever started, nor is about to: no node takes it, or something must be mended first. Who is
/// only seen to be created may run by now.
#[must_use]
pub fn cannot_start(pod: &Pod) -> bool {
    let started = containers(pod).any(|container| first_start(container).is_some());
    let is_stuck = |container: &ContainerStatus| {
        let waiting = container
            .state
            .as_ref()
            .and_then(|state| state.waiting.as_ref());
        matches!(
            waiting.and_then(|waiting| waiting.reason.as_deref()),
            Some(
                "ErrImagePull"
                    | "ImagePullBackOff"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "CreateContainerConfigError"
            )
        )
    };
    !started && (containers(pod).any(is_stuck) || unscheduled(pod).is_some())
}

/// What keeps a pod that runs from being ready, in words.
#[must_use]
pub fn unready(pod: &Pod) -> Option<String> {
    let container = containers(pod).find(|container| !container.ready)?;
    container.state.as_ref()?.running.as_ref()?;
    Some(format!(
        "container '{}' runs, but its health does not say yes",
        container.name
    ))
}

/// What keeps a pod from running, in words: the image cannot be pulled, the container crashes, no node takes it.
#[must_use]
pub fn trouble(pod: &Pod) -> Option<String> {
    let waiting = containers(pod).find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| !is_ordinary(reason))?;
        Some(match tail(container) {
            Some(tail) => format!("container '{}' is in {reason}: {tail}", container.name),
            None => format!("container '{}' is in {reason}", container.name),
        })
    });
    waiting.or_else(|| unscheduled(pod))
}

fn is_ordinary(reason: &str) -> bool {
    matches!(reason, "ContainerCreating" | "PodInitializing")
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    Some(format!(
        "no node takes the pod: {}",
        scheduled.message.as_deref().unwrap_or("no reason given")
    ))
}

/// The last words of a container that ended.
fn tail(container: &ContainerStatus) -> Option<&str> {
    let ended = [&container.state, &container.last_state];
    let ended = ended
        .into_iter()
        .flatten()
        .find_map(|state| state.terminated.as_ref())?;
    ended
        .message
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The last words of a pod's containers, as far as they are kept.
#[must_use]
pub fn last_words(pod: &Pod) -> Option<&str> {
    containers(pod).find_map(tail)
}

/// Why a new pod is a verdict: one of its containers crashed twice, or it failed after it was available. What happened
/// before the revision `entered` says nothing about it.
#[must_use]
pub fn crash(pod: &Pod, entered: Timestamp) -> Option<String> {
    let crashed = containers(pod).find(|container| {
        container.restart_count >= RESTARTS && last_end(container).is_some_and(|end| end >= entered)
    });
    if let Some(container) = crashed {
        let words = tail(container)
            .map(|tail| format!(": {tail}"))
            .unwrap_or_default();
        return Some(format!(
            "container '{}' of pod '{}' restarted {} times{words}",
            container.name,
            pod.name_any(),
            container.restart_count
        ));
    }
    let failed = ready(pod)
        .filter(|ready| ready.status == "False")?
        .last_transition_time
        .as_ref()?
        .0;
    let started = containers(pod).filter_map(first_start).min()?;
    if failed < entered {
        return None;
    }
    let was_available =
        failed.duration_since(started) >= SignedDuration::from_secs(AVAILABLE_SECONDS);
    was_available.then(|| format!("pod '{}' failed after it was available", pod.name_any()))
}

/// When a container last ended.
fn last_end(container: &ContainerStatus) -> Option<Timestamp> {
    let states = [&container.state, &container.last_state];
    let ended = states
        .into_iter()
        .flatten()
        .filter_map(|state| state.terminated.as_ref());
    ended
        .filter_map(|ended| ended.finished_at.as_ref())
        .map(|time| time.0)
        .max()
}

/// When a container first started, as far as it is known.
fn first_start(container: &ContainerStatus) -> Option<Timestamp> {
    let before = container
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let now = container.state.as_ref();
    let ended = now.and_then(|state| state.terminated.as_ref());
    let running = now.and_then(|state| state.running.as_ref());
    let starts = [
        before.and_then(|ended| ended.started_at.as_ref()),
        ended.and_then(|ended| ended.started_at.as_ref()),
        running.and_then(|running| running.started_at.as_ref()),
    ];
    starts.into_iter().flatten().map(|time| time.0).min()
}
