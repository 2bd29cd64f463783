//! The Deployment controller, with its ReplicaSets left out: pods of the present template and of earlier ones.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::pods::{self, Name, is_available, is_leaving, is_ready, template_hash, template_of};
use crate::simulate::effect::Effect;
use crate::simulate::script::Script;

/// A Deployment and its pods.
struct State<'a> {
    deployment: &'a Deployment,
    spec: &'a DeploymentSpec,
    /// Pods of the present template.
    new: Vec<&'a Pod>,
    /// Pods of earlier templates.
    old: Vec<&'a Pod>,
    /// Pods on their way out.
    leaving: usize,
    now: Timestamp,
}

/// What a Deployment does next: it scales by one pod, and tells how far it is.
pub(super) fn steps(
    deployment: &Deployment,
    pods: &[&Pod],
    script: &Script,
    now: Timestamp,
) -> Vec<Effect> {
    let Some(spec) = &deployment.spec else {
        return Vec::new();
    };
    let hash = template_hash(&spec.template);
    let staying = pods.iter().copied().filter(|pod| !is_leaving(pod));
    let (new, old): (Vec<_>, Vec<_>) = staying.partition(|pod| template_of(pod) == hash);
    let leaving = pods.len() - new.len() - old.len();
    let state = State {
        deployment,
        spec,
        new,
        old,
        leaving,
        now,
    };
    let refused = script
        .quota
        .as_ref()
        .filter(|_| matches!(state.scale(), Some(Effect::MakePod(_))));
    let scaled = state.scale().filter(|_| refused.is_none());
    state.tell(refused).into_iter().chain(scaled).collect()
}

impl State<'_> {
    fn wanted(&self) -> usize {
        usize::try_from(self.spec.replicas.unwrap_or(1)).unwrap_or_default()
    }

    fn available(&self, pods: &[&Pod]) -> usize {
        let seconds = i64::from(self.spec.min_ready_seconds.unwrap_or_default());
        pods.iter()
            .filter(|pod| is_available(pod, seconds, self.now))
            .count()
    }

    fn scale(&self) -> Option<Effect> {
        if self.spec.paused == Some(true) {
            return None;
        }
        if self.new.len() > self.wanted() {
            return self.worst(&self.new).map(delete);
        }
        let strategy = self.spec.strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
            return self.recreate();
        }
        self.roll()
    }

    /// Old pods end first; new ones start when the last is gone.
    fn recreate(&self) -> Option<Effect> {
        match self.old.first() {
            Some(old) => Some(delete(old)),
            None if self.leaving > 0 && self.new.is_empty() => None,
            None => (self.new.len() < self.wanted()).then(|| self.make()),
        }
    }

    /// One more new pod, as far as the surge allows, or one old pod less, as far as enough are available.
    fn roll(&self) -> Option<Effect> {
        let rolling = self
            .spec
            .strategy
            .as_ref()
            .and_then(|strategy| strategy.rolling_update.as_ref());
        let surge = share(
            rolling.and_then(|rolling| rolling.max_surge.as_ref()),
            self.wanted(),
            true,
        );
        let missing = share(
            rolling.and_then(|rolling| rolling.max_unavailable.as_ref()),
            self.wanted(),
            false,
        );
        let total = self.new.len() + self.old.len();
        if self.new.len() < self.wanted() && total < self.wanted() + surge {
            return Some(self.make());
        }
        let least = self.wanted().saturating_sub(missing);
        let unavailable = self.new.len() - self.available(&self.new);
        if self.old.is_empty() || total <= least + unavailable {
            return None;
        }
        // Those that are not available cost nothing.
        let seconds = i64::from(self.spec.min_ready_seconds.unwrap_or_default());
        if let Some(broken) = self
            .old
            .iter()
            .find(|pod| !is_available(pod, seconds, self.now))
        {
            return Some(delete(broken));
        }
        let available = self.available(&self.old) + self.available(&self.new);
        (available > least)
            .then(|| self.worst(&self.old).map(delete))
            .flatten()
    }

    fn make(&self) -> Effect {
        let prefix = Name::Prefix(format!("{}-", self.deployment.name_any()));
        Effect::MakePod(Box::new(pods::from_template(
            self.deployment,
            &self.spec.template,
            prefix,
        )))
    }

    /// The pod to lose first: not ready, then youngest.
    fn worst<'p>(&self, pods: &[&'p Pod]) -> Option<&'p Pod> {
        pods.iter()
            .copied()
            .min_by_key(|pod| (is_ready(pod), std::cmp::Reverse(pod.creation_timestamp())))
    }

    fn tell(&self, refused: Option<&String>) -> Option<Effect> {
        let all: Vec<&Pod> = self.new.iter().chain(&self.old).copied().collect();
        let count = |number: usize| Some(i32::try_from(number).unwrap_or(i32::MAX));
        let available = self.available(&all);
        let status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: count(all.len()),
            updated_replicas: count(self.new.len()),
            ready_replicas: count(all.iter().filter(|pod| is_ready(pod)).count()),
            available_replicas: count(available),
            unavailable_replicas: count(self.wanted().max(all.len()) - available),
            conditions: refused.map(|why| vec![failure(why)]),
            ..DeploymentStatus::default()
        };
        (self.deployment.status.as_ref() != Some(&status)).then(|| {
            let status = Some(status);
            Effect::Deployment(Box::new(Deployment {
                status,
                ..self.deployment.clone()
            }))
        })
    }
}

fn failure(why: &str) -> DeploymentCondition {
    DeploymentCondition {
        type_: "ReplicaFailure".to_owned(),
        status: "True".to_owned(),
        reason: Some("FailedCreate".to_owned()),
        message: Some(format!("pods \"x\" is forbidden: {why}")),
        ..DeploymentCondition::default()
    }
}

fn delete(pod: &Pod) -> Effect {
    Effect::DeletePod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
    }
}

/// A number of pods, or a share of those that are wanted.
fn share(amount: Option<&IntOrString>, of: usize, up: bool) -> usize {
    match amount {
        Some(IntOrString::Int(number)) => usize::try_from(*number).unwrap_or_default(),
        Some(IntOrString::String(percent)) => {
            let percent: usize = percent.trim_end_matches('%').parse().unwrap_or(25);
            if up {
                (of * percent).div_ceil(100)
            } else {
                of * percent / 100
            }
        }
        None => 0,
    }
}
