//! The Job controller, for Jobs of one pod without another try.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::pods::{self, Name, is_leaving, phase};
use crate::simulate::effect::Effect;

/// The next step of a Job, if there is one now.
pub(super) fn step(job: &Job, pods: &[&Pod], now: Timestamp) -> Option<Effect> {
    let spec = job.spec.as_ref()?;
    let status = job.status.clone().unwrap_or_default();
    if status
        .conditions
        .iter()
        .flatten()
        .any(|known| known.status == "True")
    {
        return None;
    }
    let Some(begun) = &status.start_time else {
        let begun = JobStatus {
            start_time: Some(Time(now)),
            active: Some(1),
            ..status
        };
        return Some(tell(job, begun, "begins"));
    };
    let deadline = spec.active_deadline_seconds.map(SignedDuration::from_secs);
    let late = deadline.is_some_and(|deadline| now.duration_since(begun.0) >= deadline);
    let Some(pod) = pods.first() else {
        if late {
            return Some(end(job, status, "Failed", "DeadlineExceeded", now));
        }
        // A pod that was there and is gone counts as failed, and there is no other try.
        if status.ready.is_some() {
            return Some(end(job, status, "Failed", "BackoffLimitExceeded", now));
        }
        let prefix = Name::Prefix(format!("{}-", job.name_any()));
        return Some(Effect::MakePod(Box::new(pods::from_template(
            job,
            &spec.template,
            prefix,
        ))));
    };
    if status.ready.is_none() {
        return Some(tell(
            job,
            JobStatus {
                ready: Some(0),
                ..status
            },
            "has its pod",
        ));
    }
    match phase(pod) {
        "Succeeded" => Some(end(job, status, "Complete", "CompletionsReached", now)),
        "Failed" => Some(end(job, status, "Failed", "BackoffLimitExceeded", now)),
        _ if late && !is_leaving(pod) => Some(Effect::DeletePod {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        }),
        _ => None,
    }
}

fn end(job: &Job, status: JobStatus, type_: &str, reason: &str, now: Timestamp) -> Effect {
    let message = match reason {
        "DeadlineExceeded" => "Job was active longer than specified deadline",
        "BackoffLimitExceeded" => "Job has reached the specified backoff limit",
        _ => "Reached expected number of succeeded pods",
    };
    let condition = JobCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(Time(now)),
        ..JobCondition::default()
    };
    let complete = type_ == "Complete";
    let ended = JobStatus {
        active: None,
        succeeded: complete.then_some(1),
        failed: (!complete).then_some(1),
        completion_time: complete.then_some(Time(now)),
        conditions: Some(vec![condition]),
        ..status
    };
    tell(
        job,
        ended,
        if complete {
            "is complete"
        } else {
            "has failed"
        },
    )
}

fn tell(job: &Job, status: JobStatus, words: &str) -> Effect {
    let status = Some(status);
    Effect::Job(
        Box::new(Job {
            status,
            ..job.clone()
        }),
        words.to_owned(),
    )
}
