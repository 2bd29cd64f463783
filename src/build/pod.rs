//! Pod templates of components and of the migration, as they are stored in a revision.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, Lifecycle, LifecycleHandler,
    LocalObjectReference, PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec,
    PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext, SleepAction,
    Toleration, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;

use super::metadata::Of;
use super::{hash, names, probes};
use crate::api::app::{AppSpec, Component, SecurityProfile, TaintEffect, TolerationOperator};
use crate::api::shared::{ResourceList, Resources};
use crate::api::{Environment, labels};

/// How long a pod that takes requests goes on serving while routes and Services forget it, in seconds.
const FORGOTTEN_SECONDS: i32 = 5;
/// The group that owns volumes, so that an image's user can write them whoever it is.
const VOLUME_GROUP: i64 = 65532;

/// What a template is rendered from.
#[derive(Clone, Debug)]
pub struct Template<'a> {
    /// The Environment it is for.
    pub environment: &'a Environment,
    /// The App.
    pub app: &'a AppSpec,
    /// The component, with the Environment's overrides.
    pub component: &'a Component,
    /// Its image, by digest.
    pub image: &'a str,
    /// Its variables, references resolved to copies and Secrets.
    pub env: Vec<EnvVar>,
    /// Its sources of variables.
    pub env_from: Vec<k8s_openapi::api::core::v1::EnvFromSource>,
}

impl Template<'_> {
    /// The template of the component's pods, and its hash.
    #[must_use]
    pub fn component(self) -> (PodTemplateSpec, String) {
        let of = Of::component(self.environment, &self.component.name);
        let mut container = self.container();
        let probes = probes::of(self.component);
        container.startup_probe = probes.startup;
        container.readiness_probe = probes.readiness;
        container.liveness_probe = probes.liveness;
        container.ports = self.component.port.map(|port| {
            vec![ContainerPort {
                container_port: port,
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            }]
        });
        let serves = self.component.port.is_some();
        container.lifecycle = serves.then(forget_first);
        container.volume_mounts = self.mounts();
        let spec = PodSpec {
            containers: vec![container],
            restart_policy: Some("Always".to_owned()),
            termination_grace_period_seconds: Some(grace_seconds(self.component)),
            topology_spread_constraints: Some(vec![self.spread()]),
            volumes: self.volumes(),
            ..self.pod()
        };
        finish(of.labels(), spec)
    }

    /// The template of the migration's pod, and its hash.
    #[must_use]
    pub fn migration(self, command: &[String]) -> (PodTemplateSpec, String) {
        self.once("migration", "migrate", command)
    }

    /// The template of the pod that fills a new database, and its hash.
    #[must_use]
    pub fn seed(self, command: &[String]) -> (PodTemplateSpec, String) {
        self.once("seed", "seed", command)
    }

    /// A pod that runs a command to its end.
    fn once(self, purpose: &str, name: &str, command: &[String]) -> (PodTemplateSpec, String) {
        let mut labels = Of::environment(self.environment).labels();
        labels.insert(labels::PURPOSE.to_owned(), purpose.to_owned());
        let mut container = self.container();
        container.command = Some(command.to_vec());
        container.args = None;
        let spec = PodSpec {
            containers: vec![Container {
                name: name.to_owned(),
                ..container
            }],
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(30),
            ..self.pod()
        };
        finish(labels, spec)
    }

    fn container(&self) -> Container {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        Container {
            name: self.component.name.clone(),
            image: Some(self.image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: some(&self.component.command),
            args: some(&self.component.args),
            env: (!self.env.is_empty()).then(|| self.env.clone()),
            env_from: (!self.env_from.is_empty()).then(|| self.env_from.clone()),
            resources: Some(resources(self.component.resources.as_ref())),
            security_context: Some(container_security(self.app.security_profile)),
            termination_message_path: Some("/dev/termination-log".to_owned()),
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            ..Container::default()
        }
    }

    fn pod(&self) -> PodSpec {
        let account = self.app.service_account_name.clone();
        let pull = &self.app.image_pull_secrets;
        let mut security = pod_security(self.app.security_profile);
        if !self.component.volumes.is_empty() {
            security.fs_group = Some(VOLUME_GROUP);
            security.fs_group_change_policy = Some("OnRootMismatch".to_owned());
        }
        PodSpec {
            automount_service_account_token: Some(account.is_some()),
            dns_policy: Some("ClusterFirst".to_owned()),
            enable_service_links: Some(false),
            image_pull_secrets: (!pull.is_empty()).then(|| {
                pull.iter()
                    .map(|secret| LocalObjectReference {
                        name: secret.name.clone(),
                    })
                    .collect()
            }),
            node_selector: (!self.app.node_selector.is_empty())
                .then(|| self.app.node_selector.clone()),
            scheduler_name: Some("default-scheduler".to_owned()),
            security_context: Some(security),
            service_account: account.clone(),
            service_account_name: account,
            tolerations: tolerations(self.app),
            ..PodSpec::default()
        }
    }

    /// Pods of a component rather stand on different nodes.
    fn spread(&self) -> TopologySpreadConstraint {
        TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(LabelSelector {
                match_labels: Some(BTreeMap::from([
                    (labels::ENVIRONMENT.to_owned(), self.environment.name_any()),
                    (labels::COMPONENT.to_owned(), self.component.name.clone()),
                ])),
                match_expressions: None,
            }),
            ..TopologySpreadConstraint::default()
        }
    }

    fn mounts(&self) -> Option<Vec<VolumeMount>> {
        let mount = |volume: &crate::api::app::Volume| VolumeMount {
            name: volume.name.clone(),
            mount_path: volume.path.clone(),
            ..VolumeMount::default()
        };
        let volumes = &self.component.volumes;
        (!volumes.is_empty()).then(|| volumes.iter().map(mount).collect())
    }

    fn volumes(&self) -> Option<Vec<Volume>> {
        let environment = self.environment.name_any();
        let volume = |volume: &crate::api::app::Volume| Volume {
            name: volume.name.clone(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: names::volume(&environment, &self.component.name, &volume.name),
                read_only: None,
            }),
            ..Volume::default()
        };
        let volumes = &self.component.volumes;
        (!volumes.is_empty()).then(|| volumes.iter().map(volume).collect())
    }
}

/// How long the pods of a component may take to end: first they are forgotten, then they drain.
#[must_use]
pub fn grace_seconds(component: &Component) -> i64 {
    let forgotten = component.port.map_or(0, |_| FORGOTTEN_SECONDS);
    i64::from(component.drain_seconds.max(1) + forgotten)
}

/// Labels the template with its own hash, so that pods of two templates can be told apart.
fn finish(mut labels: BTreeMap<String, String>, spec: PodSpec) -> (PodTemplateSpec, String) {
    let hash = hash::of(&(&labels, &spec), 10);
    labels.insert(labels::TEMPLATE.to_owned(), hash.clone());
    let metadata = ObjectMeta {
        labels: Some(labels),
        ..ObjectMeta::default()
    };
    (
        PodTemplateSpec {
            metadata: Some(metadata),
            spec: Some(spec),
        },
        hash,
    )
}

fn forget_first() -> Lifecycle {
    let sleep = SleepAction {
        seconds: i64::from(FORGOTTEN_SECONDS),
    };
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(sleep),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}

/// The security context of a pod under a profile.
#[must_use]
pub fn pod_security(profile: SecurityProfile) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: (profile == SecurityProfile::Restricted).then_some(true),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// The security context of a container under a profile.
#[must_use]
pub fn container_security(profile: SecurityProfile) -> SecurityContext {
    let restricted = profile == SecurityProfile::Restricted;
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: restricted.then(|| Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

/// Requests and limits as Kubernetes has them.
#[must_use]
pub fn resources(resources: Option<&Resources>) -> ResourceRequirements {
    let list = |list: Option<&ResourceList>| {
        let list = list?;
        let amounts = [
            ("cpu", &list.cpu),
            ("memory", &list.memory),
            ("ephemeral-storage", &list.ephemeral_storage),
        ];
        let amounts: BTreeMap<_, _> = amounts
            .into_iter()
            .filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount.clone()?))))
            .collect();
        (!amounts.is_empty()).then_some(amounts)
    };
    ResourceRequirements {
        requests: list(resources.and_then(|both| both.requests.as_ref())),
        limits: list(resources.and_then(|both| both.limits.as_ref())),
        claims: None,
    }
}

fn tolerations(app: &AppSpec) -> Option<Vec<Toleration>> {
    let tolerate = |toleration: &crate::api::app::Toleration| Toleration {
        key: toleration.key.clone(),
        operator: toleration.operator.map(|operator| {
            match operator {
                TolerationOperator::Equal => "Equal",
                TolerationOperator::Exists => "Exists",
            }
            .to_owned()
        }),
        value: toleration.value.clone(),
        effect: toleration.effect.map(|effect| {
            match effect {
                TaintEffect::NoSchedule => "NoSchedule",
                TaintEffect::PreferNoSchedule => "PreferNoSchedule",
                TaintEffect::NoExecute => "NoExecute",
            }
            .to_owned()
        }),
        toleration_seconds: None,
    };
    (!app.tolerations.is_empty()).then(|| app.tolerations.iter().map(tolerate).collect())
}
