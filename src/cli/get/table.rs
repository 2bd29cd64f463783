//! Environments as a table: one line tells what runs, whether it is well, why not, where, how old.

use jiff::Timestamp;
use kube::ResourceExt;

use super::view::{condition, created};
use crate::api::{ConditionType, Environment};
use crate::cli::paint::{Cell, Sign, rows};
use crate::cli::terminal::Look;
use crate::cli::text;

/// The Environments, sorted; with their namespaces when they are of several.
#[must_use]
pub fn render(
    environments: &[Environment],
    with_namespace: bool,
    now: Timestamp,
    look: Look,
) -> String {
    let mut sorted: Vec<&Environment> = environments.iter().collect();
    sorted.sort_by_key(|environment| (environment.namespace(), environment.name_any()));
    let title = [
        "NAMESPACE",
        "NAME",
        "APP",
        "RELEASE",
        "READY",
        "REASON",
        "URL",
        "AGE",
    ];
    let mut table: Vec<Vec<Cell>> = vec![title.map(Cell::plain).into()];
    table.extend(
        sorted
            .into_iter()
            .map(|environment| row(environment, now).into()),
    );
    if !with_namespace {
        table.iter_mut().for_each(|row| drop(row.remove(0)));
    }
    rows(&table, look).join("\n") + "\n"
}

fn row(environment: &Environment, now: Timestamp) -> [Cell; 8] {
    let status = environment.status.as_ref();
    let ready = condition(environment, ConditionType::Ready);
    let sign = ready.map_or(Sign::Unknown, |ready| {
        Sign::of(&ready.status, &ready.reason)
    });
    let is_behind =
        status.and_then(|status| status.observed_generation) != environment.metadata.generation;
    let word = match ready {
        Some(ready) if !is_behind => ready.status.as_str(),
        _ => "Unknown",
    };
    let said = |text: Option<&String>| Cell::plain(text.map_or("", String::as_str));
    [
        Cell::plain(environment.namespace().unwrap_or_default()),
        Cell::plain(environment.name_any()),
        Cell::plain(&environment.spec.app_ref.name),
        said(status.and_then(|status| status.release.as_ref())),
        Cell::coloured(if is_behind { Sign::Unknown } else { sign }, word),
        said(ready.map(|ready| &ready.reason)),
        said(status.and_then(|status| status.url.as_ref())),
        Cell::plain(
            created(environment)
                .map(|at| text::age(at, now))
                .unwrap_or_default(),
        ),
    ]
}
