//! The StatefulSet controller, for sets of one pod.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::pods::{self, Name, is_leaving, is_ready, template_hash, template_of};
use crate::simulate::effect::Effect;

/// What a StatefulSet does next.
pub(super) fn steps(set: &StatefulSet, pods: &[&Pod]) -> Vec<Effect> {
    tell(set, pods)
        .into_iter()
        .chain(scale(set, pods))
        .collect()
}

fn scale(set: &StatefulSet, pods: &[&Pod]) -> Option<Effect> {
    let spec = set.spec.as_ref()?;
    match pods.first() {
        None => {
            let name = Name::Fixed(format!("{}-0", set.name_any()));
            let pod = pods::from_template(set, &spec.template, name);
            Some(Effect::MakePod(Box::new(pod)))
        }
        Some(pod) if !is_leaving(pod) && template_of(pod) != template_hash(&spec.template) => {
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
