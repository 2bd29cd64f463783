//! `kubectl towpath status`: whether what was asked for runs; a pipeline's gate.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, Resource};
use tokio::time::Instant;

use super::cluster::Where;
use super::exit::{Exit, Failure};
use super::get::view::condition;
use super::paint::{Cell, Sign, rows};
use super::terminal::Terminal;
use super::watch::Watches;
use crate::api::{App, ConditionType, Environment};

/// Wait until an Environment runs what its present spec and its App's ask for.
///
/// Exit codes: 0 it does, 1 a person must change something, 2 not in time, 3 the apiserver does not answer or the
/// Environment does not exist.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the Environment.
    environment: String,
    /// How long to wait, in seconds; 0 asks once.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
    #[command(flatten)]
    place: Where,
}

/// How an Environment stands against what is asked of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All of it runs.
    Ready(String),
    /// A person must change something.
    Stalled(String),
    /// It ends by itself.
    Waiting(String),
}

/// Judges an Environment by its present generation and its App's: what is said of older ones does not count.
#[must_use]
pub fn judge(environment: &Environment, app: Option<&App>) -> Standing {
    if environment.metadata.deletion_timestamp.is_some() {
        return Standing::Waiting("The Environment is being deleted".to_owned());
    }
    let generation = environment.metadata.generation;
    let status = environment.status.as_ref();
    if status.and_then(|status| status.observed_generation) != generation {
        let generation = generation.unwrap_or_default();
        return Standing::Waiting(format!(
            "The controller has not seen generation {generation} yet"
        ));
    }
    let present = |type_| {
        condition(environment, type_).filter(|condition| {
            condition.status == "True" && condition.observed_generation == generation
        })
    };
    let ready = condition(environment, ConditionType::Ready);
    let said = ready.map_or_else(|| "Nothing is said yet".to_owned(), words);
    if let Some(sentence) = unreflected(environment, app) {
        return Standing::Waiting(format!("{sentence}; {said}"));
    }
    if present(ConditionType::Ready).is_some() {
        return Standing::Ready(said);
    }
    match present(ConditionType::Stalled) {
        Some(stalled) => Standing::Stalled(ready.map_or_else(|| words(stalled), words)),
        None => Standing::Waiting(said),
    }
}

/// Why the status does not speak of the App as it is now.
fn unreflected(environment: &Environment, app: Option<&App>) -> Option<String> {
    let name = &environment.spec.app_ref.name;
    let Some(app) = app else {
        return Some(format!("App '{name}' does not exist"));
    };
    let seen = environment
        .status
        .as_ref()
        .and_then(|status| status.app.as_ref());
    let is_present = seen.is_some_and(|seen| {
        Some(&seen.uid) == app.metadata.uid.as_ref()
            && Some(seen.generation) == app.metadata.generation
    });
    let generation = app.metadata.generation.unwrap_or_default();
    (!is_present)
        .then(|| format!("App '{name}' is not acted on in its generation {generation} yet"))
}

fn words(condition: &Condition) -> String {
    format!("{}: {}", condition.reason, condition.message)
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let deadline = Instant::now() + Duration::from_secs(options.timeout);
    let cluster = options.place.connect().await?;
    let first = cluster.environment(&options.environment).await?;
    let apps: Api<App> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let name = first.spec.app_ref.name.clone();
    let app = cluster.must(apps.get_opt(&name)).await?;
    let mut wait = Wait {
        terminal,
        said: String::new(),
    };
    if let Some(exit) = wait.hear(&judge(&first, app.as_ref()))? {
        return Ok(exit);
    }
    let only = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut watches = Watches::new();
    let environments = watches.add(
        "Environments",
        cluster.environments(),
        only(&options.environment),
    );
    let apps = watches.add("Apps", apps, only(&name));
    while tokio::time::timeout_at(deadline, watches.changed())
        .await
        .is_ok()
    {
        let notes = watches.notes();
        if !watches.have_all_spoken() {
            continue;
        }
        if !notes.is_empty() {
            wait.say(
                Sign::Unknown,
                &format!("No answer from the apiserver: {}", notes.join("; ")),
            )?;
            continue;
        }
        let Some(environment) = the_one(&environments) else {
            return Err(Failure::NoAnswer(cluster.there_is_no(&options.environment)));
        };
        if let Some(exit) = wait.hear(&judge(&environment, the_one(&apps).as_deref()))? {
            return Ok(exit);
        }
    }
    let notes = watches.notes();
    if !notes.is_empty() {
        return Err(Failure::NoAnswer(format!(
            "the apiserver does not answer: {}",
            notes.join("; ")
        )));
    }
    wait.terminal.warn(&format!(
        "Not ready after {} s. It stands at: {}",
        options.timeout, wait.said
    ));
    Ok(Exit::NotYet)
}

fn the_one<K: Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> Option<Arc<K>> {
    store.state().into_iter().next()
}

/// What was said while waiting, so that it is said once.
struct Wait<'a> {
    terminal: &'a mut Terminal,
    said: String,
}

impl Wait<'_> {
    /// Says how it stands; an end has an exit code.
    fn hear(&mut self, standing: &Standing) -> Result<Option<Exit>, Failure> {
        match standing {
            Standing::Ready(words) => {
                self.say(Sign::Good, words)?;
                Ok(Some(Exit::Done))
            }
            Standing::Stalled(words) => {
                self.terminal.warn(words);
                Ok(Some(Exit::No))
            }
            Standing::Waiting(words) => {
                self.say(Sign::Going, words)?;
                Ok(None)
            }
        }
    }

    fn say(&mut self, sign: Sign, words: &str) -> Result<(), Failure> {
        if self.said != words {
            words.clone_into(&mut self.said);
            let look = self.terminal.look;
            let lines = rows(&[vec![Cell::signed(sign, words, look)]], look);
            self.terminal.say(&lines.concat())?;
        }
        Ok(())
    }
}
