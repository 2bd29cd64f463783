//! The steps of the simulation's actors (kubelet, Deployments, StatefulSets, Jobs, garbage collection) as requests to a real
//! apiserver.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use towpath::simulate::actors::{self, Answers};
use towpath::simulate::script::Script;
use towpath::simulate::store::{Stored, value};
use towpath::simulate::{self, Build, Effect, Migrates, Runs};

use crate::store::{Key, Kind};

/// The images whose migration fails, and whose pods crash.
pub const FAILS: char = 'b';
pub const CRASHES: char = 'c';

/// What the images of a run do.
pub fn script(image: impl Fn(char) -> String) -> Script {
    let mut script = Script::default();
    let fails = Build {
        migrates: Migrates::Fails,
        ..Build::default()
    };
    let crashes = Build {
        runs: Runs::Crashes,
        ..Build::default()
    };
    script.set(image(FAILS), fails);
    script.set(image(CRASHES), crashes);
    script
}

/// Everything that the cluster does next.
pub fn possible(seen: &simulate::Store, script: &Script) -> Vec<Effect> {
    actors::possible(seen, script, &Answers::default())
}

/// When the cluster does something next, if nobody does anything.
pub fn next(seen: &mut simulate::Store, script: &Script) -> Option<Timestamp> {
    let now = seen.now;
    let soon = [1, 2, 3, 5, 10, 20, 40];
    let mut times = soon
        .map(|seconds| now + SignedDuration::from_secs(seconds))
        .into_iter();
    let next = times.find(|at| {
        seen.now = *at;
        !possible(seen, script).is_empty()
    });
    seen.now = now;
    next
}

/// A request to the apiserver.
pub struct Request {
    /// How.
    pub method: Method,
    /// Of which kind.
    pub kind: Kind,
    /// Name and part; empty for a new object.
    pub rest: String,
    /// What.
    pub body: Value,
}

/// The request that lets a step happen.
pub fn request(effect: &Effect, seen: &simulate::Store) -> Request {
    match effect {
        Effect::MakePod(pod) => {
            let mut body = value(&**pod);
            // On a node a pod that is deleted drains first.
            body["spec"]["nodeName"] = json!("node");
            Request {
                method: Method::POST,
                kind: Kind::of("Pod"),
                rest: String::new(),
                body: Kind::of("Pod").typed(body),
            }
        }
        Effect::DeletePod { name, uid } => {
            delete("Pod", name, json!({"preconditions": {"uid": uid}}))
        }
        Effect::Collect { kind, name, uid } => {
            delete(kind, name, json!({"preconditions": {"uid": uid}}))
        }
        Effect::PodGone(name) => delete("Pod", name, json!({"gracePeriodSeconds": 0})),
        Effect::Pod(pod, _) => status("Pod", &**pod, seen),
        Effect::Deployment(deployment) => status("Deployment", &**deployment, seen),
        Effect::StatefulSet(set) => status("StatefulSet", &**set, seen),
        Effect::Job(job, _) => status("Job", &**job, seen),
        Effect::HttpRoute(_) => unreachable!("no run has a Gateway"),
    }
}

/// The object that a step is about, if it was there before.
pub fn about(effect: &Effect) -> Option<Key> {
    let (kind, name) = match effect {
        Effect::MakePod(_) | Effect::HttpRoute(_) => return None,
        Effect::DeletePod { name, .. } | Effect::PodGone(name) => ("Pod", name.clone()),
        Effect::Collect { kind, name, .. } => (Kind::of(kind).name, name.clone()),
        Effect::Pod(pod, _) => ("Pod", name_of(&**pod)),
        Effect::Deployment(deployment) => ("Deployment", name_of(&**deployment)),
        Effect::StatefulSet(set) => ("StatefulSet", name_of(&**set)),
        Effect::Job(job, _) => ("Job", name_of(&**job)),
    };
    Some((kind, name))
}

fn name_of<K: Stored>(object: &K) -> String {
    object.meta().name.clone().unwrap_or_default()
}

/// In the background: without this word a Job leaves its pods behind.
pub fn delete(kind: &str, name: &str, mut body: Value) -> Request {
    body["propagationPolicy"] = json!("Background");
    Request {
        method: Method::DELETE,
        kind: Kind::of(kind),
        rest: format!("/{name}"),
        body,
    }
}

fn status<K: Stored>(kind: &str, object: &K, seen: &simulate::Store) -> Request {
    let name = name_of(object);
    let of = |object: &K| value(object).get("status").cloned().unwrap_or_default();
    let before = K::all(seen).get(&name).map(|live| of(live));
    let mut status = with_signs(of(object));
    // In a merge patch what is not named stays.
    let missing = |key: &&String| status.get(key.as_str()).is_none();
    let known = before
        .iter()
        .filter_map(Value::as_object)
        .flat_map(Map::keys);
    let gone: Vec<String> = known.filter(missing).cloned().collect();
    for key in gone {
        status[key] = Value::Null;
    }
    Request {
        method: Method::PATCH,
        kind: Kind::of(kind),
        rest: format!("/{name}/status"),
        body: json!({"status": status}),
    }
}

/// A Job says how it will end before it says that it has ended: the apiserver insists.
fn with_signs(mut status: Value) -> Value {
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    let Some(conditions) = conditions else {
        return status;
    };
    let ends = [
        ("Complete", "SuccessCriteriaMet"),
        ("Failed", "FailureTarget"),
    ];
    let sign = ends.iter().find_map(|(end, sign)| {
        let ended = conditions
            .iter()
            .find(|condition| condition["type"] == *end)?;
        let mut before = ended.clone();
        before["type"] = json!(sign);
        Some(before)
    });
    if let Some(sign) = sign {
        conditions.insert(0, sign);
    }
    status
}
