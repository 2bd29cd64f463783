//! `docs/reference.md` is made of what the source says of itself. `UPDATE_GOLDENS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use towpath::api::condition::Class;
use towpath::api::{ConditionType, Reason, labels};
use towpath::metrics::Metrics;

const CONDITIONS: &str = include_str!("../src/api/condition.rs");
const EXIT: &str = include_str!("../src/cli/exit.rs");

/// Where keys of labels and annotations are declared.
const KEYS: [&str; 3] = [
    include_str!("../src/api/labels.rs"),
    include_str!("../src/build/job.rs"),
    include_str!("../src/registry/image.rs"),
];

/// What people set; every other key is the controller's.
const SET_BY_PEOPLE: [&str; 7] = [
    labels::RETRY,
    labels::ACCEPT_DATABASE,
    labels::MARK_APPLIED,
    labels::LET_GO,
    labels::ADOPT,
    labels::RESTARTED_AT,
    "dev.towpath.migrations",
];

const CLASSES: [(Class, &str); 5] = [
    (Class::Open, "Open"),
    (Class::Waiting, "Waiting"),
    (Class::Refused, "Refused"),
    (Class::Failed, "Failed"),
    (Class::Unknown, "Unknown"),
];

const INTRODUCTION: &str = "\
# Reference

Made from the source by `UPDATE_GOLDENS=1 cargo test --test reference`. The fields of Apps and Environments are in
`kubectl explain towpathapps.spec` and `kubectl explain environments.spec`.
";

const STAGES: &str = "
## Conditions

A release passes the stages in this order; behind the first closed one it does not advance. A stage that was not reached keeps
what it said last, with the `observedGeneration` of then.

";

const SUMMARIES: &str = "\nThese sum them up:\n\n";

const REASONS: &str = "
## Reasons

A condition's reason has a class, which says how it ends. An Event of the Environment bears the same reason when a stage opens,
is refused, fails, or begins what takes long.
";

const PEOPLE: &str = "
## Labels and annotations

What people set:

";

const CONTROLLER: &str = "\nWhat the controller writes, to be read:\n\n";

const EXITS: &str = "
## Exit codes

";

const METRICS: &str = "
## Metrics

`towpath run` serves them at `/metrics`.

";

#[test]
fn the_reference_is_what_the_source_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let made = reference();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(there, made, "UPDATE_GOLDENS=1 writes it anew");
}

fn reference() -> String {
    let (stages, summaries) = conditions();
    let (people, controller) = keys();
    [
        INTRODUCTION.to_owned(),
        STAGES.to_owned(),
        table(["condition", "True means"], &stages),
        SUMMARIES.to_owned(),
        table(["condition", "True means"], &summaries),
        REASONS.to_owned(),
        reasons(),
        PEOPLE.to_owned(),
        table(["key", "where, and what for"], &people),
        CONTROLLER.to_owned(),
        table(["key", "where, and what for"], &controller),
        EXITS.to_owned(),
        exits(),
        METRICS.to_owned(),
        metrics(),
    ]
    .concat()
}

fn table<const N: usize>(title: [&str; N], rows: &[[String; N]]) -> String {
    let mut text = format!("| {} |\n|{}\n", title.join(" | "), "---|".repeat(N));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    text
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

/// What stands below a line of the source, each item with its doc comment, to the end of that block.
fn documented<'a>(source: &'a str, from: &str) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    let lines = source.lines().skip_while(|line| !line.contains(from));
    for line in lines.skip(1).take_while(|line| *line != "}") {
        let line = line.trim();
        match line.strip_prefix("///") {
            Some(said) => doc.push(said.trim()),
            // An attribute stands between a doc comment and its item.
            None if line.starts_with("#[") => {}
            None if doc.is_empty() => {}
            None => found.push((std::mem::take(&mut doc).join(" "), line)),
        }
    }
    assert!(!found.is_empty(), "nothing is documented below {from}");
    found
}

fn conditions() -> (Vec<[String; 2]>, Vec<[String; 2]>) {
    let types = documented(CONDITIONS, "pub enum ConditionType {");
    let rows = types.into_iter().map(|(doc, item)| {
        let name = item.trim_end_matches(',');
        [code(name), doc]
    });
    let rows: Vec<_> = rows.collect();
    let names: Vec<_> = rows
        .iter()
        .map(|[name, _]| name.trim_matches('`'))
        .collect();
    let stages = ConditionType::STAGES.map(ConditionType::as_str);
    assert_eq!(names[..stages.len()], stages, "the stages come first");
    let (stages, summaries) = rows.split_at(stages.len());
    (stages.to_vec(), summaries.to_vec())
}

fn reasons() -> String {
    let classes = documented(CONDITIONS, "pub enum Class {");
    let mut text = String::new();
    for ((class, name), (doc, item)) in CLASSES.into_iter().zip(classes) {
        assert_eq!(item.trim_end_matches(','), name);
        let of_class = Reason::ALL.iter().filter(|(_, of, _)| *of == class);
        let rows = of_class.map(|(reason, _, doc)| [code(reason.as_str()), doc.trim().to_owned()]);
        let rows: Vec<_> = rows.collect();
        write!(text, "\n### {name}\n\n{doc}\n\n").unwrap();
        text.push_str(&table(["reason", "what it means, and what to do"], &rows));
    }
    text
}

fn keys() -> (Vec<[String; 2]>, Vec<[String; 2]>) {
    let mut values = BTreeMap::new();
    let mut found = Vec::new();
    for (doc, item) in KEYS.iter().flat_map(|source| documented(source, "//!")) {
        let Some((name, value)) = item
            .strip_prefix("pub const ")
            .and_then(|item| item.split_once(": &str = \""))
        else {
            continue;
        };
        let value = value.trim_end_matches("\";");
        values.insert(format!("[`{name}`]"), code(value));
        if value.contains("towpath.") || value.contains('/') && !value.contains(' ') {
            found.push((value, doc));
        }
    }
    let rows = found.into_iter().map(|(key, mut doc)| {
        for (name, value) in &values {
            doc = doc.replace(name, value);
        }
        assert!(!doc.contains("[`"), "{key} names what is not known: {doc}");
        [code(key), doc]
    });
    let by_people = |row: &[String; 2]| SET_BY_PEOPLE.contains(&row[0].trim_matches('`'));
    let (people, controller): (Vec<_>, Vec<_>) = rows.partition(by_people);
    assert_eq!(people.len(), SET_BY_PEOPLE.len());
    (people, controller)
}

fn exits() -> String {
    let mut codes: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for line in EXIT.lines() {
        let said = line.trim().strip_prefix("/// ").unwrap_or_default();
        let Some((meaning, code)) = said.rsplit_once(": ") else {
            continue;
        };
        let digits = code.find(|c: char| !c.is_ascii_digit()).unwrap_or_default();
        if let Ok(code) = code[..digits].parse() {
            codes.entry(code).or_default().push(meaning);
        }
    }
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 64]);
    let rows = codes
        .iter()
        .map(|(code, said)| [code.to_string(), said.join("; ")]);
    let rows: Vec<_> = rows.collect();
    format!(
        "{}\n{}",
        table(["code", "what it says"], &rows),
        exits_by_command()
    )
}

/// What commands say of their own codes.
fn exits_by_command() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let mut text = String::new();
    for path in files {
        let source = fs::read_to_string(&path).unwrap();
        let docs = source
            .lines()
            .skip_while(|line| !line.starts_with("/// Exit codes:"))
            .map_while(|line| line.strip_prefix("/// "));
        let said = docs.collect::<Vec<_>>().join(" ");
        if let Some(said) = said.strip_prefix("Exit codes: ") {
            let command = path
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .replace('_', "-");
            writeln!(text, "- `towpath {command}`: {said}").unwrap();
        }
    }
    text
}

/// Every metric, counted once so that its labels can be seen.
fn metrics() -> String {
    let metrics = Metrics::new();
    metrics.pass("Environment", "ok", Duration::ZERO);
    metrics.watch_error("Pod");
    metrics.write("Job", "create");
    metrics.error("transient");
    let text = metrics.text().unwrap();
    let after = |what: &str, name: &str| {
        let prefix = format!("# {what} {name} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
            .to_owned()
    };
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let rows: Vec<_> = names
        .map(|(name, help)| {
            let type_ = after("TYPE", name);
            let suffix = if type_ == "counter" { "_total" } else { "" };
            let labels = labels_of(&text, name);
            let unit = after("UNIT", name);
            let shown = [code(&format!("{name}{suffix}")), type_, unit, labels];
            let [name, type_, unit, labels] = shown;
            [name, type_, unit, labels, help.to_owned()]
        })
        .collect();
    assert!(rows.len() > 5, "{text}");
    table(["metric", "type", "unit", "labels", "what it says"], &rows)
}

fn labels_of(text: &str, name: &str) -> String {
    let sample = text
        .lines()
        .find(|line| line.starts_with(name) && line.contains('{'));
    let labels = sample.and_then(|line| line.split_once('{')?.1.split_once('}'));
    let pairs = labels.map(|(inside, _)| inside.split(','));
    let keys = pairs.into_iter().flatten();
    let keys = keys.filter_map(|pair| pair.split_once('=').map(|(key, _)| code(key)));
    keys.collect::<Vec<_>>().join(" ")
}
