//! A dedicated PostgreSQL: StatefulSet of one pod, Service, credentials. Its rendering changes only with its spec, so that a
//! newer controller does not restart it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, ExecAction, Lifecycle,
    LifecycleHandler, PersistentVolumeClaimVolumeSource, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, Secret, SecretVolumeSource, SecurityContext, Service, ServiceSpec,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;

use super::metadata::Of;
use super::{hash, names, pod, service};
use crate::api::app::SecurityProfile;
use crate::api::environment::Dedicated;
use crate::api::{Environment, labels};

/// Port of the server.
pub const PORT: u16 = 5432;
/// Name of the database.
pub const DATABASE: &str = "app";
/// The role that owns the schema and migrates.
pub const OWNER: &str = "owner";
/// The role that reads and writes.
pub const APP: &str = "app";
/// The role that makes the other two; its password leaves the Environment's namespace never.
pub const ADMIN: &str = "postgres";
/// Keys of the credentials Secret.
pub const PASSWORDS: [&str; 3] = ["admin", "owner", "app"];

/// User and group of PostgreSQL's official images.
const USER: i64 = 999;
const DATA: &str = "/var/lib/postgresql/data";
const CREDENTIALS: &str = "/etc/towpath/credentials";

/// Whether a database or a role of this name can have been made here.
#[must_use]
pub fn is_made(name: &str) -> bool {
    name == OWNER || names::nth_of(DATABASE, '_', name).is_some()
}

/// The Secret of the passwords, still without them.
#[must_use]
pub fn credentials(environment: &Environment) -> Secret {
    let mut metadata = Of::environment(environment).data(names::postgres(&environment.name_any()));
    metadata
        .labels
        .get_or_insert_default()
        .insert(labels::PURPOSE.to_owned(), "credentials".to_owned());
    Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// Where apps find the database.
#[must_use]
pub fn host(environment: &Environment) -> String {
    let namespace = environment.namespace().unwrap_or_default();
    format!(
        "{}.{namespace}.svc",
        names::postgres(&environment.name_any())
    )
}

/// The Service of the database.
#[must_use]
pub fn service(environment: &Environment) -> Service {
    Service {
        metadata: Of::environment(environment).owned(names::postgres(&environment.name_any())),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector(environment)),
            ports: Some(vec![service::port_of("postgres", i32::from(PORT))]),
            session_affinity: Some("None".to_owned()),
            internal_traffic_policy: Some("Cluster".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// What decides the rendering of the StatefulSet; while it is the same, what stands is left as it is.
#[must_use]
pub fn inputs(dedicated: &Dedicated, image: &str) -> String {
    hash::of(&(&dedicated.version, &dedicated.resources, image), 16)
}

/// The StatefulSet of the database.
#[must_use]
pub fn stateful_set(environment: &Environment, dedicated: &Dedicated, image: &str) -> StatefulSet {
    let name = names::postgres(&environment.name_any());
    let mut metadata = Of::environment(environment).owned(name.clone());
    metadata.annotations = Some(BTreeMap::from([(
        labels::RENDERING.to_owned(),
        inputs(dedicated, image),
    )]));
    let mut own = Of::environment(environment).labels();
    own.extend(selector(environment));
    let template = ObjectMeta {
        labels: Some(own),
        ..ObjectMeta::default()
    };
    StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(name.clone()),
            selector: LabelSelector {
                match_labels: Some(selector(environment)),
                match_expressions: None,
            },
            template: PodTemplateSpec {
                metadata: Some(template),
                spec: Some(pod_spec(&name, dedicated, image)),
            },
            pod_management_policy: Some("OrderedReady".to_owned()),
            revision_history_limit: Some(1),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn selector(environment: &Environment) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::ENVIRONMENT.to_owned(), environment.name_any()),
        (labels::PURPOSE.to_owned(), "database".to_owned()),
    ])
}

fn pod_spec(name: &str, dedicated: &Dedicated, image: &str) -> PodSpec {
    let mut security = pod::pod_security(SecurityProfile::Restricted);
    security.run_as_user = Some(USER);
    security.run_as_group = Some(USER);
    security.fs_group = Some(USER);
    security.fs_group_change_policy = Some("OnRootMismatch".to_owned());
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(dedicated, image)],
        dns_policy: Some("ClusterFirst".to_owned()),
        enable_service_links: Some(false),
        restart_policy: Some("Always".to_owned()),
        scheduler_name: Some("default-scheduler".to_owned()),
        security_context: Some(security),
        termination_grace_period_seconds: Some(120),
        volumes: Some(volumes(name)),
        ..PodSpec::default()
    }
}

fn container(dedicated: &Dedicated, image: &str) -> Container {
    let variable = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    let folder = format!("{DATA}/pgdata");
    Container {
        name: "postgres".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        env: Some(vec![
            variable("PGDATA", folder.clone()),
            variable("POSTGRES_PASSWORD_FILE", format!("{CREDENTIALS}/admin")),
        ]),
        ports: Some(vec![ContainerPort {
            name: Some("postgres".to_owned()),
            container_port: i32::from(PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // A smart shutdown would wait for the app's connections until the pod is killed.
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: exec(&["pg_ctl", "stop", "-D", &folder, "-m", "fast", "-t", "100"]),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        startup_probe: Some(ready_probe(2, 150)),
        readiness_probe: Some(ready_probe(5, 3)),
        resources: Some(resources(dedicated)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        termination_message_path: Some("/dev/termination-log".to_owned()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(vec![
            mount("data", DATA),
            VolumeMount {
                read_only: Some(true),
                ..mount("credentials", CREDENTIALS)
            },
            mount("run", "/var/run/postgresql"),
            mount("tmp", "/tmp"),
        ]),
        ..Container::default()
    }
}

fn ready_probe(period: i32, failures: i32) -> Probe {
    Probe {
        exec: exec(&["pg_isready", "-h", "127.0.0.1", "-U", ADMIN]),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        success_threshold: Some(1),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn exec(command: &[&str]) -> Option<ExecAction> {
    Some(ExecAction {
        command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
    })
}

fn resources(dedicated: &Dedicated) -> ResourceRequirements {
    if dedicated.resources.is_some() {
        return pod::resources(dedicated.resources.as_ref());
    }
    let small = [("cpu", "50m"), ("memory", "128Mi")];
    ResourceRequirements {
        requests: Some(
            small
                .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
                .into(),
        ),
        ..ResourceRequirements::default()
    }
}

fn volumes(name: &str) -> Vec<Volume> {
    let scratch = |name: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    vec![
        Volume {
            name: "data".to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: name.to_owned(),
                read_only: None,
            }),
            ..Volume::default()
        },
        Volume {
            name: "credentials".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(name.to_owned()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
        scratch("run"),
        scratch("tmp"),
    ]
}
