//! The StatefulSet controller, for sets of one pod.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::owned_by;
use super::pods::{self, Name, is_leaving, is_ready, template_hash, template_of};
use crate::simulate::effect::Effect;

/// What a StatefulSet does next.
pub(super) fn steps(set: &StatefulSet, all: &[&Pod]) -> Vec<Effect> {
    let pods = owned_by(all, set);
    // A pod of the same name that was another set's must go first.
    let taken = pods.is_empty() && all.iter().any(|pod| pod.name_any() == first(set));
    let scaled = scale(set, &pods).filter(|_| !taken);
    tell(set, &pods).into_iter().chain(scaled).collect()
}

/// The name of its pod.
fn first(set: &StatefulSet) -> String {
    format!("{}-0", set.name_any())
}

fn scale(set: &StatefulSet, pods: &[&Pod]) -> Option<Effect> {
    let spec = set.spec.as_ref()?;
    let none = spec.replicas == Some(0);
    match pods.first() {
        None if none => None,
        None => {
            let name = Name::Fixed(first(set));
            let pod = pods::from_template(set, &spec.template, name);
            Some(Effect::MakePod(Box::new(pod)))
        }
        Some(pod)
            if !is_leaving(pod) && (none || template_of(pod) != template_hash(&spec.template)) =>
        {
            Some(Effect::DeletePod {
                name: pod.name_any(),
                uid: pod.uid().unwrap_or_default(),
            })
        }
        Some(_) => None,
    }
}

fn tell(set: &StatefulSet, pods: &[&Pod]) -> Option<Effect> {
    let ready = i32::from(pods.iter().any(|pod| is_ready(pod)));
    let status = StatefulSetStatus {
        observed_generation: set.metadata.generation,
        replicas: i32::from(!pods.is_empty()),
        ready_replicas: Some(ready),
        available_replicas: Some(ready),
        ..StatefulSetStatus::default()
    };
    (set.status.as_ref() != Some(&status)).then(|| {
        let status = Some(status);
        Effect::StatefulSet(Box::new(StatefulSet {
            status,
            ..set.clone()
        }))
    })
}
