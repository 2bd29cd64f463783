//! `towpath crds`: the CRDs as YAML.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;

use super::exit::{Exit, Failure};
use super::terminal::Terminal;

/// Print the CRDs as YAML.
#[derive(Debug, Args)]
pub struct Options {
    /// Write one file for each CRD into this directory, named `<plural>.<group>.yaml`, and print nothing.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// The CRDs: file name and content.
pub fn files() -> Result<Vec<(String, String)>, Failure> {
    crate::api::crds().iter().map(file).collect()
}

fn file(crd: &CustomResourceDefinition) -> Result<(String, String), Failure> {
    let text = serde_saphyr::to_string(crd).map_err(|error| {
        Failure::Unreadable(format!("cannot write {}: {error}", crd.name_any()))
    })?;
    Ok((format!("{}.yaml", crd.name_any()), text))
}

pub(super) fn run(options: &Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let files = files()?;
    let Some(directory) = &options.directory else {
        let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
        terminal.say(&texts.join("---\n"))?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(directory)?;
    for (name, text) in files {
        fs::write(directory.join(name), text)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_files_are_those_that_the_types_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let chart = root.join("charts/towpath/resources/crds");
        let directories = [root.join("crds"), chart];
        for directory in directories.iter().filter(|path| path.exists()) {
            let mut expected: Vec<String> = Vec::new();
            for (name, text) in files().expect("the CRDs can be written") {
                let path = directory.join(&name);
                let found = fs::read_to_string(&path).unwrap_or_default();
                assert!(
                    found == text,
                    "{} is out of date: run `make crds`",
                    path.display()
                );
                expected.push(name);
            }
            for entry in fs::read_dir(directory).expect("a directory") {
                let name = entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned();
                assert!(expected.contains(&name), "{name} is no CRD of ours");
            }
        }
    }

    #[test]
    fn every_crd_is_under_256_kib() {
        for (name, text) in files().expect("the CRDs can be written") {
            assert!(text.len() < 256 * 1024, "{name} has {} bytes", text.len());
        }
    }
}
