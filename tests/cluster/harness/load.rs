//! Traffic: requests at a constant rate through the gateway, none of them tried twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;

use super::{command, setup};

/// Load that runs.
pub struct Load {
    process: Option<Child>,
    stop: tempfile::TempDir,
}

/// What it found.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub seconds: f64,
    pub requests: u64,
    pub failed: u64,
    pub kinds: serde_json::Value,
    #[serde(default)]
    pub answers: BTreeMap<String, u64>,
    #[serde(rename = "p50Milliseconds")]
    pub p50: f64,
    #[serde(rename = "p99Milliseconds")]
    pub p99: f64,
    #[serde(rename = "maxMilliseconds")]
    pub max: f64,
}

impl Load {
    /// Begins to ask a host for its page, which reads the database; half of the requests over connections of their own.
    pub fn start(host: &str, rate: u32) -> Self {
        Self::on(host, "/", rate)
    }

    /// The same for a shop without a database.
    pub fn on_health(host: &str, rate: u32) -> Self {
        Self::on(host, "/health", rate)
    }

    fn on(host: &str, path: &str, rate: u32) -> Self {
        let stop = tempfile::tempdir().expect("a folder");
        let file = stop.path().join("stop");
        let mut load = Command::new(generator());
        load.args([
            "-url",
            &format!("http://198.18.0.1:8080{path}"),
            "-host",
            host,
            "-header",
            "Shop-Version",
            "-json",
        ]);
        load.args([
            "-rate",
            &rate.to_string(),
            "-duration",
            "10m",
            "-until-file",
        ])
        .arg(file);
        let process = load.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Self {
            process: Some(process.expect("the load generator starts")),
            stop,
        }
    }

    /// Ends it, and says what it found.
    pub fn stop(mut self) -> Summary {
        let process = self.process.take().expect("it runs");
        std::fs::write(self.stop.path().join("stop"), "").expect("a file");
        let output = process.wait_with_output().expect("its output");
        let text = command::text(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Summary {
    /// Not one request failed.
    pub fn assert_none_failed(&self) {
        assert_eq!(
            self.failed, 0,
            "{} of {} requests failed: {:#}",
            self.failed, self.requests, self.kinds
        );
    }
}

/// The load generator, built when it is needed first.
fn generator() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load");
        let mut build = Command::new("go");
        build
            .arg("-C")
            .arg(setup::checkout().join("bench/load"))
            .args(["build", "-o"])
            .arg(&binary)
            .arg(".");
        command::run(&mut build).expect("the load generator is built");
        binary
    })
}
