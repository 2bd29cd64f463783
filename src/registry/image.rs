//! What is read of an image: which manifest is for linux/amd64, and the label that names its migrations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reference::is_digest;

/// The kinds of manifest that registries are asked for.
pub const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// On an image: the label that names the state of the migration files, which is the migration key.
pub const LABEL: &str = "dev.towpath.migrations";

/// A manifest or an index, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Manifest {
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    config: Option<ImageConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ImageConfig {
    labels: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads a manifest; what is none has neither parts nor configuration.
    pub fn read(content: &[u8]) -> Self {
        serde_json::from_slice(content).unwrap_or_default()
    }

    /// Of an index: the digest of the image for linux/amd64, else of the first for linux.
    pub fn platform(&self) -> Option<&str> {
        let linux = || {
            self.manifests.iter().filter(|entry| {
                entry
                    .platform
                    .as_ref()
                    .is_some_and(|platform| platform.os == "linux")
            })
        };
        let amd64 = linux().find(|entry| {
            entry
                .platform
                .as_ref()
                .is_some_and(|platform| platform.architecture == "amd64")
        });
        let entry = amd64.or_else(|| linux().next())?;
        Some(entry.digest.as_str()).filter(|digest| is_digest(digest))
    }

    /// Of an image: the digest of its configuration.
    pub fn config(&self) -> Option<&str> {
        let config = self.config.as_ref()?;
        Some(config.digest.as_str()).filter(|digest| is_digest(digest))
    }
}

/// The label in an image's configuration. The refusal says what the label must be: it goes where `spec.release.migrationKey`
/// goes, and has the same form.
pub fn migration_key(content: &[u8]) -> Result<Option<String>, String> {
    let image: Image = serde_json::from_slice(content).unwrap_or_default();
    let labels = image.config.and_then(|config| config.labels);
    let Some(key) = labels
        .and_then(|mut labels| labels.remove(LABEL))
        .filter(|key| !key.is_empty())
    else {
        return Ok(None);
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:+/".contains(&b);
    if key.len() > 128 || !key.bytes().all(fits) {
        return Err(format!(
            "the label {LABEL} must have at most 128 letters, digits and characters of -._:+/"
        ));
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: char) -> String {
        format!("sha256:{}", of.to_string().repeat(64))
    }

    #[test]
    fn an_index_is_read_for_linux_amd64_and_then_for_any_linux() {
        let entry = |of, os, arch| {
            format!(
                r#"{{"digest": "{}", "platform": {{"os": "{os}", "architecture": "{arch}"}}}}"#,
                digest(of)
            )
        };
        let index = |entries: &[String]| {
            Manifest::read(format!(r#"{{"manifests": [{}]}}"#, entries.join(",")).as_bytes())
        };
        let (arm, amd, windows) = (
            entry('a', "linux", "arm64"),
            entry('b', "linux", "amd64"),
            entry('c', "windows", "amd64"),
        );
        assert_eq!(
            index(&[windows.clone(), arm.clone(), amd]).platform(),
            Some(digest('b').as_str())
        );
        assert_eq!(
            index(&[windows.clone(), arm]).platform(),
            Some(digest('a').as_str())
        );
        assert_eq!(index(&[windows]).platform(), None);
        assert_eq!(index(&[]).config(), None);
    }

    #[test]
    fn a_digest_that_is_none_leads_nowhere() {
        assert_eq!(
            Manifest::read(br#"{"config": {"digest": "../../secret"}}"#).config(),
            None
        );
        assert_eq!(Manifest::read(b"not json").config(), None);
    }

    #[test]
    fn the_label_is_the_migration_key() {
        let labelled = |value: &str| {
            migration_key(
                format!(r#"{{"config": {{"Labels": {{"{LABEL}": "{value}"}}}}}}"#).as_bytes(),
            )
        };
        assert_eq!(labelled("9f2c"), Ok(Some("9f2c".into())));
        assert_eq!(labelled(""), Ok(None));
        assert!(
            labelled("a b")
                .expect_err("a blank")
                .contains("must have at most 128")
        );
        assert!(labelled(&"a".repeat(129)).is_err());
        for without in [
            &b"{}"[..],
            br#"{"config": {"Labels": null}}"#,
            br#"{"config": null}"#,
            b"not json",
        ] {
            assert_eq!(migration_key(without), Ok(None));
        }
    }
}
