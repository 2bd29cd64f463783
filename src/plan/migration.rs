//! `Migrated`: the migration of exactly this key on exactly this database has succeeded. Recorded success means that no Job is
//! ever made again.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::situation::{self, Situation};
use super::{Action, Gate, Key, Plan, database, health};
use crate::api::environment::Provider;
use crate::api::{ConditionType, Reason, labels};
use crate::build::{config_map, job as build, names};
use crate::postgres::{Answer, Entry, Outcome};
use crate::revision::{Facts, RenderedMigration, Revision, Verdict};
use crate::seen::SeenEnvironment;

const STAGE: ConditionType = ConditionType::Migrated;

/// Lets the target pass only when its key has been applied to its database.
pub fn run(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let mut record = situation.record.clone();
    record_successes(situation, plan, &mut record);
    let Some(target) = &situation.target else {
        return Gate::new(Reason::Pending, "Waiting for a revision");
    };
    let gate = judge(situation, plan, &record, target);
    if gate.is_open() && target.facts.entered.is_none() && target.facts.given_up.is_none() {
        enter(situation, plan, target);
    }
    gate
}

fn judge(
    situation: &Situation<'_>,
    plan: &mut Plan,
    record: &super::record::Record,
    target: &Revision,
) -> Gate {
    // Whoever comes later waits, also with nothing to migrate.
    let to_enter = target.facts.entered.is_none() && target.facts.given_up.is_none();
    if to_enter && let Some(gate) = others(situation.seen, plan, target) {
        return gate;
    }
    let Some(migration) = &target.decided.migration else {
        return Gate::new(Reason::NotConfigured, "The App declares no migration");
    };
    if record.has_applied(&migration.key) {
        return Gate::new(Reason::Succeeded, format!("'{}' is applied", migration.key));
    }
    if let Some(verdict) = target
        .facts
        .given_up
        .as_ref()
        .filter(|verdict| verdict.stage() == STAGE)
    {
        return Gate::new(verdict.reason, verdict.message.clone());
    }
    // The revision knows it too: a record that cannot be read now says nothing.
    if target.was_migrated() && !situation::has_answered(situation.seen) {
        return Gate::new(Reason::Succeeded, format!("'{}' is applied", migration.key));
    }
    if situation::is_lost(situation.seen, target) {
        return Gate::new(
            Reason::RecordLost,
            format!(
                "The database's record lacks '{}', which revision {} had applied: run `kubectl towpath retry {}` to migrate again, or `kubectl towpath migration mark-applied` if it is applied",
                migration.key,
                target.number,
                situation.seen.environment.name_any()
            ),
        );
    }
    attempt(situation, plan, target, migration)
}

/// The one attempt of this revision.
fn attempt(
    situation: &Situation<'_>,
    plan: &mut Plan,
    target: &Revision,
    migration: &RenderedMigration,
) -> Gate {
    let seen = situation.seen;
    let name = names::migration(&seen.environment.name_any(), target.number);
    let Some(job) = seen.children.jobs.get(&name) else {
        if let Some(Answer::Found(found)) = &seen.database
            && !found.backends.is_empty()
        {
            plan.look_at(seen.now + jiff::SignedDuration::from_secs(2));
            return Gate::new(
                Reason::BackendsLeft,
                "Waiting for the connections of the last attempt to end",
            );
        }
        let job = build::migration(&seen.environment, target.number, migration);
        plan.push(STAGE, Action::Migrate(Box::new(job)));
        return Gate::new(
            Reason::MigrationRunning,
            format!("Migrating to '{}'", migration.key),
        );
    };
    if has_condition(job, "Failed") {
        return fail(situation, plan, job, migration);
    }
    let trouble = pods(seen, job).find_map(health::trouble);
    let trouble = trouble
        .map(|trouble| format!(": {trouble}"))
        .unwrap_or_default();
    Gate::new(
        Reason::MigrationRunning,
        format!("Migrating to '{}'{trouble}", migration.key),
    )
}

fn fail(
    situation: &Situation<'_>,
    plan: &mut Plan,
    job: &Job,
    migration: &RenderedMigration,
) -> Gate {
    let words = pods(situation.seen, job).find_map(health::last_words);
    let why = words.map_or_else(|| failure(job), str::to_owned);
    let verdict = Verdict {
        reason: Reason::MigrationFailed,
        message: format!("The migration to '{}' failed: {why}", migration.key),
        at: Some(situation.seen.now),
    };
    let gate = Gate::new(verdict.reason, verdict.message.clone());
    situation.record_fact(
        plan,
        STAGE,
        &Facts {
            given_up: Some(verdict),
            ..Facts::default()
        },
    );
    gate
}

fn failure(job: &Job) -> String {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let failed = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "Failed");
    failed
        .and_then(|failed| failed.message.clone())
        .unwrap_or_else(|| "the Job failed".to_owned())
}

/// All gates up to this one are open in one pass: the target may have the slots.
fn enter(situation: &Situation<'_>, plan: &mut Plan, target: &Revision) {
    // Its binding or record may be written in this very pass, so that it is asked and not remembered.
    let migrated = match (&target.decided.migration, &situation.seen.database) {
        (Some(_), Some(Answer::Found(found))) => Some(found.identity.to_string()),
        _ => None,
    };
    let facts = Facts {
        entered: Some(situation.seen.now),
        migrated,
        ..Facts::default()
    };
    situation.record_fact(plan, STAGE, &facts);
}

/// A running migration is never cancelled: a newer release waits for it. One whose pod cannot start is deleted.
fn others(seen: &SeenEnvironment, plan: &mut Plan, target: &Revision) -> Option<Gate> {
    let own = names::migration(&seen.environment.name_any(), target.number);
    let mut jobs = seen.children.jobs.values();
    let Some(running) = jobs.find(|job| job.name_any() != own && is_running(seen, job)) else {
        return orphan(seen);
    };
    // One without a pod may get it in this moment.
    let mut pods = pods(seen, running).peekable();
    let stuck = pods.peek().is_some() && pods.all(health::cannot_start);
    if running.metadata.deletion_timestamp.is_none() && stuck {
        let key = Key::new("Job", running.name_any());
        plan.push(
            STAGE,
            Action::Delete {
                key,
                uid: running.uid().unwrap_or_default(),
            },
        );
    }
    Some(Gate::new(
        Reason::OtherMigrationRunning,
        format!(
            "Waiting for migration '{}' of an earlier revision to end",
            running.name_any()
        ),
    ))
}

/// A pod may outlive its Job, when somebody deletes that; it migrates all the same.
fn orphan(seen: &SeenEnvironment) -> Option<Gate> {
    let jobs = seen.children.jobs.values();
    let uids: Vec<_> = jobs.filter_map(|job| job.uid()).collect();
    let made = |pod: &Pod| {
        pod.owner_references()
            .iter()
            .any(|owner| uids.contains(&owner.uid))
    };
    let ended = |pod: &Pod| matches!(phase(pod), "Succeeded" | "Failed");
    let left = health::pods_for(seen, "migration").any(|pod| !made(pod) && !ended(pod));
    left.then(|| {
        Gate::new(
            Reason::OtherMigrationRunning,
            "Waiting for the pod of a migration to end whose Job was deleted",
        )
    })
}

/// A Job runs until it says that it ended, and as long as a pod of it is left.
fn is_running(seen: &SeenEnvironment, job: &Job) -> bool {
    let ended = has_condition(job, "Complete") || has_condition(job, "Failed");
    !ended || pods(seen, job).any(|pod| phase(pod) == "Running")
}

/// Whether the Job of this name is a running migration.
#[must_use]
pub fn is_running_named(seen: &SeenEnvironment, name: &str) -> bool {
    seen.children
        .jobs
        .get(name)
        .is_some_and(|job| is_running(seen, job))
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn pods<'a>(seen: &'a SeenEnvironment, job: &'a Job) -> impl Iterator<Item = &'a Pod> {
    let uid = job.uid().unwrap_or_default();
    health::pods_for(seen, "migration")
        .filter(move |pod| pod.owner_references().iter().any(|owner| owner.uid == uid))
}

fn has_condition(job: &Job, condition: &str) -> bool {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|known| known.type_ == condition && known.status == "True")
}

/// Every success goes into the record, also of a revision that was overtaken meanwhile.
fn record_successes(
    situation: &Situation<'_>,
    plan: &mut Plan,
    record: &mut super::record::Record,
) {
    let seen = situation.seen;
    for job in seen
        .children
        .jobs
        .values()
        .filter(|job| has_condition(job, "Complete"))
    {
        let Some(entry) = entry(job).filter(|entry| !is_recorded(situation, entry)) else {
            continue;
        };
        if record_entry(seen, plan, record, &entry) {
            record.entries.push(entry);
        }
    }
}

/// A revision that knows of its success had it recorded: a record without it is a restored one, and counts.
fn is_recorded(situation: &Situation<'_>, entry: &Entry) -> bool {
    let migrated = situation
        .seen
        .revisions
        .iter()
        .any(|revision| revision.number == entry.revision && revision.was_migrated());
    migrated || situation.record.has_applied(&entry.key)
}

fn entry(job: &Job) -> Option<Entry> {
    let status = job.status.as_ref()?;
    Some(Entry {
        key: job.annotations().get(build::KEY)?.clone(),
        revision: job.labels().get(labels::REVISION)?.parse().ok()?,
        outcome: Outcome::Succeeded,
        started: status.start_time.as_ref().map(|time| time.0),
        finished: status.completion_time.as_ref().map(|time| time.0),
        note: None,
    })
}

/// Writes an entry beside the data. `false`: the database cannot be reached now.
fn record_entry(
    seen: &SeenEnvironment,
    plan: &mut Plan,
    record: &super::record::Record,
    entry: &Entry,
) -> bool {
    let provider = seen
        .environment
        .spec
        .database
        .as_ref()
        .map(|database| database.provider);
    if provider == Some(Provider::External) {
        return record_in_config_map(seen, plan, record, entry);
    }
    // One that does not answer now would only hold up everything that comes after it.
    let answers = matches!(seen.database, Some(Answer::Found(_)));
    match database::owner_access(seen).filter(|_| answers) {
        Some(access) => {
            plan.push(STAGE, Action::Enter(access, entry.clone()));
            true
        }
        None => false,
    }
}

fn record_in_config_map(
    seen: &SeenEnvironment,
    plan: &mut Plan,
    record: &super::record::Record,
    entry: &Entry,
) -> bool {
    let name = names::record(&seen.environment.name_any());
    let (Some(live), Some(identity)) =
        (seen.children.config_maps.get(&name), database::known(seen))
    else {
        return false;
    };
    // What is written for another database is not its record any more in this very pass.
    if situation::has_answered(seen) && !database::is_known(seen) {
        return false;
    }
    let mut entries = planned_record(plan, &name).unwrap_or_else(|| record.entries.clone());
    entries.push(entry.clone());
    let entries = super::record::kept(entries, seen);
    let object = config_map::record(&seen.environment, &identity, &entries);
    let mut change = super::diff::change(
        object,
        Some(live.as_ref()),
        super::diff::Guarded::Nothing,
        &seen.stubborn,
    );
    // The record grows from what was read: another version of it is a conflict.
    if let Some(Some(live_ref)) = change.as_mut().map(|change| change.live.as_mut()) {
        live_ref.resource_version = live.resource_version();
    }
    plan.want(
        STAGE,
        Key::new("ConfigMap", name),
        change,
        Action::ConfigMap,
    );
    true
}

/// The entries of a record that this pass writes already.
fn planned_record(plan: &Plan, name: &str) -> Option<Vec<Entry>> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::ConfigMap(change) if change.object.name_any() == name => {
            Some(config_map::entries(&change.object))
        }
        _ => None,
    })
}

/// Writes into the record what a person says is applied. `false`: not now.
pub fn mark_applied(situation: &Situation<'_>, plan: &mut Plan, key: &str) -> bool {
    if key.is_empty() || situation.record.has_applied(key) {
        return true;
    }
    let entry = Entry {
        key: key.to_owned(),
        revision: situation.target.as_ref().map_or(0, |target| target.number),
        outcome: Outcome::MarkedApplied,
        started: None,
        finished: Some(situation.seen.now),
        note: None,
    };
    if !matches!(situation.seen.database, Some(Answer::Found(_))) {
        return false;
    }
    let written = record_entry(situation.seen, plan, &situation.record, &entry);
    plan.look_at(situation.seen.now);
    written
}
