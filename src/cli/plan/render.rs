//! What would become of an Environment, as a tree in the order of the stages. Pure: what was forecast in, text out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::forecast::Forecast;
use super::reason;
use super::write::Write;
use crate::api::{ConditionType, Environment, Reason};
use crate::cli::get::view;
use crate::cli::paint::{Branch, Cell, Sign, rows, tree};
use crate::cli::terminal::Look;
use crate::cli::text;
use crate::revision::{Revision, short};

/// The Environment, what would be done for it, and what was taken for granted.
pub(super) fn render(forecast: &Forecast, look: Look) -> String {
    let mut lines = rows(&header(forecast, look), look);
    lines.push(String::new());
    if forecast.after.metadata.deletion_timestamp.is_some() {
        lines.push("Nothing would change: the Environment is on its way out.".to_owned());
        return lines.join("\n") + "\n";
    }
    if is_quiet(forecast) {
        let closed = closed(forecast, look);
        lines.push(match closed.is_empty() {
            true => "Nothing would change.".to_owned(),
            false => "Nothing would change. What stays closed:".to_owned(),
        });
        lines.extend(tree(&closed, look));
        return lines.join("\n") + "\n";
    }
    lines.extend(rows(
        &[vec![Cell::strong("What would happen, in this order")]],
        look,
    ));
    lines.extend(tree(&stages(forecast, look), look));
    let assumed = assumed(forecast);
    if !assumed.is_empty() {
        lines.push(String::new());
        lines.extend(rows(&[vec![Cell::strong("Assumed")]], look));
        lines.extend(tree(&assumed, look));
    }
    lines.join("\n") + "\n"
}

/// Whether the Environment would be ready in the end.
pub(super) fn is_ready(forecast: &Forecast) -> bool {
    condition(&forecast.after, ConditionType::Ready).is_some_and(|ready| ready.status == "True")
}

/// Whether nothing is done, and no other revision serves in the end than now.
fn is_quiet(forecast: &Forecast) -> bool {
    let serving = |revisions: &[Revision]| {
        let mut verified = revisions
            .iter()
            .rev()
            .filter(|revision| revision.facts.verified.is_some());
        verified
            .find(|revision| revision.facts.given_up.is_none())
            .map(|revision| revision.number)
    };
    forecast.before.is_some()
        && forecast.writes.is_empty()
        && serving(&forecast.known) == serving(&forecast.revisions)
}

fn assumed(forecast: &Forecast) -> Vec<Branch> {
    let always = "migrations succeed, and new pods get ready".to_owned();
    let always = (!forecast.writes.is_empty()).then_some(&always);
    let sentences = forecast.assumed.iter().chain(always);
    sentences
        .map(|sentence| vec![Cell::plain(sentence)].into())
        .collect()
}

fn header(forecast: &Forecast, look: Look) -> Vec<Vec<Cell>> {
    let after = &forecast.after;
    let row = |name: &str, cell: Cell| vec![Cell::plain(name), cell];
    let now = match forecast.before.as_deref() {
        None => Cell::plain("there is nothing yet"),
        Some(before) => match condition(before, ConditionType::Ready) {
            Some(ready) => Cell::signed(
                Sign::of(&ready.status, &ready.reason),
                format!("{}: {}", ready.reason, ready.message),
                look,
            ),
            None => Cell::signed(
                Sign::Unknown,
                "nothing is said yet: does the controller run?",
                look,
            ),
        },
    };
    vec![
        row("Environment", Cell::strong(after.name_any())),
        row(
            "Namespace",
            Cell::plain(after.namespace().unwrap_or_default()),
        ),
        row("App", Cell::plain(&after.spec.app_ref.name)),
        row("Now", now),
    ]
}

/// The stages in their order, with what each does. Behind the first closed one the target does not advance.
fn stages(forecast: &Forecast, look: Look) -> Vec<Branch> {
    let line = |stage: &ConditionType| {
        let writes = forecast.writes.iter().filter(|write| write.stage == *stage);
        Branch {
            cells: stage_cells(forecast, *stage, look),
            branches: writes.map(branch).collect(),
        }
    };
    ConditionType::STAGES.iter().map(line).collect()
}

/// The stages that stay closed.
fn closed(forecast: &Forecast, look: Look) -> Vec<Branch> {
    let closed = forecast
        .gates
        .iter()
        .filter(|(_, gate)| !gate.is_open() && gate.reason != Reason::Pending);
    closed
        .map(|(stage, _)| stage_cells(forecast, *stage, look).into())
        .collect()
}

fn branch(write: &Write) -> Branch {
    let details = write
        .details
        .iter()
        .map(|detail| vec![Cell::plain(text::line(detail, 200))].into());
    Branch {
        cells: vec![Cell::plain(&write.line)],
        branches: details.collect(),
    }
}

fn stage_cells(forecast: &Forecast, stage: ConditionType, look: Look) -> Vec<Cell> {
    let name = stage.as_str();
    let said = forecast
        .gates
        .iter()
        .find(|(known, gate)| *known == stage && gate.reason != Reason::Pending);
    let Some((_, gate)) = said else {
        return vec![
            Cell::signed(Sign::Later, name, look),
            Cell::coloured(Sign::Later, "not reached"),
        ];
    };
    let reason = gate.reason.as_str();
    if gate.is_open() {
        let words = open(forecast, stage).unwrap_or_else(|| gate.message.clone());
        return vec![Cell::signed(Sign::Good, name, look), Cell::plain(words)];
    }
    let sign = Sign::of("False", reason);
    vec![
        Cell::signed(sign, name, look),
        Cell::coloured(sign, format!("{reason}: {}", gate.message)),
    ]
}

/// What an open stage means for this very Environment, where its message does not say it.
fn open(forecast: &Forecast, stage: ConditionType) -> Option<String> {
    let newest = forecast.revisions.last()?;
    match stage {
        ConditionType::Resolved => Some(images(newest)),
        ConditionType::Configured => Some(match forecast.known.last() {
            Some(known) if known.number == newest.number => {
                format!(
                    "no new revision: revision {} has this content",
                    newest.number
                )
            }
            _ => format!("revision {} is made", newest.number),
        }),
        ConditionType::Migrated => migration(forecast, newest),
        ConditionType::Routed => hosts(&forecast.after),
        ConditionType::Verified if !forecast.asked.is_empty() => {
            let asked: Vec<&str> = forecast.asked.iter().map(String::as_str).collect();
            let serves = format!("then revision {} serves", newest.number);
            Some(format!(
                "three answers in a row of {}; {serves}",
                asked.join(" and ")
            ))
        }
        _ => None,
    }
}

fn images(revision: &Revision) -> String {
    let mut images: Vec<&str> = revision
        .decided
        .images
        .values()
        .map(|image| short(&image.asked))
        .collect();
    images.sort_unstable();
    images.dedup();
    images.join(", ")
}

fn migration(forecast: &Forecast, newest: &Revision) -> Option<String> {
    let to = reason::key(newest)?;
    if !forecast.migrates {
        return Some(format!("no Job: the migration key {to} is applied already"));
    }
    let migrated = forecast
        .known
        .iter()
        .rev()
        .filter(|revision| revision.was_migrated());
    let from = migrated.filter_map(reason::key).next();
    Some(match from {
        Some(from) => format!("migration key {from} -> {to}"),
        None => format!("the first migration; its key is {to}"),
    })
}

fn hosts(environment: &Environment) -> Option<String> {
    let hosts: Vec<&str> = environment
        .spec
        .hosts
        .iter()
        .map(|host| host.host.as_str())
        .collect();
    (!hosts.is_empty()).then(|| hosts.join(", "))
}

fn condition(environment: &Environment, type_: ConditionType) -> Option<&Condition> {
    view::condition(environment, type_)
}
