//! Hashes of the Secret values that pods read: a changed value restarts them, once, when no release is on its way.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{PodSpec, SecretKeySelector};
use kube::ResourceExt;

use super::Plan;
use super::situation::Situation;
use crate::build::{hash, names};
use crate::seen::{Seen, SeenEnvironment};

/// A changed Secret restarts what reads it at most this often.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// The hash to lay over a template that runs already; with the time, if that restarts it.
pub(super) fn due(
    situation: &Situation<'_>,
    plan: &mut Plan,
    fresh: Option<String>,
    present: Option<String>,
    last: Option<&str>,
) -> (Option<String>, Option<Timestamp>) {
    if !is_changed(fresh.as_deref(), present.as_deref()) || situation.under_way() {
        return (present, None);
    }
    let now = situation.seen.now;
    let next = last
        .and_then(|last| last.parse::<Timestamp>().ok())
        // A time that is still to come was written by a clock that went wrong.
        .filter(|last| *last <= now)
        .map(|last| last + PERIOD);
    match next.filter(|next| *next > now) {
        Some(next) => {
            plan.look_at(next);
            (present, None)
        }
        None => (fresh, Some(now)),
    }
}

/// Whether a value changed, as far as anybody can tell.
fn is_changed(fresh: Option<&str>, present: Option<&str>) -> bool {
    let Some(fresh) = fresh.map(Hashes::read) else {
        return false;
    };
    let Some(present) = present.map(Hashes::read) else {
        return !fresh.named.is_empty();
    };
    // Hashed by another key: nobody can tell whether the value changed.
    let same_key = fresh.key == present.key;
    // Pods that started before the binding was known, and a binding that is made again just now, tell nothing.
    let bound = !fresh.binding.is_empty() && !present.binding.is_empty();
    same_key && (fresh.named != present.named || bound && fresh.binding != present.binding)
}

/// The parts of what lies over a template; a part that there is nothing of is empty.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hashes<'a> {
    /// Identifies the key that hashed the values.
    key: &'a str,
    /// Of the Secrets that are named.
    named: &'a str,
    /// Of the binding of a dedicated database.
    binding: &'a str,
}

impl<'a> Hashes<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split('.');
        let mut part = || parts.next().unwrap_or_default();
        Self {
            key: part(),
            named: part(),
            binding: part(),
        }
    }
}

/// The keyed hash of every Secret value that pods read. `None`: they read none, or one of them is not known now.
#[must_use]
pub fn hash(seen: &SeenEnvironment, pods: &PodSpec) -> Option<String> {
    let environment = seen.environment.name_any();
    let mut hashed_by = None;
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut binding: BTreeMap<String, String> = BTreeMap::new();
    for key in keys(pods) {
        let (secret, values) = match seen.secrets.get(&key.name) {
            Some(Seen::Found(secret)) => (secret, &mut named),
            // It is made here, and changes with its database.
            _ if names::incarnation(&environment, &key.name).is_some() => {
                match seen.bindings.get(&key.name) {
                    Some(secret) => (secret, &mut binding),
                    None => continue,
                }
            }
            _ if seen.children.secrets.contains_key(&key.name) => continue,
            _ => return None,
        };
        hashed_by = Some(&secret.hashed_by);
        values.insert(
            format!("{}/{}", key.name, key.key),
            secret.keys.get(&key.key)?.clone(),
        );
    }
    for name in sources(pods) {
        let Some(Seen::Found(secret)) = seen.secrets.get(name) else {
            return None;
        };
        hashed_by = Some(&secret.hashed_by);
        let keys = secret.keys.iter();
        named.extend(keys.map(|(key, hash)| (format!("{name}/{key}"), hash.clone())));
    }
    let of = |values: BTreeMap<String, String>| match values.is_empty() {
        true => String::new(),
        false => hash::of(&values, 16),
    };
    let text = format!("{}.{}.{}", hashed_by?, of(named), of(binding));
    Some(text.trim_end_matches('.').to_owned())
}

/// The Secrets' keys that pods read by name.
pub fn keys(pods: &PodSpec) -> impl Iterator<Item = &SecretKeySelector> {
    let containers = pods.containers.iter();
    let variables = containers.flat_map(|container| container.env.iter().flatten());
    variables.filter_map(|variable| variable.value_from.as_ref()?.secret_key_ref.as_ref())
}

fn sources(pods: &PodSpec) -> impl Iterator<Item = &str> {
    let containers = pods.containers.iter();
    let sources = containers.flat_map(|container| container.env_from.iter().flatten());
    sources.filter_map(|source| Some(source.secret_ref.as_ref()?.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_value_is_told_by_the_same_key_only() {
        assert!(is_changed(Some("key.two"), Some("key.one")));
        assert!(!is_changed(Some("key.one"), Some("key.one")));
        assert!(!is_changed(Some("other.two"), Some("key.one")));
        assert!(!is_changed(None, Some("key.one")));
        assert!(is_changed(Some("key.one"), None));
    }

    #[test]
    fn another_password_of_the_database_is_a_change_where_the_last_one_was_known() {
        assert!(is_changed(Some("key..two"), Some("key..one")));
        assert!(is_changed(Some("key.a.two"), Some("key.a.one")));
        assert!(!is_changed(Some("key.a.two"), Some("key.a")));
        assert!(!is_changed(Some("key.a"), Some("key.a.one")));
        assert!(!is_changed(Some("key..two"), None));
    }
}
