//! A revision: the release as resolved, the App as read and what was rendered from them, decided once and kept in a
//! ControllerRevision. What changes about it are facts: annotations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::app::{Role, Update};
use crate::api::environment::{AppSeen, Commit};
use crate::api::{ConditionType, Reason, labels};

/// Largest revision that is written, in bytes; etcd refuses objects past 1.5 MiB.
pub const MAX_BYTES: usize = 256 * 1024;

/// What a revision decided, as stored in its ControllerRevision.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The App that it was made from.
    pub app: AppSeen,
    /// The commit, as the release named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The images, by component: as asked, and as a digest.
    pub images: BTreeMap<String, Image>,
    /// The components, rendered.
    pub components: Vec<Rendered>,
    /// The migration, rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<RenderedMigration>,
    /// The command that fills a new database, rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<RenderedMigration>,
    /// Which of its Environment's databases it runs on: the number of the revision that it was made for. 0: the first one.
    #[serde(default, skip_serializing_if = "is_first")]
    pub incarnation: i64,
    /// Why this revision got a database of its own, where there was one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Renewal>,
    /// The copies of ConfigMaps that the templates name, by the name of the original.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, String>,
}

/// An image as the release named it, and what it is.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// As the release named it.
    pub asked: String,
    /// By digest.
    pub resolved: String,
    /// The migration key that the image's label declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_key: Option<String>,
}

/// A component as rendered for a revision.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// How its pods are replaced.
    #[serde(default)]
    pub update: Update,
    /// The path that says whether it is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// The pod template. It names the component but neither slot nor revision.
    pub template: PodTemplateSpec,
    /// Its hash, which pods carry as label `towpath.dev/template`.
    pub hash: String,
}

/// The migration as rendered for a revision.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RenderedMigration {
    /// Names the state of the migration files.
    pub key: String,
    /// Whether the release or the image declared the key; if not, it is the image's digest.
    pub declared: bool,
    /// The pod template of the Job.
    pub template: PodTemplateSpec,
    /// How long it may take, in seconds.
    pub timeout_seconds: i32,
}

/// Why a preview got a new database.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum Renewal {
    /// The declared migration key changed.
    MigrationKey,
    /// The release changed, and each gets one.
    Release,
    /// A person asked for it.
    Word,
    /// The one before was seeded in part.
    Seed,
}

fn is_first(incarnation: &i64) -> bool {
    *incarnation == 0
}

/// What became of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When all gates up to `Migrated` were open in one pass.
    pub entered: Option<Timestamp>,
    /// When it was verified.
    pub verified: Option<Timestamp>,
    /// When and why it was given up.
    pub given_up: Option<Verdict>,
    /// The database identity on which its migration succeeded.
    pub migrated: Option<String>,
    /// Tokens handled.
    pub handled: Vec<String>,
}

/// Why a revision was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
    /// When. `None`: whoever gave it up did not write it down.
    pub at: Option<Timestamp>,
}

impl Verdict {
    /// The stage that judged.
    #[must_use]
    pub fn stage(&self) -> ConditionType {
        match self.reason {
            Reason::MigrationFailed | Reason::SeedFailed => ConditionType::Migrated,
            Reason::VerificationFailed => ConditionType::Verified,
            _ => ConditionType::RolledOut,
        }
    }
}

/// A revision of an Environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number; the newest is the target or serves.
    pub number: i64,
    /// Its object's name.
    pub name: String,
    /// Its object's uid; empty while it is only planned.
    pub uid: String,
    /// Hash of what was asked for.
    pub content: String,
    /// What was decided.
    pub decided: Decided,
    /// What became of it.
    pub facts: Facts,
}

impl Revision {
    /// Reads a revision; `None` when the object is not one that this controller could have written.
    #[must_use]
    pub fn read(object: &ControllerRevision) -> Option<Self> {
        let annotations = object.annotations();
        let decided = match &object.data.as_ref()?.0 {
            Value::String(packed) => serde_json::from_str(packed).ok()?,
            data => Decided::deserialize(data).ok()?,
        };
        Some(Self {
            number: object.revision,
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            content: annotations.get(labels::CONTENT)?.clone(),
            decided,
            facts: Facts::read(annotations),
        })
    }

    /// Makes the data of a revision one string, as [`Self::read`] takes it too: as a tree it needs ten times the memory.
    pub fn pack(object: &mut ControllerRevision) {
        if let Some(RawExtension(data)) = &mut object.data
            && !data.is_string()
        {
            *data = Value::String(data.to_string());
        }
    }

    /// Whether all gates up to `Migrated` were open in one pass and nothing has gone wrong since.
    #[must_use]
    pub fn holds_slots(&self) -> bool {
        self.facts.entered.is_some() && self.facts.given_up.is_none()
    }

    /// Whether its migration was applied: it is recorded, or it entered, which it could not have done before.
    #[must_use]
    pub fn was_migrated(&self) -> bool {
        self.facts.migrated.is_some() || self.facts.entered.is_some()
    }

    /// The component of that name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&Rendered> {
        self.decided
            .components
            .iter()
            .find(|component| component.name == name)
    }

    /// What it is, in short: the tag or digest of its first image, and the commit.
    #[must_use]
    pub fn summary(&self) -> String {
        let image = self
            .decided
            .images
            .values()
            .next()
            .map_or("", |image| short(&image.asked));
        match &self.decided.commit {
            Some(commit) => format!("{image} ({})", commit.sha.get(..7).unwrap_or(&commit.sha)),
            None => image.to_owned(),
        }
    }
}

impl Facts {
    fn read(annotations: &BTreeMap<String, String>) -> Self {
        let time = |key: &str| annotations.get(key).and_then(|text| text.parse().ok());
        let given_up = annotations.get(labels::GIVEN_UP).map(|reason| Verdict {
            reason: Reason::ALL
                .iter()
                .map(|(known, ..)| *known)
                .find(|known| known.as_str() == reason)
                .unwrap_or(Reason::DeadlineExceeded),
            message: annotations
                .get(labels::GIVEN_UP_MESSAGE)
                .cloned()
                .unwrap_or_default(),
            at: time(labels::GIVEN_UP_AT),
        });
        Self {
            entered: time(labels::ENTERED),
            verified: time(labels::VERIFIED),
            given_up,
            migrated: annotations.get(labels::MIGRATED).cloned(),
            handled: annotations
                .get(labels::HANDLED)
                .map(|text| {
                    text.split(' ')
                        .filter(|token| !token.is_empty())
                        .map(str::to_owned)
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// The facts as annotations.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                annotations.insert(key.to_owned(), value);
            }
        };
        put(labels::ENTERED, self.entered.map(|at| at.to_string()));
        put(labels::VERIFIED, self.verified.map(|at| at.to_string()));
        put(
            labels::GIVEN_UP,
            self.given_up
                .as_ref()
                .map(|verdict| verdict.reason.as_str().to_owned()),
        );
        put(
            labels::GIVEN_UP_MESSAGE,
            self.given_up
                .as_ref()
                .map(|verdict| verdict.message.clone()),
        );
        put(
            labels::GIVEN_UP_AT,
            self.given_up
                .as_ref()
                .and_then(|verdict| verdict.at)
                .map(|at| at.to_string()),
        );
        put(labels::MIGRATED, self.migrated.clone());
        put(
            labels::HANDLED,
            (!self.handled.is_empty()).then(|| self.handled.join(" ")),
        );
        annotations
    }
}

/// The tag or the shortened digest of an image.
#[must_use]
pub fn short(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once("@sha256:") {
        Some((_, digest)) => digest.get(..12).unwrap_or(digest),
        None => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_packed_revision_is_the_same() {
        let mut object: ControllerRevision = serde_json::from_value(json!({
            "metadata": {"name": "shop-2", "uid": "r-2", "annotations": {"towpath.dev/content": "c"}},
            "revision": 2,
            "data": {
                "app": {"name": "shop", "uid": "a-1", "generation": 1},
                "images": {"web": {"asked": "a:2", "resolved": "a@sha256:2"}},
                "components": [{"name": "web", "role": "Web", "template": {"spec": {"containers": [{"name": "\"web\""}]}}, "hash": "h"}],
            },
        }))
        .unwrap();
        let before = Revision::read(&object);
        assert!(before.is_some());
        Revision::pack(&mut object);
        let packed = object.clone();
        Revision::pack(&mut object);
        assert_eq!(object, packed);
        assert!(object.data.as_ref().unwrap().0.is_string());
        assert_eq!(Revision::read(&object), before);
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = Facts {
            entered: Some(Timestamp::UNIX_EPOCH),
            given_up: Some(Verdict {
                reason: Reason::Crashed,
                message: "Revision 2: it crashed".to_owned(),
                at: Some(Timestamp::MAX),
            }),
            handled: vec!["a".to_owned(), "b".to_owned()],
            ..Facts::default()
        };
        let mut annotations = facts.annotations();
        assert_eq!(Facts::read(&annotations), facts);
        annotations.remove(labels::GIVEN_UP_AT);
        let given_up = Facts::read(&annotations).given_up.unwrap();
        assert_eq!((given_up.reason, given_up.at), (Reason::Crashed, None));
    }
}
