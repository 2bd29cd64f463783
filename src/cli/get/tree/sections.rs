//! The parts of the tree.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::api::environment::Provider;
use crate::api::{ConditionType, labels};
use crate::build::job::KEY;
use crate::cli::get::pods::{self, secretless};
use crate::cli::get::view::{View, created, is_for, label};
use crate::cli::paint::{Branch, Cell, Sign};
use crate::cli::terminal::Look;
use crate::cli::text;
use crate::plan::health;
use crate::revision::short;

/// Lines of a migration's last words that are shown.
const TAIL: usize = 10;

/// The stages in their order: reason and message of each.
pub fn stages(view: &View, look: Look) -> Vec<Branch> {
    if view.environment.status.is_none() {
        return Vec::new();
    }
    let seen = view
        .environment
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    let line = |type_: &ConditionType| {
        let name = type_.as_str();
        let Some(condition) = view.condition(*type_) else {
            return vec![Cell::signed(Sign::Later, name, look)].into();
        };
        let sign = Sign::of(&condition.status, &condition.reason);
        if sign == Sign::Later {
            return vec![Cell::signed(sign, name, look)].into();
        }
        // What was said of an older generation stays until the stage is reached again.
        let is_old = condition.observed_generation != seen;
        let about = condition.observed_generation.unwrap_or_default();
        let message = match is_old {
            true => format!("{} (said of generation {about})", condition.message),
            false => condition.message.clone(),
        };
        let colour = if is_old && sign == Sign::Good {
            Sign::Later
        } else {
            sign
        };
        let reason = if condition.reason == name {
            ""
        } else {
            &condition.reason
        };
        let words = match sign {
            Sign::Bad => Cell::coloured(sign, message),
            _ => Cell::plain(message),
        };
        let name = Cell {
            sign: Some(colour),
            ..Cell::signed(sign, name, look)
        };
        vec![name, Cell::coloured(colour, reason), words].into()
    };
    ConditionType::STAGES.iter().map(line).collect()
}

/// The components with their slots, their images and their pods.
pub fn components(view: &View, now: Timestamp, look: Look) -> Vec<Branch> {
    let names: BTreeSet<&str> = view
        .deployments
        .iter()
        .map(|deployment| label(deployment, labels::COMPONENT))
        .filter(|name| !name.is_empty())
        .chain(view.target().iter().flat_map(|made| {
            made.revision
                .decided
                .components
                .iter()
                .map(|rendered| rendered.name.as_str())
        }))
        .collect();
    names
        .into_iter()
        .flat_map(|name| component(view, name, now, look))
        .collect()
}

fn component(view: &View, name: &str, now: Timestamp, look: Look) -> Vec<Branch> {
    let of_component = |slot: &str| -> Vec<&Pod> {
        let pods = view
            .pods
            .iter()
            .filter(|pod| label(*pod, labels::COMPONENT) == name);
        pods.filter(|pod| label(*pod, labels::SLOT) == slot)
            .collect()
    };
    let deployments: Vec<&Deployment> = view
        .deployments
        .iter()
        .filter(|deployment| label(*deployment, labels::COMPONENT) == name)
        .collect();
    if deployments.is_empty() {
        let cells = vec![
            Cell::signed(Sign::Later, name, look),
            Cell::plain("not started"),
        ];
        return vec![cells.into()];
    }
    let slot = |deployment: &&Deployment| {
        let slot = label(*deployment, labels::SLOT);
        let pods = of_component(slot);
        let ready = pods.iter().filter(|pod| health::is_ready(pod)).count();
        let declared = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1);
        let is_full = usize::try_from(declared).is_ok_and(|declared| ready >= declared);
        let is_stuck = pods.iter().any(|pod| health::trouble(pod).is_some());
        let sign = match (is_full, is_stuck) {
            (_, true) => Sign::Bad,
            (true, _) => Sign::Good,
            (false, _) => Sign::Going,
        };
        let cells = vec![
            Cell {
                strong: true,
                sign: Some(sign),
                ..Cell::signed(sign, name, look)
            },
            Cell::plain(format!("slot {slot}")),
            Cell::coloured(sign, format!("{ready}/{declared} ready")),
            Cell::plain(image(view, deployment)),
        ];
        Branch {
            cells,
            branches: pods
                .iter()
                .map(|pod| pods::branch(view, pod, now, look))
                .collect(),
        }
    };
    deployments.iter().map(slot).collect()
}

fn image(view: &View, deployment: &Deployment) -> String {
    let template = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let container = template.and_then(|template| template.containers.first());
    let image = container.and_then(|container| container.image.as_deref());
    image
        .map(|image| short(view.asked(image)).to_owned())
        .unwrap_or_default()
}

/// The newest migration: key, how it stands, and what it said last if it failed.
pub fn migration(view: &View, now: Timestamp, look: Look) -> Vec<Branch> {
    let Some(job) = view.jobs.iter().rfind(|job| is_for(*job, "migration")) else {
        let newest = view
            .environment
            .status
            .as_ref()
            .and_then(|status| status.migration.as_ref());
        let applied = newest.map(|newest| {
            let key = Cell::signed(Sign::Good, &newest.key, look);
            vec![
                key,
                Cell::plain(format!("applied for revision {}", newest.revision)),
            ]
            .into()
        });
        return applied.into_iter().collect();
    };
    let (sign, state) = state(job, now);
    let key = job.annotations().get(KEY).map_or("", String::as_str);
    let cells = vec![
        Cell::signed(sign, key, look),
        Cell::coloured(sign, state),
        Cell::plain(format!("revision {}", label(job, labels::REVISION))),
        Cell::plain(job.name_any()),
    ];
    let pods: Vec<&Pod> = view.pods.iter().filter(|pod| is_of(pod, job)).collect();
    let words = pods
        .iter()
        .find_map(|pod| health::last_words(pod))
        .unwrap_or_default();
    let branches = match sign {
        Sign::Good => Vec::new(),
        Sign::Bad if !words.trim().is_empty() => tail(words),
        _ => pods
            .iter()
            .map(|pod| pods::branch(view, pod, now, look))
            .collect(),
    };
    vec![Branch { cells, branches }]
}

/// The last lines of what a migration said.
fn tail(words: &str) -> Vec<Branch> {
    let lines: Vec<&str> = words
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL));
    last.map(|line| vec![Cell::plain(secretless(line))].into())
        .collect()
}

fn is_of(pod: &Pod, job: &Job) -> bool {
    let uid = job.uid();
    pod.owner_references()
        .iter()
        .any(|owner| Some(&owner.uid) == uid.as_ref())
}

fn state(job: &Job, now: Timestamp) -> (Sign, String) {
    let conditions = job
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let ended = conditions.into_iter().find(|known| {
        known.status == "True" && matches!(known.type_.as_str(), "Complete" | "Failed")
    });
    let started = job
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref());
    let started = started.map(|Time(at)| *at).or_else(|| created(job));
    let since = |at: Option<Timestamp>| at.map(|at| text::age(at, now)).unwrap_or_default();
    match ended {
        Some(ended) => {
            let when = since(ended.last_transition_time.as_ref().map(|Time(at)| *at));
            match ended.type_.as_str() {
                "Complete" => (Sign::Good, format!("succeeded {when} ago")),
                _ => (Sign::Bad, format!("failed {when} ago")),
            }
        }
        None => (Sign::Going, format!("running for {}", since(started))),
    }
}

/// The database and, where it is made here, its pods.
pub fn database(view: &View, now: Timestamp, look: Look) -> Vec<Branch> {
    let Some(database) = &view.environment.spec.database else {
        return Vec::new();
    };
    let words = match database.provider {
        Provider::Dedicated => database.dedicated.as_ref().map(|dedicated| {
            format!(
                "PostgreSQL {} of its own, {}",
                dedicated.version, dedicated.size
            )
        }),
        Provider::Server => database
            .server
            .as_ref()
            .map(|server| format!("on server {}", server.name)),
        Provider::External => database.external.as_ref().map(|external| {
            format!(
                "external, by key {} of Secret {}",
                external.url_key, external.secret_ref.name
            )
        }),
    };
    let pods = view.pods.iter().filter(|pod| is_for(*pod, "database"));
    let branches = pods.map(|pod| pods::branch(view, pod, now, look)).collect();
    vec![Branch {
        cells: vec![Cell::plain(words.unwrap_or_default())],
        branches,
    }]
}

/// The hosts, and what answers on them.
pub fn hosts(view: &View) -> Vec<Branch> {
    let status = view.environment.status.as_ref();
    let scheme = status.and_then(|status| {
        status
            .url
            .as_ref()?
            .split_once("://")
            .map(|(scheme, _)| scheme)
    });
    let hosts = view.environment.spec.hosts.iter().map(|host| {
        let routes: Vec<String> = host
            .routes
            .iter()
            .map(|route| format!("{} to {}", route.path, route.component))
            .collect();
        let url = scheme.map_or_else(
            || host.host.clone(),
            |scheme| format!("{scheme}://{}", host.host),
        );
        vec![Cell::plain(url), Cell::plain(routes.join(", "))].into()
    });
    hosts.collect()
}
