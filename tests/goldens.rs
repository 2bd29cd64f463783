//! Fixtures in YAML: an App, an Environment and what is around them in, the plan of one pass and the conditions out.
//!
//! Every case is a folder of `tests/goldens/plans`. Its `given.yaml` says in documents what is other than in `shop.yaml`: each
//! is merged into the object of its kind and name. `kind: Cluster` tells of what is outside, `kind: Rest` lets the cluster run
//! until nothing happens. `UPDATE_GOLDENS=1` rewrites every `plan.yaml`.

#[path = "goldens/given.rs"]
mod given;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use towpath::simulate::words;

use given::{Given, NAME};

fn plans() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/plans")
}

fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(plans())
        .unwrap()
        .map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_plan_is_as_written_down() {
    let mut wrong = Vec::new();
    for case in cases() {
        if !check(&case) {
            wrong.push(case);
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} differ: UPDATE_GOLDENS=1 rewrites them"
    );
}

/// Whether the plan of a case is the one that is written down.
fn check(case: &str) -> bool {
    let folder = plans().join(case);
    let base = std::fs::read_to_string(plans().join("shop.yaml")).unwrap();
    let own = std::fs::read_to_string(folder.join("given.yaml")).unwrap();
    let mut given = Given::default();
    given.read(&base);
    given.read(&own);
    let told = tell(&mut given);
    let path = folder.join("plan.yaml");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden != told {
        eprintln!(
            "{case}:\n{}",
            similar_asserts::SimpleDiff::from_str(&golden, &told, "golden", "told")
        );
    }
    golden == told
}

/// One pass: what it asks for and, when that was done, what the status says.
fn tell(given: &mut Given) -> String {
    let world = &mut given.world;
    let pass = world.pass(NAME).expect("an Environment");
    let mut told = String::new();
    list(
        &mut told,
        "plan",
        pass.plan
            .steps
            .iter()
            .map(|step| words::step(step, &pass.seen)),
    );
    if let Some(at) = pass.plan.next {
        let seconds = at.duration_since(pass.seen.now).as_secs();
        writeln!(told, "looks again: in {seconds} s").unwrap();
    }
    let status = world
        .environment(NAME)
        .unwrap()
        .status
        .clone()
        .unwrap_or_default();
    let conditions = status.conditions.iter().map(|known| {
        format!(
            "{}={} {}: {}",
            known.type_, known.status, known.reason, known.message
        )
    });
    list(&mut told, "conditions", conditions);
    let facts = [
        ("release", status.release.clone()),
        ("serving", status.serving.map(|number| number.to_string())),
        ("target", status.target.map(|number| number.to_string())),
        ("migration", status.migration.map(|migration| migration.key)),
        ("url", status.url.clone()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            writeln!(told, "{name}: {value:?}").unwrap();
        }
    }
    told
}

fn list(told: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.map(|line| format!("- {line:?}")).collect();
    let rest = if lines.is_empty() {
        " []".to_owned()
    } else {
        format!("\n{}", lines.join("\n"))
    };
    writeln!(told, "{name}:{rest}").unwrap();
}

/// A gate that a case is named for must be the one that closes, whatever the golden says.
#[test]
fn every_case_is_about_what_its_name_says() {
    for case in cases() {
        let Some((stage, reason)) = case.split_once('_') else {
            panic!("{case} must be named stage_reason");
        };
        let golden = std::fs::read_to_string(plans().join(&case).join("plan.yaml")).unwrap();
        let reason = reason.split('_').next().unwrap();
        let said = golden.lines().any(|line| {
            let line = line.to_lowercase();
            line.starts_with(&format!("- \"{stage}=")) && line.contains(&format!(" {reason}: "))
        });
        assert!(said, "{case} does not say {stage} {reason}");
    }
}
