//! `kubectl towpath history`: the revisions that are kept, newest first.

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::Api;
use kube::api::ListParams;

use super::cluster::{Cluster, Where};
use super::exit::{Exit, Failure};
use super::get::selector;
use super::get::tree::release;
use super::get::view::{self, Made};
use super::paint::{Cell, Sign, rows};
use super::terminal::{Look, Terminal};
use super::text;

/// List the revisions of an Environment, newest first.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the Environment.
    environment: String,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let cluster = options.place.connect().await?;
    cluster.environment(&options.environment).await?;
    let revisions = read(&cluster, &options.environment).await?;
    if revisions.is_empty() {
        terminal.warn(&format!(
            "Environment '{}' has no revision yet.",
            options.environment
        ));
        return Ok(Exit::Done);
    }
    terminal.say(&render(&revisions, Timestamp::now(), terminal.look))?;
    Ok(Exit::Done)
}

/// Reads the revisions of an Environment, oldest first.
pub async fn read(cluster: &Cluster, name: &str) -> Result<Vec<Made>, Failure> {
    let api: Api<ControllerRevision> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let list = cluster
        .must(api.list(&ListParams::default().labels(&selector(name))))
        .await?;
    Ok(view::read(&list.items))
}

/// The revisions as a table.
#[must_use]
pub fn render(revisions: &[Made], now: Timestamp, look: Look) -> String {
    let title = [
        "REVISION", "RELEASE", "AUTHOR", "MADE", "ENTERED", "VERIFIED", "GIVEN UP", "OUTCOME",
    ];
    let mut table: Vec<Vec<Cell>> = vec![title.map(Cell::plain).into()];
    let serving = view::serving(revisions).map(|made| made.revision.number);
    let newest = revisions.last().map(|made| made.revision.number);
    for made in revisions.iter().rev() {
        let revision = &made.revision;
        let facts = &revision.facts;
        let number = Some(revision.number);
        let (sign, outcome) = match &facts.given_up {
            Some(verdict) => (
                Sign::Bad,
                format!("given up: {}: {}", verdict.reason.as_str(), verdict.message),
            ),
            None if number == serving => (Sign::Good, "serves".to_owned()),
            None if number == newest => (Sign::Going, "on its way".to_owned()),
            None if facts.verified.is_some() => (Sign::Later, "served".to_owned()),
            None => (Sign::Later, "overtaken".to_owned()),
        };
        let age = |at: Option<Timestamp>| {
            Cell::plain(at.map(|at| text::age(at, now)).unwrap_or_default())
        };
        let author = revision
            .decided
            .commit
            .as_ref()
            .and_then(|commit| commit.author.as_deref());
        table.push(vec![
            Cell::signed(sign, revision.number.to_string(), look),
            Cell::plain(release(made)),
            Cell::plain(text::line(author.unwrap_or_default(), 30)),
            age(made.at),
            age(facts.entered),
            age(facts.verified),
            age(facts.given_up.as_ref().and_then(|verdict| verdict.at)),
            Cell::coloured(sign, text::line(&outcome, 200)),
        ]);
    }
    rows(&table, look).join("\n") + "\n"
}
