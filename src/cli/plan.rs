//! `towpath plan`: what would happen, in which order, before anything is applied. The controller's own decisions are run in a
//! simulated cluster that goes on from what is there; nothing is written anywhere.

mod forecast;
mod read;
mod reason;
mod render;
mod rollout;
mod template;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::cluster::{Cluster, Where};
use super::declared::{self, Declared};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use super::{files, lint};
use crate::simulate::World;
use forecast::{Assumptions, Forecast};

/// Where nobody says otherwise, objects without a namespace are here.
const DEFAULT: &str = "default";

/// Show what would happen, in which order, before anything is applied. Nothing is written.
///
/// Exit codes: 0 every Environment would be ready, 1 one would not be or `lint` has findings, 2 input that cannot be read,
/// 3 no answer from the cluster.
#[derive(Debug, Args)]
pub struct Options {
    /// File or folder (its *.yaml, *.yml and *.json), or - for standard input. May be repeated.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Ask no cluster: everything is new, and what is named but not in the files is taken for granted.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (sources, unreadable) = files::read_all(&options.files);
    let found = lint::tell(&lint::check(&sources), unreadable, terminal)?;
    if found != Exit::Done {
        return Ok(found);
    }
    let cluster = match options.offline {
        true => None,
        false => options.place.find().await.map_err(or_offline)?,
    };
    let named = options.place.namespace().unwrap_or(DEFAULT);
    let namespace = cluster
        .as_ref()
        .map_or(named, |cluster| cluster.namespace.as_str());
    let declared = declared::read(&sources, namespace)?;
    for title in &declared.passed_over {
        terminal.warn(&format!("{title} is not part of the plan"));
    }
    if cluster.is_none() && !options.offline {
        terminal.warn("No cluster is known: everything is planned as new.");
    }
    let mut forecasts = Vec::new();
    for namespace in declared.namespaces() {
        forecasts.extend(one(cluster.as_ref(), &namespace, &declared).await?);
    }
    show(&forecasts, terminal)
}

/// What would become of the Environments of a namespace.
async fn one(
    cluster: Option<&Cluster>,
    namespace: &str,
    declared: &Declared,
) -> Result<Vec<Forecast>, Failure> {
    let (mut world, assumptions) = match cluster {
        Some(cluster) => read::namespace(cluster, namespace, declared)
            .await
            .map_err(or_offline)?,
        None => {
            let assumptions = Assumptions {
                offline: true,
                ..Assumptions::default()
            };
            (World::new(namespace, Timestamp::now()), assumptions)
        }
    };
    Ok(forecast::all(&mut world, declared, &assumptions))
}

fn show(forecasts: &[Forecast], terminal: &mut Terminal) -> Result<Exit, Failure> {
    if forecasts.is_empty() {
        terminal.say("Nothing would change: no Environment is concerned.")?;
        return Ok(Exit::Done);
    }
    let look = terminal.look;
    let texts: Vec<String> = forecasts
        .iter()
        .map(|one| render::render(one, look))
        .collect();
    terminal.say(&texts.join("\n"))?;
    Ok(match forecasts.iter().all(render::is_ready) {
        true => Exit::Done,
        false => Exit::No,
    })
}

/// Tells of the way to plan without a cluster.
fn or_offline(failure: Failure) -> Failure {
    match failure {
        Failure::NoAnswer(why) => Failure::NoAnswer(format!(
            "{why}; --offline plans without a cluster, as if all were new"
        )),
        other => other,
    }
}
