//! Planning and building are functions of what was seen: they wait for nobody, ask nobody, and know no clock.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders and files of `src` that hold pure code only.
const PURE: [&str; 4] = ["plan", "plan.rs", "build", "build.rs"];

/// Words that pure code has no use for.
const WORDS: [&str; 13] = [
    "async",
    "await",
    "Api",
    "Client",
    "Instant",
    "OnceLock",
    "SystemTime",
    "Zoned",
    "rand",
    "reqwest",
    "ring",
    "thread_local",
    "tokio",
];

/// Paths that pure code has no use for: a field may be called `env` or `now`.
const PATHS: [&str; 8] = [
    "Timestamp::now",
    "env::",
    "fs::",
    "net::",
    "process::",
    "thread::",
    "std::io",
    "std::time",
];

/// What else a `use std::` may not name.
const MODULES: [&str; 7] = ["env", "fs", "io", "net", "process", "thread", "time"];

/// What is not pure about a line of code.
fn impure(line: &str) -> Option<&'static str> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = code.split(|c| !is_part(c)).collect();
    let word = WORDS.into_iter().find(|word| words.contains(word));
    let path = PATHS.into_iter().find(|path| {
        code.match_indices(path)
            .any(|(at, _)| !code[..at].ends_with(is_part))
    });
    let imports = MODULES.iter().filter(|_| code.starts_with("use std::"));
    let module = imports.copied().find(|module| words.contains(module));
    word.or(path).or(module)
}

fn sources(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_dir() {
        for entry in fs::read_dir(place).expect("a folder") {
            sources(&entry.expect("an entry").path(), found);
        }
    } else if place.extension().is_some_and(|extension| extension == "rs") {
        found.push(place.to_owned());
    }
}

#[test]
fn planning_and_building_are_pure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for place in PURE {
        let place = root.join(place);
        assert!(place.exists(), "{} is not there", place.display());
        sources(&place, &mut files);
    }
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a source");
        let name = file.strip_prefix(&root).expect("below src").display();
        let lines = text.lines().enumerate();
        found.extend(lines.filter_map(|(index, line)| {
            impure(line).map(|what| format!("src/{name}:{}: {what}", index + 1))
        }));
    }
    assert!(
        found.is_empty(),
        "these must move to observe or apply:\n{}",
        found.join("\n")
    );
}

#[test]
fn what_is_not_pure_is_found() {
    for line in [
        "pub async fn roll() {}",
        "    let answer = ask(seen).await;",
        "use kube::{Client, ResourceExt};",
        "    let api: Api<Pod> = todo();",
        "    let now = Timestamp::now();",
        "    let begun = std::time::Instant::now();",
        "use std::{collections::BTreeMap, env};",
        "    let text = std::fs::read_to_string(path);",
        "    if let Ok(value) = env::var(\"DEBUG\") {",
    ] {
        assert!(impure(line).is_some(), "{line}");
    }
    for line in [
        "/// An async App waits for its Client.",
        "    let env = component.env.clone();",
        "    plan.look_at(seen.now + PAUSE);",
        "    hashes::of(refs::all(names));",
        "use std::collections::BTreeMap;",
    ] {
        assert_eq!(impure(line), None, "{line}");
    }
}
