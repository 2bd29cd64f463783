//! How the pods of a Deployment are replaced, in a sentence.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::template::Difference;
use crate::build::pause::Pause;

/// What an apply of a Deployment does to its pods.
pub(super) fn sentence(
    new: &Deployment,
    live: Option<&Deployment>,
    differs: &[Difference],
) -> String {
    let Some(spec) = &new.spec else {
        return String::new();
    };
    let wanted = spec.replicas.unwrap_or(1);
    let Some(present) = live.and_then(|live| live.spec.as_ref()) else {
        let start = format!(
            "{} {}",
            pods(wanted),
            if wanted == 1 { "starts" } else { "start" }
        );
        return match recreates(spec) {
            true => format!("{start}; when it is replaced later, {}", pause(spec)),
            false => start,
        };
    };
    let before = present.replicas.unwrap_or(1);
    let mut parts = Vec::new();
    if !differs.is_empty() && before > 0 {
        parts.push(replaced(spec, before));
    }
    if before != wanted {
        parts.push(format!("replicas {before} -> {wanted}"));
    }
    if parts.is_empty() {
        parts.push("no pod is restarted".to_owned());
    }
    parts.join("; ")
}

fn pods(count: i32) -> String {
    match count {
        1 => "1 pod".to_owned(),
        _ => format!("{count} pods"),
    }
}

fn replaced(spec: &DeploymentSpec, count: i32) -> String {
    let is = if count == 1 { "is" } else { "are" };
    if recreates(spec) {
        let ends = if count == 1 {
            "ends before the new one starts"
        } else {
            "end before new ones start"
        };
        return format!("{} {ends}: {}", pods(count), pause(spec));
    }
    let strategy = spec.strategy.as_ref();
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let share = |amount: Option<&IntOrString>| match amount {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(percent)) => {
            let percent: i32 = percent.trim_end_matches('%').parse().unwrap_or(25);
            (count * percent + 99) / 100
        }
        None => 0,
    };
    let surge = share(rolling.and_then(|rolling| rolling.max_surge.as_ref()));
    let missing = share(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()));
    format!(
        "{} {is} replaced, at most {} at a time, never fewer than {} available",
        pods(count),
        count + surge,
        count - missing
    )
}

fn recreates(spec: &DeploymentSpec) -> bool {
    let strategy = spec.strategy.as_ref();
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// For how long nobody answers while the pods are replaced.
fn pause(spec: &DeploymentSpec) -> String {
    let pods = spec.template.spec.as_ref();
    pods.map(|pods| Pause::of_pods(pods).to_string())
        .unwrap_or_default()
}
