//! `Verified`: after the rollout each Web component answers, three times in a row, through its Service and, by the address of the
//! configuration, through its hosts.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::questions::{By, CheckQuestion};
use super::situation::Situation;
use super::{Gate, Plan, rollout, route, sleep};
use crate::api::app::Role;
use crate::api::{ConditionType, Reason};
use crate::build::names;
use crate::revision::{Facts, Rendered, Revision, Verdict};
use crate::seen::{Check, Routing, SeenEnvironment};

const STAGE: ConditionType = ConditionType::Verified;
/// So many answers in a row verify a check.
const ANSWERS: u32 = 3;
/// How far apart answers are.
pub const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Verifies the target, once. Who says no until the deadline is rolled back; who says nothing is verified unchecked.
pub fn judge(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let Some(target) = &situation.target else {
        return Gate::new(Reason::Pending, "Waiting for a revision");
    };
    if let Some(verdict) = &target.facts.given_up {
        return rollout::said(situation, verdict);
    }
    if target.facts.verified.is_some() {
        return Gate::new(
            Reason::Verified,
            format!("Revision {} is verified", target.number),
        );
    }
    let seen = situation.seen;
    let open: Vec<(String, Check)> = questions(seen, target)
        .into_iter()
        .map(|question| {
            let check = seen.checks.get(&question.key).cloned();
            (question.asked, check.unwrap_or_default())
        })
        .filter(|(_, check)| check.yes_in_a_row < ANSWERS)
        .collect();
    if open.is_empty() {
        return verified(
            situation,
            plan,
            Reason::Verified,
            format!("Revision {} is verified", target.number),
        );
    }
    plan.look_at(seen.now + PAUSE);
    let overdue = rollout::deadline(seen, target).is_some_and(|deadline| deadline <= seen.now);
    // Time that nobody watched does not count: it is answers that are missing, not seconds.
    let silent: Vec<&(String, Check)> = open
        .iter()
        .filter(|(_, check)| check.yes_in_a_row == 0 && check.answers >= ANSWERS)
        .collect();
    let said = |answer: fn(&Check) -> Option<&String>| {
        let mut silent = silent.iter();
        silent.find_map(|(asked, check)| Some(format!("{asked}: {}", answer(check)?)))
    };
    let no = said(|check| check.last_no.as_ref());
    match (overdue && !silent.is_empty(), no) {
        (true, Some(no)) => {
            let message = format!("Revision {} did not answer its checks: {no}", target.number);
            let verdict = Verdict {
                reason: Reason::VerificationFailed,
                message,
                at: Some(seen.now),
            };
            rollout::give_up(situation, plan, STAGE, verdict)
        }
        (true, None) => {
            let why = said(|check| check.last_unknown.as_ref()).unwrap_or_default();
            verified(
                situation,
                plan,
                Reason::Unchecked,
                format!("The checks had no answer before the deadline: {why}"),
            )
        }
        (false, _) => Gate::new(
            Reason::Verifying,
            "Asking every Web component for its health",
        ),
    }
}

fn verified(situation: &Situation<'_>, plan: &mut Plan, reason: Reason, message: String) -> Gate {
    let facts = Facts {
        verified: Some(situation.seen.now),
        ..Facts::default()
    };
    situation.record_fact(plan, STAGE, &facts);
    Gate::new(reason, message)
}

/// What is asked of a revision: each Web component through its Service, and while `Routed` is open through its hosts.
#[must_use]
pub fn questions(seen: &SeenEnvironment, revision: &Revision) -> Vec<CheckQuestion> {
    let web = revision
        .decided
        .components
        .iter()
        .filter(|rendered| rendered.role == Role::Web);
    // A component that was scaled to nothing has nobody to ask.
    let running = web.filter(|rendered| {
        rollout::deployment(seen, rendered)
            .and_then(|live| live.spec.as_ref()?.replicas)
            .is_none_or(|replicas| replicas > 0)
    });
    running
        .flat_map(|rendered| of_component(seen, revision, rendered))
        .collect()
}

fn of_component(
    seen: &SeenEnvironment,
    revision: &Revision,
    rendered: &Rendered,
) -> Vec<CheckQuestion> {
    let mut questions = Vec::new();
    let name = names::component(&seen.environment.name_any(), &rendered.name);
    let address = seen
        .children
        .services
        .get(&name)
        .and_then(|service| service.spec.as_ref()?.cluster_ip.clone());
    if let (Some(address), Some(port)) = (address, rendered.port) {
        let address = bracketed(&address);
        let (what, by) = match &rendered.health_path {
            Some(path) => (
                path.clone(),
                By::Http(format!("http://{address}:{port}{path}")),
            ),
            None => (format!("port {port}"), By::Tcp(format!("{address}:{port}"))),
        };
        questions.push(CheckQuestion {
            key: rendered.name.clone(),
            revision: revision.number,
            asked: format!("{what} of '{}' through Service '{name}'", rendered.name),
            by,
        });
    }
    let routed = matches!(seen.routing, Routing::Gateway { .. } | Routing::Ingress(_))
        && route::answers(seen).is_open();
    // What passes the activator is asked through the Service alone: a check is no request, and the activator is no part of
    // the release.
    let direct = routed && sleep::of(seen).is_none();
    let address = seen.config.routing.address.as_ref().filter(|_| direct);
    if let (Some(address), Some(path)) = (address, &rendered.health_path) {
        questions.extend(hosts(seen, rendered).map(|host| CheckQuestion {
            key: format!("{} on {host}", rendered.name),
            revision: revision.number,
            asked: format!("{path} of '{}' on host '{host}'", rendered.name),
            by: By::Host {
                address: address.clone(),
                host: host.to_owned(),
                path: path.clone(),
            },
        }));
    }
    questions
}

/// The hosts whose health path leads to this component; elsewhere the path is another one's.
fn hosts<'a>(seen: &'a SeenEnvironment, rendered: &'a Rendered) -> impl Iterator<Item = &'a str> {
    let path = rendered.health_path.as_deref().unwrap_or("/");
    let leads_here = move |host: &&crate::api::environment::Host| {
        let longest = host
            .routes
            .iter()
            .filter(|route| matches(&route.path, path))
            .max_by_key(|route| route.path.len());
        longest.is_some_and(|route| route.component == rendered.name)
    };
    let hosts = seen.environment.spec.hosts.iter().filter(leads_here);
    hosts.map(|host| host.host.as_str())
}

/// Whether a path lies under a prefix, by whole segments.
#[must_use]
pub fn matches(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path == prefix
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}
