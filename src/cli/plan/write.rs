//! What one step of a pass does to the cluster, as people say it: create, patch, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use kube::ResourceExt;

use super::template::{self, Originals};
use super::{reason, rollout};
use crate::api::{ConditionType, labels};
use crate::build::shared;
use crate::caches::Kept;
use crate::plan::{Action, Change, Step};
use crate::revision::{Decided, Revision};
use crate::seen::{Hidden, SeenEnvironment};
use crate::simulate::words;

/// Something that is done, in one line, with lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// The stage that asks for it.
    pub(super) stage: ConditionType,
    /// What is done to which object, and what follows.
    pub(super) line: String,
    /// What differs about the object.
    pub(super) details: Vec<String>,
}

impl Write {
    /// The same, said to wait for no stage.
    pub(super) fn at_once(self) -> Self {
        let line = format!("at once: {}", self.line);
        Self { line, ..self }
    }
}

/// The write of a step; `None` for what the controller only notes for itself.
pub(super) fn of(step: &Step, seen: &SeenEnvironment, newest: Option<&Revision>) -> Option<Write> {
    let children = &seen.children;
    let (line, details) = match &step.action {
        Action::Record(_) | Action::Note(_) | Action::Announce(_) | Action::Enter(..) => {
            return None;
        }
        Action::Environment(change) => (
            format!("create Environment {}", change.object.name_any()),
            Vec::new(),
        ),
        Action::Preview(change) => (
            format!("create Preview {}", change.object.name_any()),
            Vec::new(),
        ),
        Action::Decide(object) => decided(object, seen),
        Action::Copy(map) => (
            format!(
                "create ConfigMap {}: a copy that rolls back with the code",
                map.name_any()
            ),
            Vec::new(),
        ),
        Action::Migrate(job) => (format!("create Job {}", job.name_any()), command(job)),
        Action::Invent { secret, .. } => (
            format!("create Secret {}: passwords are made up", secret.name_any()),
            Vec::new(),
        ),
        Action::Deployment(change) => deployment(change, seen, newest),
        Action::StatefulSet(change) => applied(change, &children.stateful_sets),
        Action::Service(change) => applied(change, &children.services),
        Action::NetworkPolicy(change) => applied(change, &children.network_policies),
        Action::EndpointSlice(change) => applied(change, &children.endpoint_slices),
        Action::Lease(change) => applied(change, &children.leases),
        Action::Budget(change) => applied(change, &children.budgets),
        Action::HttpRoute(change) => applied(change, &children.http_routes),
        Action::Ingress(change) => applied(change, &children.ingresses),
        Action::Volume(change) => applied(change, &children.volumes),
        Action::ConfigMap(change) => {
            let verb = verb(children.config_maps.contains_key(&change.object.name_any()));
            (
                format!(
                    "{verb} ConfigMap {}: the record of migrations",
                    change.object.name_any()
                ),
                Vec::new(),
            )
        }
        Action::Binding(Hidden(change)) => {
            let verb = verb(children.secrets.contains_key(&change.object.name_any()));
            (
                format!(
                    "{verb} Secret {}: the database's URLs",
                    change.object.name_any()
                ),
                Vec::new(),
            )
        }
        Action::Own { key, .. } => (
            format!("patch {} {}: its owner", key.kind, key.name),
            Vec::new(),
        ),
        // Its names are made of a uid that an Environment to come does not have yet.
        Action::Provide(_, wanted) if shared::is_made(wanted.database.as_str()) => (
            "make a database with two roles on the shared server".to_owned(),
            Vec::new(),
        ),
        Action::Provide(_, wanted) => {
            let roles = [&wanted.owner, &wanted.app].map(|role| role.name.as_str());
            let database = wanted.database.as_str();
            (
                format!("make database '{database}' with roles {}", roles.join(", ")),
                Vec::new(),
            )
        }
        Action::Drop(_, unwanted) => (
            match unwanted.only {
                Some(_) => "drop the database of before",
                None => "drop the database with its roles on the shared server",
            }
            .to_owned(),
            Vec::new(),
        ),
        Action::Hold {
            kind,
            name,
            finalizers,
            ..
        } => (
            format!("patch {kind} {name}: finalizers {}", finalizers.join(", ")),
            Vec::new(),
        ),
        Action::Delete { key, .. } => (format!("delete {} {}", key.kind, key.name), Vec::new()),
    };
    Some(Write {
        stage: step.stage,
        line,
        details,
    })
}

fn verb(is_there: bool) -> &'static str {
    if is_there { "patch" } else { "create" }
}

fn decided(object: &ControllerRevision, seen: &SeenEnvironment) -> (String, Vec<String>) {
    let line = format!("create ControllerRevision {}", object.name_any());
    match (seen.revisions.last(), Revision::read(object)) {
        (Some(known), Some(made)) => {
            let line = format!("{line}, which differs from revision {}", known.number);
            (line, reason::of(known, &made))
        }
        _ => (format!("{line}, the first one"), Vec::new()),
    }
}

fn command(job: &k8s_openapi::api::batch::v1::Job) -> Vec<String> {
    let Some(spec) = &job.spec else {
        return Vec::new();
    };
    let pod = spec.template.spec.as_ref();
    let command = pod.and_then(|pod| pod.containers.first()?.command.clone());
    let limit = spec.active_deadline_seconds.unwrap_or_default();
    let run = format!(
        "runs {} for at most {limit} s",
        command.unwrap_or_default().join(" ")
    );
    vec![
        run,
        "no pod of the revision starts before it succeeded".to_owned(),
    ]
}

fn applied<K: Kept>(change: &Change<K>, live: &BTreeMap<String, Arc<K>>) -> (String, Vec<String>) {
    let (kind, name) = (K::kind(&()), change.object.name_any());
    let live = live.get(&name);
    let line = format!("{} {kind} {name}", verb(live.is_some()));
    let details = live.map(|live| words::changes(change, live, &mut |_| None));
    let details = details.unwrap_or_default();
    // Its one pod is the database.
    let restarts = kind == "StatefulSet"
        && details
            .iter()
            .any(|detail| detail.starts_with("spec.template"));
    match restarts {
        true => (format!("{line}: the database restarts"), details),
        false => (line, details),
    }
}

fn deployment(
    change: &Change<Deployment>,
    seen: &SeenEnvironment,
    newest: Option<&Revision>,
) -> (String, Vec<String>) {
    let name = change.object.name_any();
    let live = seen.children.deployments.get(&name).map(AsRef::as_ref);
    let revisions: Vec<&Decided> = seen
        .revisions
        .iter()
        .chain(newest)
        .map(|revision| &revision.decided)
        .collect();
    let differs = match (
        live.and_then(|live| live.spec.as_ref()),
        &change.object.spec,
    ) {
        (Some(old), Some(new)) => {
            let originals = Originals::of(revisions.iter().copied());
            template::differences(
                &rendered(&old.template, &revisions),
                &new.template,
                &originals,
            )
        }
        _ => Vec::new(),
    };
    let sentence = rollout::sentence(&change.object, live, &differs);
    let line = format!("{} Deployment {name}: {sentence}", verb(live.is_some()));
    let mut details: Vec<String> = differs
        .into_iter()
        .map(|difference| difference.words)
        .collect();
    let foreign = change.live.iter().flat_map(|live| &live.foreign);
    let places = foreign.filter_map(|addition| addition.split_once(' '));
    details.extend(places.map(|(_, path)| format!("without {path}, which is not Towpath's")));
    (line, details)
}

/// The template of a live object as it was rendered, without what the apiserver and others wrote into it.
fn rendered(
    live: &k8s_openapi::api::core::v1::PodTemplateSpec,
    revisions: &[&Decided],
) -> k8s_openapi::api::core::v1::PodTemplateSpec {
    let labels = live
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let hash = labels.and_then(|labels| labels.get(labels::TEMPLATE));
    let mut known = revisions.iter().flat_map(|decided| &decided.components);
    let known = known.find(|known| Some(&known.hash) == hash);
    let Some(known) = known else {
        return live.clone();
    };
    let mut template = known.template.clone();
    let annotations = live
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.annotations.clone());
    template.metadata.get_or_insert_default().annotations = annotations;
    template
}
