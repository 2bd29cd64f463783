//! `Resolved`: every image is a digest. It is asked for once; after that the revision holds it.

use std::collections::BTreeMap;

use super::Gate;
use super::accept::Effective;
use crate::api::Reason;
use crate::registry::Answer;
use crate::revision::Image;
use crate::seen::SeenEnvironment;

/// The images of a release by digest, or why they are not known.
pub fn resolve(
    seen: &SeenEnvironment,
    effective: &Effective,
) -> Result<BTreeMap<String, Image>, Gate> {
    let resolved = effective.images.iter().map(|(component, asked)| {
        let image = known(seen, component, asked).map_or_else(|| answered(seen, asked), Ok)?;
        Ok((component.clone(), image))
    });
    resolved.collect()
}

/// The images that registries must be asked for.
#[must_use]
pub fn unknown(seen: &SeenEnvironment, effective: &Effective) -> Vec<String> {
    let mut images: Vec<String> = effective
        .images
        .iter()
        .filter(|(component, asked)| known(seen, component, asked).is_none())
        .filter(|(component, asked)| {
            !asked.contains('@') || wants_label(seen, effective, component)
        })
        .map(|(_, asked)| asked.clone())
        .collect();
    images.sort();
    images.dedup();
    images
}

/// A digest needs the registry for its label only: the migration key that the release does not name.
fn wants_label(seen: &SeenEnvironment, effective: &Effective, component: &str) -> bool {
    let migration = effective.app.spec.migration.as_ref();
    seen.environment.spec.release.migration_key.is_none()
        && migration.is_some_and(|migration| migration.component == component)
}

/// What an earlier revision of the same release resolved. Another commit under the same tag is another release.
fn known(seen: &SeenEnvironment, component: &str, asked: &str) -> Option<Image> {
    let commit = seen
        .environment
        .spec
        .release
        .commit
        .as_ref()
        .map(|commit| &commit.sha);
    let same =
        seen.revisions.iter().rev().filter(|revision| {
            revision.decided.commit.as_ref().map(|commit| &commit.sha) == commit
        });
    let images = same.filter_map(|revision| revision.decided.images.get(component));
    images.clone().find(|image| image.asked == asked).cloned()
}

fn answered(seen: &SeenEnvironment, asked: &str) -> Result<Image, Gate> {
    let image = |resolved: String, migration_key| Image {
        asked: asked.to_owned(),
        resolved,
        migration_key,
    };
    match seen.images.get(asked) {
        Some(Answer::Found {
            digest,
            migration_key,
        }) => Ok(image(
            format!("{}@{digest}", repository(asked)),
            migration_key.clone(),
        )),
        Some(Answer::Missing(why)) => Err(Gate::new(Reason::WaitingForImage, why.clone())),
        Some(Answer::Refused(why)) => Err(Gate::new(Reason::ImageRefused, why.clone())),
        Some(Answer::Silent(why)) => Err(Gate::new(Reason::RegistrySilent, why.clone())),
        None if asked.contains('@') => Ok(image(asked.to_owned(), None)),
        None => Err(Gate::new(
            Reason::RegistrySilent,
            format!("'{asked}' was not asked for yet"),
        )),
    }
}

/// An image without its tag and digest.
#[must_use]
pub fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before the last slash is a port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(repository("198.18.0.1:5000/shop"), "198.18.0.1:5000/shop");
        assert_eq!(
            repository("198.18.0.1:5000/shop:v1"),
            "198.18.0.1:5000/shop"
        );
        assert_eq!(repository("a/shop:v1@sha256:0"), "a/shop");
    }
}
