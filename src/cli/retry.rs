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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::apps::v1::ControllerRevision;
    use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
    use serde_json::json;

    use super::*;
    use crate::cli::get::view;

    fn environment(reason: &str) -> Environment {
        serde_json::from_value(json!({
            "metadata": {"name": "shop"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}},
            "status": {"conditions": [{"type": "Migrated", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-21T12:00:00Z"}]},
        }))
        .expect("an Environment")
    }

    fn revision(facts: &[(&str, &str)]) -> Vec<Made> {
        let mut object = ControllerRevision {
            revision: 7,
            ..ControllerRevision::default()
        };
        let facts = facts.iter().chain(&[(labels::CONTENT, "c")]);
        object.metadata.annotations = Some(
            facts
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        );
        let app = json!({"name": "shop", "uid": "u", "generation": 1});
        object.data = Some(RawExtension(
            json!({"app": app, "images": {}, "components": []}),
        ));
        view::read(&[object])
    }

    #[test]
    fn only_what_is_held_can_be_tried_again() {
        let given_up = revision(&[(labels::GIVEN_UP, "Crashed")]);
        let said = held(&environment("Succeeded"), given_up.last());
        assert!(
            said.is_ok_and(
                |sentence| sentence.contains("Revision 7") && sentence.contains("Crashed")
            )
        );
        let lost = revision(&[(labels::VERIFIED, "2026-11-21T12:00:00Z")]);
        assert!(held(&environment("RecordLost"), lost.last()).is_ok());
        for (facts, word) in [
            (vec![], "is on its way"),
            (vec![(labels::VERIFIED, "2026-11-21T12:00:00Z")], "serves"),
        ] {
            let refused = held(&environment("Succeeded"), revision(&facts).last());
            assert!(
                refused.is_err_and(|sentence| sentence.contains(word)),
                "{word}"
            );
        }
        assert!(held(&environment("Succeeded"), None).is_err());
    }
}
