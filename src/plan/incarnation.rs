//! Which of its databases a revision of a preview runs on. A new one is made beside the others; those that nothing runs on any
//! more go when the plan is complete.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;
use kube::ResourceExt;

use super::situation::{self, Situation};
use super::{Action, Key, Plan, database, secrets, tokens, work};
use crate::api::environment::PreviewOf;
use crate::api::template::Reset;
use crate::api::{ConditionType, Reason, labels};
use crate::build::names;
use crate::postgres::{Answer, Identifier};
use crate::revision::{Image, Renewal, Revision};
use crate::seen::{Hidden, SeenEnvironment};

const STAGE: ConditionType = ConditionType::DatabaseReady;

/// The database of a revision that is to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Which one.
    pub number: i64,
    /// Why it is a new one.
    pub renewed: Option<Renewal>,
}

/// The database that the next revision of these images runs on. `key`: its migration key, and whether it is declared.
#[must_use]
pub fn choose(
    seen: &SeenEnvironment,
    images: &BTreeMap<String, Image>,
    key: Option<&(String, bool)>,
) -> Chosen {
    let newest = seen.revisions.last();
    let (Some(newest), Some(preview)) = (newest, &seen.environment.spec.preview) else {
        return Chosen::default();
    };
    let new = |why| Chosen {
        number: newest.number + 1,
        renewed: Some(why),
    };
    if tokens::wants_reset(seen) {
        return new(Renewal::Word);
    }
    let bases = bases(seen, newest);
    let mut kept = bases.iter();
    match kept.find(|base| is_kept(seen, preview, base, images, key)) {
        Some(base) => Chosen {
            number: base.decided.incarnation,
            renewed: None,
        },
        None if bases.is_empty() => new(Renewal::Seed),
        None if preview.reset == Reset::Always => new(Renewal::Release),
        None => new(Renewal::MigrationKey),
    }
}

/// The revisions whose data may be gone on with: the newest unless it failed, and what serves. Where nothing serves, one that
/// failed; but a database that was seeded in part is of no use.
fn bases<'a>(seen: &'a SeenEnvironment, newest: &'a Revision) -> Vec<&'a Revision> {
    let verdict = newest.facts.given_up.as_ref();
    let serving = situation::serving(seen);
    let sound = match (verdict, serving) {
        (None, _) => true,
        (Some(verdict), None) => verdict.reason != Reason::SeedFailed,
        (Some(_), Some(_)) => false,
    };
    let newest = Some(newest).filter(|_| sound);
    newest.into_iter().chain(serving).collect()
}

/// Whether the data of a revision stays when this release comes.
fn is_kept(
    seen: &SeenEnvironment,
    preview: &PreviewOf,
    base: &Revision,
    images: &BTreeMap<String, Image>,
    key: Option<&(String, bool)>,
) -> bool {
    match preview.reset {
        Reset::Never => true,
        Reset::Always => is_same_release(seen, base, images, key),
        Reset::OnMigrationChange => match (&base.decided.migration, key) {
            (Some(before), Some((key, true))) if before.declared => before.key == *key,
            // Where nobody declared one, nothing is ever made anew.
            _ => true,
        },
    }
}

fn is_same_release(
    seen: &SeenEnvironment,
    base: &Revision,
    images: &BTreeMap<String, Image>,
    key: Option<&(String, bool)>,
) -> bool {
    let digests = |images: &BTreeMap<String, Image>| -> Vec<String> {
        images
            .values()
            .map(|image| image.resolved.clone())
            .collect()
    };
    let sha = |commit: &Option<crate::api::environment::Commit>| {
        commit.as_ref().map(|commit| commit.sha.clone())
    };
    let migration = base.decided.migration.as_ref();
    digests(&base.decided.images) == digests(images)
        && sha(&base.decided.commit) == sha(&seen.environment.spec.release.commit)
        && migration.map(|migration| &migration.key) == key.map(|(key, _)| key)
}

/// Whether a person asks for a new database, and there is one already.
#[must_use]
pub fn is_asked_for(seen: &SeenEnvironment) -> bool {
    !seen.revisions.is_empty() && tokens::wants_reset(seen)
}

/// What is said of the data that a revision of a preview runs on.
#[must_use]
pub fn told(revision: &Revision) -> &'static str {
    match revision.decided.renewed {
        Some(Renewal::MigrationKey) => "it is a fresh one, because the migration key changed",
        Some(Renewal::Release) => "it is a fresh one, as with every release",
        Some(Renewal::Word) => "it is a fresh one, because a person asked for it",
        Some(Renewal::Seed) => "it is a fresh one, because the seed of the one before failed",
        None if revision.number == 1 => "it is a fresh one",
        None => "its data was kept",
    }
}

/// Drops the databases that nothing runs on any more, and then their binding Secrets. Which there are, the server said.
pub fn clear(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    let Some(Answer::Found(found)) = &seen.database else {
        return;
    };
    if seen.environment.spec.preview.is_none() {
        return;
    }
    let target = situation.target.as_ref();
    let wanted = target.into_iter().chain(situation.serving);
    let mut used: BTreeSet<i64> = wanted.map(|known| known.decided.incarnation).collect();
    let Some(known) = in_use(seen) else {
        return;
    };
    used.extend(known);
    let is_used = |name: &str| {
        let number = database::incarnation(seen, name);
        number.is_none_or(|number| used.contains(&number))
    };
    let others = found.others.iter().filter(|name| !is_used(name.as_str()));
    let others: Vec<Identifier> = others.cloned().collect();
    if !others.is_empty()
        && let Some((admin, surplus)) = database::surplus(seen, others)
    {
        plan.push(STAGE, Action::Drop(admin, Box::new(surplus)));
    }
    let environment = seen.environment.name_any();
    for (name, Hidden(secret)) in &seen.children.secrets {
        let number = names::incarnation(&environment, name);
        if number.is_some_and(|number| !used.contains(&number)) {
            let key = Key::new("Secret", name);
            let uid = secret.uid().unwrap_or_default();
            plan.push(STAGE, Action::Delete { key, uid });
        }
    }
}

/// The databases that pods know of, those that run and those that may be made. `None`: a pod runs of which nobody knows.
fn in_use(seen: &SeenEnvironment) -> Option<BTreeSet<i64>> {
    let environment = seen.environment.name_any();
    let children = &seen.children;
    let deployments = children.deployments.values();
    let deployments = deployments.filter_map(|live| live.spec.as_ref()?.template.spec.as_ref());
    let jobs = children.jobs.values();
    let jobs = jobs.filter(|job| work::is_running(seen, job));
    let jobs = jobs.filter_map(|job| job.spec.as_ref()?.template.spec.as_ref());
    let mut all: Vec<&PodSpec> = deployments.chain(jobs).collect();
    // What a pod runs is not kept of it: its revision tells, also while it drains.
    for template in running(seen) {
        let rendered = seen
            .revisions
            .iter()
            .flat_map(|known| &known.decided.components);
        let rendered = rendered.filter(|rendered| rendered.hash == template);
        let specs: Vec<&PodSpec> = rendered
            .filter_map(|one| one.template.spec.as_ref())
            .collect();
        if specs.is_empty() {
            return None;
        }
        all.extend(specs);
    }
    let named = |pods: &PodSpec| -> Vec<i64> {
        let keys = secrets::keys(pods);
        keys.filter_map(|key| names::incarnation(&environment, &key.name))
            .collect()
    };
    Some(all.into_iter().flat_map(named).collect())
}

/// The templates of the pods that have not ended.
fn running(seen: &SeenEnvironment) -> BTreeSet<&str> {
    let pods = seen.children.pods.values();
    let pods = pods.filter(|pod| !work::is_ended(pod));
    let templates = pods.filter_map(|pod| pod.labels().get(labels::TEMPLATE));
    templates.map(String::as_str).collect()
}
