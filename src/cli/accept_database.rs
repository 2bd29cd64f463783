//! `kubectl towpath accept-database`: the database behind an Environment is another one than before, and that is meant.

use clap::Args;
use kube::ResourceExt;

use super::cluster::Where;
use super::exit::{Exit, Failure};
use super::get::view::condition;
use super::terminal::Terminal;
use super::trigger;
use crate::api::{ConditionType, Environment, Reason, labels};

/// Accept the database that answers now, after it was found to be another one than before.
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
    let sentence = changed(&environment).map_err(Failure::Refused)?;
    trigger::pull(&cluster, &environment, labels::ACCEPT_DATABASE, None).await?;
    terminal.say(&format!(
        "{sentence}\nThe next pass that reaches it takes it for the database of Environment '{}'. Its record counts: a migration that it lacks runs.",
        options.environment
    ))?;
    Ok(Exit::Done)
}

/// What is to be accepted; or why nothing is.
fn changed(environment: &Environment) -> Result<String, String> {
    let ready = condition(environment, ConditionType::DatabaseReady);
    match ready.filter(|ready| ready.reason == Reason::DatabaseChanged.as_str()) {
        Some(ready) => Ok(ready.message.clone()),
        None => Err(format!(
            "the database of Environment '{}' is the known one: there is nothing to accept",
            environment.name_any()
        )),
    }
}
