//! Whose an object is that has the name of a child: nothing foreign is seized.

use kube::ResourceExt;

use super::Owner;
use super::stop::Stop;
use crate::api::{Reason, labels};
use crate::caches::Kept;
use crate::observe::{belongs, controller};

/// Whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This Environment's: by its owner reference, as data that was kept for it, or because a person hands it over.
    Ours,
    /// It is on its way out.
    Leaving(String),
    /// It is someone else's.
    Taken(String),
}

impl Standing {
    /// Of an object that was read just now.
    pub(crate) fn of<'a, K: Kept>(object: &K, owner: impl Into<Owner<'a>>) -> Self {
        let owner = owner.into();
        let (kind, name) = (K::kind(&()), object.name_any());
        if object.meta().deletion_timestamp.is_some() || is_of_earlier(object, owner) {
            return Self::Leaving(format!(
                "{kind} {name} is on its way out; it is made anew when it is gone"
            ));
        }
        if is_owned(object, owner) || is_handed_over(object, owner) {
            return Self::Ours;
        }
        Self::Taken(taken(object, owner))
    }

    /// Goes on only with what is ours.
    pub(super) fn or_stop(self) -> Result<(), Stop> {
        match self {
            Self::Ours => Ok(()),
            Self::Leaving(why) => Err(Stop::Refused(Reason::Terminating, why)),
            Self::Taken(why) => Err(Stop::Refused(Reason::NameTaken, why)),
        }
    }
}

fn is_owned<K: Kept>(object: &K, owner: Owner<'_>) -> bool {
    match owner {
        Owner::Environment(environment) => belongs(object, environment),
        Owner::Preview(_) | Owner::App(_) => {
            controller(object).map(|owner| &owner.uid) == owner.meta().uid.as_ref()
        }
    }
}

/// An earlier owner of the same name had it; the garbage collector has not come yet.
fn is_of_earlier<K: Kept>(object: &K, owner: Owner<'_>) -> bool {
    controller(object).is_some_and(|known| {
        known.kind == owner.kind()
            && known.name == owner.name()
            && Some(&known.uid) != owner.meta().uid.as_ref()
    })
}

fn is_handed_over<K: Kept>(object: &K, owner: Owner<'_>) -> bool {
    let adopted = object.annotations().get(labels::ADOPT);
    controller(object).is_none() && adopted.map(String::as_str) == Some(owner.name())
}

fn taken<K: Kept>(object: &K, owner: Owner<'_>) -> String {
    let (kind, name, ours) = (K::kind(&()), object.name_any(), owner.kind());
    match controller(object) {
        Some(theirs) => format!(
            "{kind} {name} belongs to {} {}; delete it or rename this {ours}",
            theirs.kind, theirs.name
        ),
        None => format!(
            "{kind} {name} exists and is not this {ours}'s; delete it, or hand it over: kubectl annotate {} {name} {}={}",
            kind.to_lowercase(),
            labels::ADOPT,
            owner.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Environment;
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    fn environment() -> Environment {
        let value = json!({
            "metadata": {"namespace": "shop", "name": "production", "uid": "1"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}},
        });
        serde_json::from_value(value).unwrap()
    }

    fn standing(metadata: serde_json::Value) -> Standing {
        let service: Service = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        Standing::of(&service, &environment())
    }

    fn owner(kind: &str, name: &str, uid: &str) -> serde_json::Value {
        json!([{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
    }

    #[test]
    fn ours_by_uid_by_data_and_by_annotation() {
        let ours = owner("Environment", "production", "1");
        assert_eq!(
            standing(json!({"name": "s", "ownerReferences": ours})),
            Standing::Ours
        );
        let data = json!({"towpath.dev/environment": "production", "towpath.dev/data": "true"});
        assert_eq!(
            standing(json!({"name": "s", "labels": data})),
            Standing::Ours
        );
        let adopted = json!({"towpath.dev/adopt": "production"});
        assert_eq!(
            standing(json!({"name": "s", "annotations": adopted})),
            Standing::Ours
        );
    }

    #[test]
    fn what_goes_is_waited_for() {
        let going = json!({"name": "s", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(matches!(standing(going), Standing::Leaving(_)));
        let earlier = owner("Environment", "production", "0");
        assert!(matches!(
            standing(json!({"name": "s", "ownerReferences": earlier})),
            Standing::Leaving(_)
        ));
    }

    #[test]
    fn what_is_foreign_is_not_seized() {
        assert!(
            matches!(standing(json!({"name": "s"})), Standing::Taken(why) if why.contains("kubectl annotate service s"))
        );
        let other = json!({"towpath.dev/environment": "staging", "towpath.dev/data": "true"});
        assert!(matches!(
            standing(json!({"name": "s", "labels": other})),
            Standing::Taken(_)
        ));
        let theirs = json!({
            "name": "s", "ownerReferences": owner("Helm", "x", "9"), "annotations": {"towpath.dev/adopt": "production"},
        });
        assert!(matches!(standing(theirs), Standing::Taken(why) if why.contains("Helm x")));
    }
}
