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
use crate::api::{App, ConditionType, Environment, Reason};

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
    if environment.spec.suspend {
        let sentence = "spec.suspend must be false for anything to happen";
        return Standing::Stalled(format!("{}: {sentence}", Reason::Suspended.as_str()));
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

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::{Value, json};

    use super::*;
    use crate::simulate::{Build, World};

    fn environment(generation: i64, status: Value) -> Environment {
        serde_json::from_value(json!({
            "metadata": {"name": "shop", "generation": generation},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}},
            "status": status,
        }))
        .expect("an Environment")
    }

    fn app(uid: &str, generation: i64) -> App {
        serde_json::from_value(json!({
            "metadata": {"name": "shop", "uid": uid, "generation": generation},
            "spec": {"components": []},
        }))
        .expect("an App")
    }

    fn status(seen: i64, app: (&str, i64), conditions: &[(&str, &str, &str, i64)]) -> Value {
        let conditions = conditions.iter().map(|(type_, status, reason, generation)| {
            json!({"type": type_, "status": status, "reason": reason, "message": "so", "observedGeneration": generation,
                "lastTransitionTime": "2026-11-21T12:00:00Z"})
        });
        json!({"observedGeneration": seen, "app": {"name": "shop", "uid": app.0, "generation": app.1},
            "conditions": conditions.collect::<Vec<_>>()})
    }

    const READY: (&str, &str, &str, i64) = ("Ready", "True", "Ready", 2);
    const ROLLED_BACK: (&str, &str, &str, i64) = ("Ready", "False", "RolledBack", 2);
    const STALLED: (&str, &str, &str, i64) = ("Stalled", "True", "RolledBack", 2);

    #[test]
    fn ready_counts_at_the_present_generation_of_both_alone() {
        let ready = |seen, of: (&str, i64), at| {
            let said = status(seen, of, &[("Ready", "True", "Ready", at)]);
            judge(&environment(2, said), Some(&app("u", 3)))
        };
        assert_eq!(
            ready(2, ("u", 3), 2),
            Standing::Ready("Ready: so".to_owned())
        );
        for (seen, of, at) in [
            (1, ("u", 3), 1),
            (2, ("u", 2), 2),
            (2, ("other", 3), 2),
            (2, ("u", 3), 1),
        ] {
            let stands = ready(seen, of, at);
            assert!(
                matches!(stands, Standing::Waiting(_)),
                "{seen} {of:?} {at}: {stands:?}"
            );
        }
    }

    #[test]
    fn what_stalls_now_ends_the_wait_and_what_stalled_before_does_not() {
        let judged = |generation, of: (&str, i64)| {
            let said = status(2, of, &[ROLLED_BACK, STALLED]);
            judge(&environment(generation, said), Some(&app("u", 3)))
        };
        assert_eq!(
            judged(2, ("u", 3)),
            Standing::Stalled("RolledBack: so".to_owned())
        );
        assert!(matches!(judged(3, ("u", 3)), Standing::Waiting(_)));
        assert!(matches!(judged(2, ("u", 2)), Standing::Waiting(_)));
    }

    /// What is judged after so many passes over this App and this release.
    fn played(app: Value, release: &str, passes: usize) -> Standing {
        let now = "2026-03-02T09:00:00Z".parse().expect("a time");
        let mut world = World::new("shop", now);
        world.push_image("a/shop:1", Build::default(), None);
        let app: App = serde_json::from_value(app).expect("an App");
        let environment = json!({"metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": release}}});
        let environment: Environment = serde_json::from_value(environment).expect("an Environment");
        let app = world.store.declare(app).expect("a free name");
        world.store.declare(environment).expect("a free name");
        for _ in 0..passes {
            world.pass("shop");
        }
        judge(&world.environment("shop").expect("it is there"), Some(&app))
    }

    #[test]
    fn what_the_controller_refuses_ends_the_wait_before_any_revision_is_made() {
        let app = |component: Value| json!({"metadata": {"name": "shop", "namespace": "shop"}, "spec": {"image": "a/shop", "components": [component]}});
        let well = app(json!({"name": "web", "role": "Web", "port": 80}));
        assert!(matches!(
            played(well.clone(), "a/shop:1", 0),
            Standing::Waiting(_)
        ));
        let going = played(well.clone(), "a/shop:1", 2);
        assert!(matches!(going, Standing::Waiting(_)), "{going:?}");
        let refused = played(well, "elsewhere/shop:1", 1);
        assert!(
            matches!(&refused, Standing::Stalled(said) if said.starts_with("ReleaseInvalid")),
            "{refused:?}"
        );
        let own = app(json!({"name": "web", "role": "Web", "port": 80, "image": "b/web"}));
        let refused = played(own, "a/shop:1", 1);
        assert!(
            matches!(&refused, Standing::Stalled(said) if said.starts_with("ReleaseInvalid")),
            "{refused:?}"
        );
    }

    #[test]
    fn nothing_and_going_are_waited_for() {
        let present = app("u", 3);
        for said in [Value::Null, json!({}), status(2, ("u", 3), &[])] {
            assert!(matches!(
                judge(&environment(2, said), Some(&present)),
                Standing::Waiting(_)
            ));
        }
        let ready = environment(2, status(2, ("u", 3), &[READY]));
        assert!(matches!(judge(&ready, None), Standing::Waiting(_)));
        let mut going = ready.clone();
        going.metadata.deletion_timestamp =
            Some(Time("2026-11-21T12:00:00Z".parse().expect("a time")));
        assert!(matches!(
            judge(&going, Some(&present)),
            Standing::Waiting(_)
        ));
    }
}
