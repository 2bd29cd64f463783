//! `kubectl towpath migration`: what a person knows of the schema better than the record.

use clap::{Args, Subcommand};

use super::cluster::Where;
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use super::{history, retry, trigger};
use crate::api::{Environment, labels};

/// Say what a person knows of migrations.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a migration key into the record without running the migration: it never runs again.
    MarkApplied {
        /// Name of the Environment.
        environment: String,
        /// The key, as `kubectl towpath get` shows it.
        key: String,
        #[command(flatten)]
        place: Where,
    },
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Command::MarkApplied {
        environment: name,
        key,
        place,
    } = options.command;
    check(&key).map_err(Failure::Refused)?;
    let cluster = place.connect().await?;
    let environment = cluster.environment(&name).await?;
    has_database(&environment).map_err(Failure::Refused)?;
    let revisions = history::read(&cluster, &name).await?;
    trigger::pull(&cluster, &environment, labels::MARK_APPLIED, Some(&key)).await?;
    terminal.say(&format!(
        "The next pass that reaches the database writes '{key}' into its record as applied."
    ))?;
    if retry::held(&environment, revisions.last()).is_ok() {
        terminal.say(&format!(
            "What was given up stays held until: kubectl towpath retry {name} -n {}",
            cluster.namespace
        ))?;
    }
    Ok(Exit::Done)
}

/// What a migration key may be, as in `spec.release.migrationKey`.
fn check(key: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:+/".contains(c);
    if (1..=128).contains(&key.len()) && key.chars().all(fits) {
        return Ok(());
    }
    Err("the key must have 1 to 128 letters, digits and characters of -._:+/".to_owned())
}

fn has_database(environment: &Environment) -> Result<(), String> {
    match environment.spec.database {
        Some(_) => Ok(()),
        None => Err("the Environment must have a database to have a record".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_key_is_one_that_a_release_could_name() {
        for key in ["0004", "sha256:0a1b", "a/b+c_d.e-f"] {
            assert_eq!(check(key), Ok(()), "{key}");
        }
        for key in ["", "a b", "é", &"a".repeat(129)] {
            assert!(check(key).is_err(), "{key}");
        }
    }
}
