//! Pods in words.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt;

use super::view::{View, created, label};
use crate::api::labels;
use crate::cli::paint::{Branch, Cell, Sign};
use crate::cli::terminal::Look;
use crate::cli::text;
use crate::plan::health;

/// Longest message of a pod that is shown, in characters.
const MESSAGE: usize = 160;

/// The line of a pod: how it stands, restarts, age, the revisions that it runs, and what keeps it.
pub fn branch(view: &View, pod: &Pod, now: Timestamp, look: Look) -> Branch {
    let (sign, state, message) = standing(pod);
    let restarts = match restarts(pod) {
        0 => String::new(),
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    };
    let age = created(pod)
        .map(|at| text::age(at, now))
        .unwrap_or_default();
    let cells = [
        Cell::signed(sign, pod.name_any(), look),
        Cell::coloured(sign, state),
        Cell::plain(restarts),
        Cell::plain(age),
        Cell::plain(revisions(view, pod)),
        Cell::plain(text::line(&message, MESSAGE)),
    ];
    Vec::from(cells).into()
}

/// How a pod stands: the word that `kubectl get pods` has for it, and the message that goes with it.
fn standing(pod: &Pod) -> (Sign, String, String) {
    let status = pod.status.as_ref();
    let phase = status
        .and_then(|status| status.phase.clone())
        .unwrap_or_else(|| "Pending".to_owned());
    let failed = phase == "Failed";
    if pod.metadata.deletion_timestamp.is_some() {
        return (Sign::Later, "Terminating".to_owned(), String::new());
    }
    if let Some((reason, message)) = containers(pod).find_map(trouble) {
        let sign = if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing") {
            Sign::Going
        } else {
            Sign::Bad
        };
        return (sign, reason, message);
    }
    if health::is_ready(pod) {
        return (Sign::Good, "Ready".to_owned(), String::new());
    }
    if phase == "Succeeded" {
        return (Sign::Good, "Completed".to_owned(), String::new());
    }
    let reason = status
        .and_then(|status| status.reason.clone())
        .unwrap_or(phase);
    if failed {
        let message = status
            .and_then(|status| status.message.clone())
            .unwrap_or_default();
        return (Sign::Bad, reason, message);
    }
    match health::trouble(pod) {
        Some(trouble) => (Sign::Bad, reason, trouble),
        None => (Sign::Going, format!("{reason}, not ready"), String::new()),
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

/// Why a container does not run.
fn trouble(container: &ContainerStatus) -> Option<(String, String)> {
    let ContainerState {
        terminated,
        waiting,
        ..
    } = container.state.as_ref()?;
    if let Some(waiting) = waiting {
        let reason = waiting.reason.clone()?;
        // The kubelet's own words for a crash say nothing; the last ones of the container do.
        let ended = container
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        let last = ended
            .and_then(|ended| ended.message.clone())
            .filter(|text| !text.trim().is_empty());
        let message = last.or_else(|| waiting.message.clone()).unwrap_or_default();
        return Some((reason, secretless(&message)));
    }
    let ended = terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    let reason = ended.reason.clone().unwrap_or_else(|| "Error".to_owned());
    let message = ended.message.clone().unwrap_or_default();
    Some((
        reason,
        secretless(&format!("exit code {}: {message}", ended.exit_code)),
    ))
}

fn restarts(pod: &Pod) -> i32 {
    containers(pod)
        .map(|container| container.restart_count)
        .sum()
}

/// The revisions whose rendering the pod runs, the newest at most.
fn revisions(view: &View, pod: &Pod) -> String {
    let (component, template) = (label(pod, labels::COMPONENT), label(pod, labels::TEMPLATE));
    let runs = view.revisions.iter().rev().find(|made| {
        let rendered = made.revision.component(component);
        rendered.is_some_and(|rendered| rendered.hash == template)
    });
    runs.map(|made| format!("revision {}", made.revision.number))
        .unwrap_or_default()
}

/// The text without passwords in URLs: what an app said last is often the URL that it could not reach.
pub fn secretless(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
        let authority = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
        rest = after;
        if let Some((login, _)) = authority.rsplit_once('@') {
            let user = login.split(':').next().unwrap_or_default();
            shown.push_str(user);
            if login.contains(':') {
                shown.push_str(":***");
            }
            rest = after.get(login.len()..).unwrap_or_default();
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::secretless;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        for (text, shown) in [
            (
                "cannot reach postgresql://shop:p@ss:w0rd@db:5432/shop now",
                "cannot reach postgresql://shop:***@db:5432/shop now",
            ),
            (
                "http://a/b@c and redis://:secret@cache",
                "http://a/b@c and redis://:***@cache",
            ),
            ("nothing://", "nothing://"),
            ("no url", "no url"),
        ] {
            assert_eq!(secretless(text), shown);
        }
    }
}
