//! Previews as trees, one of each App: the pull request, whether it is well, where, until when; below it the Environment that it
//! owns.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;

use super::view::condition;
use crate::api::{ConditionType, Environment, Preview};
use crate::cli::paint::{Branch, Cell, Sign, rows, tree};
use crate::cli::preview::table;
use crate::cli::terminal::Look;
use crate::cli::text;
use crate::observe::controller;

/// The Environments that none of the Previews owns, and the others.
#[must_use]
pub fn apart(
    environments: Vec<Environment>,
    previews: &[Preview],
) -> (Vec<Environment>, Vec<Environment>) {
    let is_alone = |known: &Environment| !previews.iter().any(|preview| owns(preview, known));
    environments.into_iter().partition(is_alone)
}

/// The Previews, and the Environments that they own.
#[must_use]
pub fn render(
    previews: &[Preview],
    environments: &[Environment],
    with_namespace: bool,
    now: Timestamp,
    look: Look,
) -> String {
    let mut apps: BTreeMap<String, Vec<&Preview>> = BTreeMap::new();
    for preview in previews {
        let app = &preview.spec.app_ref.name;
        let title = match with_namespace {
            true => format!("{}/{app}", preview.namespace().unwrap_or_default()),
            false => app.clone(),
        };
        apps.entry(title).or_default().push(preview);
    }
    let mut lines = Vec::new();
    for (app, mut previews) in apps {
        previews.sort_by_key(|preview| preview.spec.pull_request.number);
        let title = format!("Previews of {app}");
        lines.push(String::new());
        lines.extend(rows(&[vec![Cell::strong(title)]], look));
        let branches = previews.into_iter().map(|preview| Branch {
            cells: table::words(preview, now, look),
            branches: owned(preview, environments, look),
        });
        lines.extend(tree(&branches.collect::<Vec<_>>(), look));
    }
    lines.join("\n") + "\n"
}

fn owned(preview: &Preview, environments: &[Environment], look: Look) -> Vec<Branch> {
    let its = environments.iter().filter(|known| owns(preview, known));
    let mut its: Vec<Branch> = its.map(|known| environment(known, look).into()).collect();
    if its.is_empty() {
        its.extend(reason(preview));
    }
    its
}

/// Why a Preview has no Environment.
fn reason(preview: &Preview) -> Option<Branch> {
    let ready = table::condition(preview, ConditionType::Ready)?;
    let why = text::line(&ready.message, 300);
    (ready.status != "True").then(|| vec![Cell::plain(why)].into())
}

fn owns(preview: &Preview, environment: &Environment) -> bool {
    let owner = controller(environment).map(|owner| &owner.uid);
    owner.is_some() && owner == preview.metadata.uid.as_ref()
}

fn environment(environment: &Environment, look: Look) -> Vec<Cell> {
    let status = environment.status.as_ref();
    let release = status.and_then(|status| status.release.clone());
    let ready = condition(environment, ConditionType::Ready);
    let (sign, said) = match ready {
        Some(ready) => (
            Sign::of(&ready.status, &ready.reason),
            ready.reason.as_str(),
        ),
        None => (Sign::Unknown, "nothing is said yet"),
    };
    vec![
        Cell::plain(format!("Environment {}", environment.name_any())),
        Cell::signed(sign, said, look),
        Cell::plain(release.unwrap_or_default()),
    ]
}
