//! `kubectl towpath retry`: another attempt at what was given up.

use clap::Args;
use kube::ResourceExt;

use super::cluster::Where;
use super::exit::{Exit, Failure};
use super::get::tree::release;
use super::get::view::{Made, condition};
use super::terminal::Terminal;
use super::{history, trigger};
use crate::api::{ConditionType, Environment, Reason, labels};

/// Try again what was given up: the next pass makes a new revision of what is asked for now.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the Environment.
    environment: String,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let cluster = options.place.connect().await?;
    let environment = cluster.environment(&options.environment).await?;
    let revisions = history::read(&cluster, &options.environment).await?;
    let sentence = held(&environment, revisions.last()).map_err(Failure::Refused)?;
    trigger::pull(&cluster, &environment, labels::RETRY, None).await?;
    terminal.say(&format!(
        "{sentence}\nThe next pass makes a new revision of it. Follow it with: kubectl towpath get {} -n {} --watch",
        options.environment, cluster.namespace
    ))?;
    Ok(Exit::Done)
}

/// What is held and would be tried again; or why nothing is.
pub fn held(environment: &Environment, newest: Option<&Made>) -> Result<String, String> {
    let name = environment.name_any();
    let Some(newest) = newest else {
        return Err(format!(
            "Environment '{name}' has no revision yet: there is nothing to try again"
        ));
    };
    let number = newest.revision.number;
    if let Some(verdict) = &newest.revision.facts.given_up {
        let release = release(newest);
        return Ok(format!(
            "Revision {number} ({release}) was given up: {}.",
            verdict.reason.as_str()
        ));
    }
    let lost = condition(environment, ConditionType::Migrated)
        .is_some_and(|migrated| migrated.reason == Reason::RecordLost.as_str());
    if lost {
        return Ok(format!(
            "The database's record lacks the migration of revision {number}: it runs again."
        ));
    }
    let stands = if newest.revision.facts.verified.is_some() {
        "serves"
    } else {
        "is on its way"
    };
    Err(format!(
        "nothing of Environment '{name}' is held: revision {number} {stands}"
    ))
}
