//! One Environment as a tree. Pure: what was read in, text out.

mod sections;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::view::{Made, View};
use crate::api::ConditionType;
use crate::cli::paint::{Cell, Sign, rows, tree};
use crate::cli::terminal::Look;
use crate::cli::text;
use crate::revision::{Facts, short};

/// The Environment as a person understands it at a glance.
#[must_use]
pub fn render(view: &View, now: Timestamp, look: Look) -> String {
    let mut lines = rows(&header(view, now, look), look);
    let sections = [
        ("Stages", sections::stages(view, look)),
        ("Components", sections::components(view, now, look)),
        ("Migration", sections::migration(view, now, look)),
        ("Database", sections::database(view, now, look)),
        ("Hosts", sections::hosts(view)),
    ];
    for (title, branches) in sections
        .into_iter()
        .filter(|(_, branches)| !branches.is_empty())
    {
        lines.push(String::new());
        lines.extend(rows(&[vec![Cell::strong(title)]], look));
        lines.extend(tree(&branches, look));
    }
    if !view.unread.is_empty() {
        lines.push(String::new());
        lines.extend(
            view.unread
                .iter()
                .map(|note| text::line(&format!("Not shown: {note}"), 300)),
        );
    }
    lines.join("\n") + "\n"
}

fn header(view: &View, now: Timestamp, look: Look) -> Vec<Vec<Cell>> {
    let environment = &view.environment;
    let row = |name: &str, cell: Cell| vec![Cell::plain(name), cell];
    let mut header = vec![
        row("Environment", Cell::strong(environment.name_any())),
        row(
            "Namespace",
            Cell::plain(environment.namespace().unwrap_or_default()),
        ),
        row("App", Cell::plain(&environment.spec.app_ref.name)),
    ];
    if let Some(url) = environment
        .status
        .as_ref()
        .and_then(|status| status.url.as_ref())
    {
        header.push(row("URL", Cell::plain(url)));
    }
    header.push(row(
        "Ready",
        ready(view.condition(ConditionType::Ready), look),
    ));
    header
        .extend(unseen(view).map(|sentence| row("Waiting", Cell::coloured(Sign::Going, sentence))));
    let (serving, target) = (view.serving(), view.target());
    match (serving, target) {
        (Some(serving), Some(target)) if serving.revision.number == target.revision.number => {
            header.push(row("Serving", revision(serving, now)));
        }
        (serving, target) => {
            header.extend(serving.map(|made| row("Serving", revision(made, now))));
            header.extend(target.map(|made| row("Target", revision(made, now))));
        }
    }
    header.extend(verdict(view).map(|sentence| row("", Cell::coloured(Sign::Bad, sentence))));
    header
}

fn ready(condition: Option<&Condition>, look: Look) -> Cell {
    match condition {
        Some(condition) => {
            let sign = Sign::of(&condition.status, &condition.reason);
            Cell::signed(
                sign,
                format!("{}: {}", condition.reason, condition.message),
                look,
            )
        }
        None => Cell::signed(
            Sign::Unknown,
            "nothing is said yet: does the controller run?",
            look,
        ),
    }
}

/// Whether the newest change was not seen by the controller yet.
fn unseen(view: &View) -> Option<String> {
    let generation = view.environment.metadata.generation?;
    let seen = view
        .environment
        .status
        .as_ref()?
        .observed_generation
        .unwrap_or_default();
    (seen < generation)
        .then(|| format!("the status speaks of generation {seen}; this is generation {generation}"))
}

/// A revision in a line: number, images, commit, and what became of it.
fn revision(made: &Made, now: Timestamp) -> Cell {
    let revision = &made.revision;
    let mut parts = vec![format!("revision {}", revision.number), release(made)];
    if let Some(commit) = &revision.decided.commit {
        let message = commit
            .message
            .as_deref()
            .map(|message| format!("\"{}\"", text::line(message, 60)));
        let author = commit
            .author
            .as_deref()
            .map(|author| format!("by {}", text::line(author, 40)));
        parts.extend([message, author].into_iter().flatten());
    }
    let ago = |word: &str, at: Option<Timestamp>| {
        at.map(|at| format!("{word} {} ago", text::age(at, now)))
    };
    let Facts {
        entered,
        verified,
        given_up,
        ..
    } = &revision.facts;
    let mut became = vec![
        ago("made", made.at),
        ago("entered", *entered),
        ago("verified", *verified),
    ];
    became.push(given_up.as_ref().map(|verdict| {
        let given_up = ago("given up", verdict.at).unwrap_or_else(|| "given up".to_owned());
        format!("{given_up}: {}", verdict.reason.as_str())
    }));
    let became: Vec<String> = became.into_iter().flatten().collect();
    Cell::plain(format!("{} ({})", parts.join(" "), became.join(", ")))
}

/// The images of a revision, each once, and the commit.
#[must_use]
pub fn release(made: &Made) -> String {
    let decided = &made.revision.decided;
    let mut images: Vec<&str> = Vec::new();
    for image in decided.images.values() {
        let short = short(&image.asked);
        if !images.contains(&short) {
            images.push(short);
        }
    }
    let commit = decided
        .commit
        .as_ref()
        .map(|commit| commit.sha.get(..7).unwrap_or(&commit.sha));
    let commit = commit.map(|sha| format!(" @{sha}")).unwrap_or_default();
    format!("{}{commit}", images.join(", "))
}

/// Why the newest revision was given up, where `Ready` does not say it already.
fn verdict(view: &View) -> Option<String> {
    let verdict = view.target()?.revision.facts.given_up.as_ref()?;
    let said = view
        .condition(ConditionType::Ready)
        .map_or("", |ready| ready.message.as_str());
    let is_said = !verdict.message.is_empty() && said.contains(&verdict.message);
    (!is_said && !verdict.message.is_empty()).then(|| verdict.message.clone())
}
