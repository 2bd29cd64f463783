//! What a cluster does by itself, as small steps: kubelet, Deployments, StatefulSets, Jobs, garbage collection. Objects in,
//! deeds out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::store::{Key, Store, list, noted, number, text};

/// Something that the cluster does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Makes an object.
    Make(&'static str, Value),
    /// Writes a status.
    Status(Key, Value),
    /// Deletes an object.
    Delete(Key),
}

/// The images whose migration fails, and whose pods crash.
pub const FAILS: char = 'b';
pub const CRASHES: char = 'c';

/// The templates that each Deployment has had, in their order: what pods are named by.
pub type Templates = BTreeMap<String, Vec<String>>;

/// The next step of everything that is not at rest.
pub fn tick(store: &Store, templates: &mut Templates, now: Timestamp) -> Vec<Deed> {
    // A few at a time: who watches sees what is left in the meantime.
    let gone: Vec<Key> = store.orphans().into_iter().rev().take(5).collect();
    let pods = store.all("Pod").filter_map(|pod| kubelet(store, pod, now));
    let jobs = store.all("Job").flat_map(|job| migrate(store, job, now));
    let sets = store
        .all("StatefulSet")
        .filter_map(|set| one_pod(store, set));
    let mut deeds: Vec<Deed> = pods.chain(jobs).chain(sets).collect();
    for deployment in store.all("Deployment") {
        deeds.extend(roll(store, deployment, templates, now));
    }
    // A name that is taken is waited for.
    deeds.retain(|deed| match deed {
        Deed::Make(kind, object) => store.get(kind, name(object)).is_none(),
        Deed::Status(key, _) | Deed::Delete(key) => !gone.contains(key),
    });
    deeds.extend(gone.into_iter().map(Deed::Delete));
    deeds
}

/// When the cluster does something next, if nobody does anything.
pub fn next(store: &Store, now: Timestamp) -> Option<Timestamp> {
    let becoming = store
        .all("Pod")
        .filter_map(ready_since)
        .map(|since| since + MIN_READY);
    becoming.filter(|at| *at > now).min()
}

/// What the controller renders as `minReadySeconds`.
const MIN_READY: SignedDuration = SignedDuration::from_secs(5);

fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let mut conditions = list(object, "/status/conditions").iter();
    conditions.find(|condition| text(condition, "/type") == type_)
}

fn ready_since(pod: &Value) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| text(ready, "/status") == "True")?;
    text(ready, "/lastTransitionTime").parse().ok()
}

fn is_available(pod: &Value, now: Timestamp) -> bool {
    ready_since(pod).is_some_and(|since| since + MIN_READY <= now)
}

fn owned<'a>(store: &'a Store, owner: &'a Value) -> impl Iterator<Item = &'a Value> {
    let by = |pod: &&Value| {
        let mut owners = list(pod, "/metadata/ownerReferences").iter();
        owners.any(|known| text(known, "/uid") == uid(owner))
    };
    store.all("Pod").filter(by)
}

fn owner_of<'a>(store: &'a Store, pod: &Value) -> Option<&'a Value> {
    let reference = list(pod, "/metadata/ownerReferences").first()?;
    let mut all = store.objects().map(|(_, object)| object);
    all.find(|object| uid(object) == text(reference, "/uid"))
}

/// A pod of a workload's template.
fn pod(owner: &Value, kind: &str, api: &str, name: String, more: &Value) -> Deed {
    let mut metadata = owner
        .pointer("/spec/template/metadata")
        .cloned()
        .unwrap_or_default();
    metadata["name"] = json!(name);
    metadata["ownerReferences"] = json!([{
        "apiVersion": api, "kind": kind, "name": text(owner, "/metadata/name"), "uid": uid(owner), "controller": true,
    }]);
    for (key, value) in more.as_object().into_iter().flatten() {
        metadata["labels"][key] = value.clone();
    }
    Deed::Make(
        "Pod",
        json!({"metadata": metadata, "spec": owner.pointer("/spec/template/spec")}),
    )
}

/// Starts containers, and lets those end that end.
fn kubelet(store: &Store, pod: &Value, now: Timestamp) -> Option<Deed> {
    let container = pod.pointer("/spec/containers/0")?;
    let image = text(container, "/image");
    let migrates = noted(pod, "/metadata/labels", "towpath.dev/purpose") == "migration";
    let restarts = number(pod, "/status/containerStatuses/0/restartCount");
    let running = pod
        .pointer("/status/containerStatuses/0/state/running")
        .is_some();
    let fails = image.ends_with(FAILS);
    let crashes = image.ends_with(CRASHES) && !migrates;
    let at = seconds(now);
    let ended = |code: i64, words: &str| json!({"terminated": {"exitCode": code, "message": words, "startedAt": at, "finishedAt": at}});
    let (phase, ready, restarts, state, last) = match text(pod, "/status/phase") {
        "Pending" | "" => {
            let running = json!({"running": {"startedAt": at}});
            ("Running", !migrates && !crashes, 0, running, Value::Null)
        }
        "Running" if migrates && running && fails => (
            "Failed",
            false,
            0,
            ended(1, "relation \"carts\" does not exist"),
            Value::Null,
        ),
        "Running" if migrates && running => ("Succeeded", false, 0, ended(0, ""), Value::Null),
        "Running" if crashes && restarts == 0 => {
            let running = json!({"running": {"startedAt": at}});
            (
                "Running",
                false,
                1,
                running,
                ended(1, "KeyError: 'SMTP_HOST'"),
            )
        }
        "Running" if crashes && restarts == 1 => {
            let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            (
                "Running",
                false,
                2,
                waiting,
                ended(1, "KeyError: 'SMTP_HOST'"),
            )
        }
        _ => return None,
    };
    // A pod whose owner is gone goes with it.
    owner_of(store, pod)?;
    let status = json!({
        "phase": phase,
        "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": at}],
        "containerStatuses": [{
            "name": text(container, "/name"), "image": image, "imageID": image, "ready": ready, "restartCount": restarts,
            "state": state, "lastState": last,
        }],
    });
    Some(Deed::Status(("Pod", name(pod).to_owned()), status))
}

fn one_pod(store: &Store, set: &Value) -> Option<Deed> {
    let none = owned(store, set).next().is_none();
    none.then(|| {
        pod(
            set,
            "StatefulSet",
            "apps/v1",
            format!("{}-0", name(set)),
            &Value::Null,
        )
    })
}

fn migrate(store: &Store, job: &Value, now: Timestamp) -> Vec<Deed> {
    let key = ("Job", name(job).to_owned());
    let at = seconds(now);
    if text(job, "/status/startTime").is_empty() {
        let status = json!({"startTime": at, "active": 1});
        return vec![
            pod(
                job,
                "Job",
                "batch/v1",
                format!("{}-0", name(job)),
                &Value::Null,
            ),
            Deed::Status(key, status),
        ];
    }
    let ended = condition(job, "Complete").is_some() || condition(job, "Failed").is_some();
    let phase = owned(store, job)
        .map(|pod| text(pod, "/status/phase"))
        .next();
    let is = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": at, "lastProbeTime": at, "reason": type_});
    let status = match phase {
        Some("Succeeded") if !ended => json!({
            "active": 0, "ready": 0, "succeeded": 1, "completionTime": at, "uncountedTerminatedPods": {},
            "conditions": [is("SuccessCriteriaMet"), is("Complete")],
        }),
        Some("Failed") if !ended => json!({
            "active": 0, "ready": 0, "failed": 1, "uncountedTerminatedPods": {},
            "conditions": [is("FailureTarget"), is("Failed")],
        }),
        _ => return Vec::new(),
    };
    vec![Deed::Status(key, status)]
}

const TEMPLATE: &str = "pod-template-hash";

/// One step of a rolling update with a surge of a quarter, rounded up, and none unavailable.
fn roll(store: &Store, deployment: &Value, templates: &mut Templates, now: Timestamp) -> Vec<Deed> {
    let known = templates.entry(name(deployment).to_owned()).or_default();
    let template = deployment
        .pointer("/spec/template")
        .map(ToString::to_string)
        .unwrap_or_default();
    let generation = known.iter().position(|old| *old == template);
    let generation = generation.unwrap_or_else(|| {
        known.push(template);
        known.len() - 1
    });
    let hash = generation.to_string();
    let pods: Vec<&Value> = owned(store, deployment).collect();
    let is_new = |pod: &&&Value| noted(pod, "/metadata/labels", TEMPLATE) == hash;
    let (new, old): (Vec<&Value>, Vec<&Value>) = pods.iter().partition(|pod| is_new(&pod));
    let wanted = usize::try_from(number(deployment, "/spec/replicas")).expect("a number of pods");
    let most = wanted + wanted.div_ceil(4);
    let available = |pods: &[&Value]| pods.iter().filter(|pod| is_available(pod, now)).count();
    let mut deeds = Vec::new();
    if new.len() < wanted && pods.len() < most {
        let prefix = format!("{}-{hash}-", name(deployment));
        let free = (0..=wanted).find(|number| {
            new.iter()
                .all(|pod| name(pod) != format!("{prefix}{number}"))
        });
        deeds.push(pod(
            deployment,
            "Deployment",
            "apps/v1",
            format!("{prefix}{}", free.unwrap_or_default()),
            &json!({TEMPLATE: hash}),
        ));
    }
    deeds.extend(
        shrink(&new, &old, wanted, now).map(|pod| Deed::Delete(("Pod", name(pod).to_owned()))),
    );
    let ready = pods.iter().filter(|pod| ready_since(pod).is_some()).count();
    let status = json!({
        "observedGeneration": number(deployment, "/metadata/generation"), "replicas": pods.len(), "updatedReplicas": new.len(),
        "readyReplicas": ready, "availableReplicas": available(&pods),
    });
    let differs = |key: &String| {
        number(deployment, &format!("/status/{key}")) != number(&status, &format!("/{key}"))
    };
    let fields = status.as_object().expect("an object");
    if fields.keys().any(differs) {
        let key = ("Deployment", name(deployment).to_owned());
        deeds.push(Deed::Status(key, status));
    }
    deeds
}

/// The pod that may go: too many of the new ones, an old one that does not serve, or an old one that is replaced.
fn shrink<'a>(
    new: &[&'a Value],
    old: &[&'a Value],
    wanted: usize,
    now: Timestamp,
) -> Option<&'a Value> {
    if new.len() > wanted {
        return new.last().copied();
    }
    let available = new
        .iter()
        .chain(old)
        .filter(|pod| is_available(pod, now))
        .count();
    let idle = old.iter().find(|pod| !is_available(pod, now));
    let spare = old.iter().find(|_| available > wanted);
    idle.filter(|_| available >= wanted).or(spare).copied()
}

/// Kubernetes knows whole seconds only.
fn seconds(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second())
        .expect("a time")
        .to_string()
}
