//! A Job of a revision: made once, from the stored rendering, and waited for; its failure is the revision's.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::situation::Situation;
use super::{Action, Gate, Plan, health};
use crate::api::{ConditionType, Reason};
use crate::postgres::Answer;
use crate::revision::{Facts, Verdict};
use crate::seen::SeenEnvironment;

const STAGE: ConditionType = ConditionType::Migrated;

/// What a revision has done before its pods start.
#[derive(Clone, Debug)]
pub struct Work {
    /// Who does it.
    pub job: Job,
    /// Why it is waited for.
    pub running: Reason,
    /// What is being done.
    pub doing: String,
    /// Why the revision is given up when it fails.
    pub failed: Reason,
    /// What fails then.
    pub what: String,
}

impl Work {
    /// The one attempt of this revision.
    pub fn advance(self, situation: &Situation<'_>, plan: &mut Plan) -> Gate {
        let seen = situation.seen;
        let Some(job) = seen.children.jobs.get(&self.job.name_any()) else {
            return self.begin(seen, plan);
        };
        if has_condition(job, "Failed") {
            return self.fail(situation, plan, job);
        }
        let trouble = pods(seen, job).find_map(health::trouble);
        let trouble = trouble
            .map(|trouble| format!(": {trouble}"))
            .unwrap_or_default();
        Gate::new(self.running, format!("{}{trouble}", self.doing))
    }

    fn begin(self, seen: &SeenEnvironment, plan: &mut Plan) -> Gate {
        // What has just ended may be this very work: the record has it when it is read again.
        let records = |action: &Action| matches!(action, Action::Enter(..));
        if plan.steps.iter().any(|step| records(&step.action)) {
            let message = "Waiting until what has been applied is recorded";
            return Gate::new(self.running, message);
        }
        if let Some(Answer::Found(found)) = &seen.database
            && !found.backends.is_empty()
        {
            plan.look_at(seen.now + jiff::SignedDuration::from_secs(2));
            return Gate::new(
                Reason::BackendsLeft,
                "Waiting for the connections of the last attempt to end",
            );
        }
        plan.push(STAGE, Action::Migrate(Box::new(self.job)));
        Gate::new(self.running, self.doing)
    }

    fn fail(self, situation: &Situation<'_>, plan: &mut Plan, job: &Job) -> Gate {
        let words = pods(situation.seen, job).find_map(health::last_words);
        let why = words.map_or_else(|| failure(job), str::to_owned);
        let verdict = Verdict {
            reason: self.failed,
            message: format!("{} failed: {why}", self.what),
            at: Some(situation.seen.now),
        };
        let gate = Gate::new(verdict.reason, verdict.message.clone());
        let facts = Facts {
            given_up: Some(verdict),
            ..Facts::default()
        };
        situation.record_fact(plan, STAGE, &facts);
        gate
    }
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

/// A Job runs until it says that it ended, and as long as a pod of it is left.
#[must_use]
pub fn is_running(seen: &SeenEnvironment, job: &Job) -> bool {
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

/// Whether a pod runs no more.
#[must_use]
pub fn is_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// The pods that a Job made.
pub fn pods<'a>(seen: &'a SeenEnvironment, job: &'a Job) -> impl Iterator<Item = &'a Pod> {
    let uid = job.uid().unwrap_or_default();
    let pods = seen.children.pods.values().map(AsRef::as_ref);
    pods.filter(move |pod: &&Pod| pod.owner_references().iter().any(|owner| owner.uid == uid))
}

/// Whether a Job has ended like this.
#[must_use]
pub fn has_condition(job: &Job, condition: &str) -> bool {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|known| known.type_ == condition && known.status == "True")
}
