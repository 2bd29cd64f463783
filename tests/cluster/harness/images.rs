//! Images made for a test, and the local registry.

use std::path::Path;

use super::fixtures::{REPOSITORY, image};
use super::{command, setup};

/// Where the registry answers.
const REGISTRY: &str = "http://198.18.0.1:5000";

/// Whether a release of the shop is in the registry.
pub fn exists(release: &str) -> bool {
    command::run(setup::tool("crane").args(["digest", "--insecure", &image(release)])).is_ok()
}

/// The digest of a release.
pub fn digest(release: &str) -> String {
    let printed =
        command::run(setup::tool("crane").args(["digest", "--insecure", &image(release)]));
    printed.expect("the image's digest").trim().to_owned()
}

/// Pushes a release made of another one, and returns its name. `arguments` are those of `crane mutate`.
pub fn variant(of: &str, name: &str, arguments: &[&str]) -> String {
    let mut crane = setup::tool("crane");
    crane.args(["mutate", "--insecure", &image(of), "--tag", &image(name)]);
    command::run(crane.args(arguments)).expect("the image is pushed");
    name.to_owned()
}

/// A layer that no node has, of which the registry can be made to forget the content.
pub struct Layer {
    pub release: String,
    digest: String,
    content: Vec<u8>,
}

impl Layer {
    /// Pushes a release with a layer of its own.
    pub fn push(of: &str, name: &str, folder: &Path) -> Self {
        let file = folder.join(format!("{name}.txt"));
        std::fs::write(&file, name).expect("a file");
        let tar = folder.join(format!("{name}.tar"));
        let mut pack = std::process::Command::new("tar");
        pack.arg("--create")
            .arg("--file")
            .arg(&tar)
            .arg("--directory")
            .arg(folder);
        command::run(
            pack.args(["--owner", "0", "--group", "0"])
                .arg(format!("{name}.txt")),
        )
        .expect("a tar");
        let append = ["--insecure", "--append"];
        let mut crane = setup::tool("crane");
        crane
            .args(["mutate", &image(of), "--tag", &image(name)])
            .args(append)
            .arg(&tar);
        command::run(&mut crane).expect("the image is pushed");
        let manifest =
            command::run(setup::tool("crane").args(["manifest", "--insecure", &image(name)]));
        let manifest: serde_json::Value =
            serde_json::from_str(&manifest.expect("a manifest")).expect("JSON");
        let layers = manifest["layers"].as_array().expect("layers");
        let digest = layers.last().expect("a layer")["digest"]
            .as_str()
            .expect("a digest");
        let blob = format!("{REPOSITORY}@{digest}");
        let content =
            command::finish(setup::tool("crane").args(["blob", "--insecure", &blob])).stdout;
        Self {
            release: name.to_owned(),
            digest: digest.to_owned(),
            content,
        }
    }

    /// The registry still has manifest and configuration, but not this layer.
    pub async fn forget(&self) {
        let url = format!("{REGISTRY}/v2/shop/blobs/{}", self.digest);
        let answer = http()
            .delete(url)
            .send()
            .await
            .expect("an answer of the registry");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The registry has it again.
    pub async fn restore(&self) {
        let begun = http()
            .post(format!("{REGISTRY}/v2/shop/blobs/uploads/"))
            .send()
            .await;
        let begun = begun.expect("an answer of the registry");
        let location = begun.headers()["location"].to_str().expect("a location");
        let to = if location.starts_with('/') {
            format!("{REGISTRY}{location}")
        } else {
            location.to_owned()
        };
        let separator = if to.contains('?') { '&' } else { '?' };
        let put = http().put(format!("{to}{separator}digest={}", self.digest));
        let answer = put.body(self.content.clone()).send().await;
        let answer = answer.expect("an answer of the registry");
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

/// Asks once, directly.
pub fn http() -> reqwest::Client {
    let client = towpath::outbound::http_client(None).expect("settings");
    client.build().expect("a client")
}
