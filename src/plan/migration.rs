//! `Migrated`: the migration of exactly this key on exactly this database has succeeded. Recorded success means that no Job is
//! ever made again.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::situation::{self, Situation};
use super::work::{self, Work};
use super::{Action, Gate, Key, Plan, database, health, seed};
use crate::api::environment::Provider;
use crate::api::{ConditionType, Reason, labels};
use crate::build::{config_map, job as build, names};
use crate::postgres::{Answer, Entry, Outcome};
use crate::revision::{Facts, Revision};
use crate::seen::SeenEnvironment;

const STAGE: ConditionType = ConditionType::Migrated;

/// Lets the target pass only when its key has been applied to its database.
pub fn run(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let mut record = situation.record.clone();
    record_successes(situation, plan, &mut record);
    let Some(target) = &situation.target else {
        return Gate::new(Reason::Pending, "Waiting for a revision");
    };
    let mut gate = judge(situation, plan, &record, target);
    if gate.is_open()
        && let Some(closed) = seed::fill(situation, plan, &record, target)
    {
        gate = closed;
    }
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
    let seen = situation.seen;
    let key = &migration.key;
    let work = Work {
        job: build::migration(&seen.environment, target.number, migration),
        running: Reason::MigrationRunning,
        doing: format!("Migrating to '{key}'"),
        failed: Reason::MigrationFailed,
        what: format!("The migration to '{key}'"),
    };
    work.advance(situation, plan)
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
    let environment = seen.environment.name_any();
    let own = [
        names::migration(&environment, target.number),
        names::seed(&environment, target.number),
    ];
    let mut jobs = seen.children.jobs.values();
    let Some(running) =
        jobs.find(|job| !own.contains(&job.name_any()) && work::is_running(seen, job))
    else {
        return orphan(seen);
    };
    // One without a pod may get it in this moment.
    let mut pods = work::pods(seen, running).peekable();
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
    let works = health::pods_for(seen, "migration").chain(health::pods_for(seen, "seed"));
    let left = works
        .into_iter()
        .any(|pod| !made(pod) && !work::is_ended(pod));
    left.then(|| {
        Gate::new(
            Reason::OtherMigrationRunning,
            "Waiting for the pod of a migration to end whose Job was deleted",
        )
    })
}

/// Every success goes into the record, also of a revision that was overtaken meanwhile. The record in a database has it when
/// the database says so.
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
        .filter(|job| work::has_condition(job, "Complete"))
    {
        let is_new = |entry: &Entry| is_of_this(seen, entry) && !is_recorded(situation, entry);
        let Some(entry) = entry(job).filter(is_new) else {
            continue;
        };
        if record_entry(seen, plan, record, &entry) {
            record.entries.push(entry);
        }
    }
}

/// Whether it is of the database that was asked: each keeps its own record.
fn is_of_this(seen: &SeenEnvironment, entry: &Entry) -> bool {
    let mut revisions = seen.revisions.iter();
    let made = revisions.find(|revision| revision.number == entry.revision);
    match made {
        Some(made) => made.decided.incarnation == seen.incarnation,
        None => seen.environment.spec.preview.is_none(),
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

/// Writes an entry beside the data. `false`: the record does not have it by this plan alone. What goes into a database must be
/// seen there first, so that nothing depends on it that a write which fails would hold up.
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
    if let Some(access) = database::owner_access(seen).filter(|_| answers) {
        plan.push(STAGE, Action::Enter(access, entry.clone()));
        // No watch tells of it.
        plan.look_at(seen.now);
    }
    false
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

/// Writes into the record what a person says is applied. `false`: it is not there yet.
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
