//! Why a revision is made: what its content says that the one before did not.

use std::collections::BTreeMap;

use super::template::{self, CONFIG_MAP, Originals};
use crate::revision::{Decided, Revision, short};

/// What is new about a revision, one thing a line.
pub(super) fn of(old: &Revision, new: &Revision) -> Vec<String> {
    let mut reasons = components(&old.decided, &new.decided);
    reasons.extend(templates(&old.decided, &new.decided));
    let configs = template::configs(&old.decided, &new.decided).into_iter();
    reasons.extend(configs.map(|name| format!("content of ConfigMap '{name}'")));
    let commit = |revision: &Revision| {
        let commit = revision.decided.commit.as_ref();
        commit
            .map_or("none", |commit| commit.sha.get(..7).unwrap_or(&commit.sha))
            .to_owned()
    };
    if commit(old) != commit(new) {
        reasons.push(format!("commit {} -> {}", commit(old), commit(new)));
    }
    if key(old) != key(new) {
        reasons.push(format!(
            "migration key {} -> {}",
            or_none(key(old)),
            or_none(key(new))
        ));
    }
    if old.content == new.content {
        reasons.push("nothing: a person asks for another attempt".to_owned());
    } else if reasons.is_empty() {
        reasons.push("what App or Environment say, but no pod".to_owned());
    }
    reasons
}

/// The migration key of a revision in words; one that nobody declared has no name.
pub(super) fn key(revision: &Revision) -> Option<String> {
    let migration = revision.decided.migration.as_ref()?;
    if migration.declared {
        return Some(format!("'{}'", migration.key));
    }
    let pod = migration.template.spec.as_ref();
    let image = pod
        .and_then(|pod| pod.containers.first()?.image.as_deref())
        .unwrap_or_default();
    let mut known = revision.decided.images.values();
    let asked = known
        .find(|known| known.resolved == image)
        .map_or(image, |known| &known.asked);
    Some(format!("the one of image {}", short(asked)))
}

fn or_none(key: Option<String>) -> String {
    key.unwrap_or_else(|| "none".to_owned())
}

fn components(old: &Decided, new: &Decided) -> Vec<String> {
    let lacks =
        |decided: &Decided, name: &str| !decided.components.iter().any(|known| known.name == name);
    let come = new
        .components
        .iter()
        .filter(|known| lacks(old, &known.name));
    let go = old
        .components
        .iter()
        .filter(|known| lacks(new, &known.name));
    let come = come.map(|known| format!("new component {}", known.name));
    come.chain(go.map(|known| format!("no component {} any more", known.name)))
        .collect()
}

/// What differs about templates, each with the components that it is about.
fn templates(old: &Decided, new: &Decided) -> Vec<String> {
    let originals = Originals::of([old, new]);
    let mut about: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for rendered in &new.components {
        let Some(known) = old
            .components
            .iter()
            .find(|known| known.name == rendered.name)
        else {
            continue;
        };
        let differences = template::differences(&known.template, &rendered.template, &originals);
        // Contents of ConfigMaps are told by their own names.
        for difference in differences
            .into_iter()
            .filter(|known| known.about != CONFIG_MAP)
        {
            let components = about.entry(difference.about).or_default();
            if !components.contains(&rendered.name.as_str()) {
                components.push(&rendered.name);
            }
        }
        if known.update != rendered.update {
            about
                .entry("update".to_owned())
                .or_default()
                .push(&rendered.name);
        }
    }
    about
        .iter()
        .map(|(about, components)| format!("{about} of {}", components.join(", ")))
        .collect()
}
