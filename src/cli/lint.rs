//! `towpath lint`: what the apiserver would refuse, before it is asked. It reads files, and nothing else.

mod cel;
pub(super) mod schema;
mod sentence;
#[cfg(test)]
mod tests;
mod together;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::files;
use super::terminal::Terminal;
use super::yaml::{self, Node, Path, Value};
use crate::api::app::Update;
use crate::api::{App, GROUP};
use crate::build::pause::Pause;
use schema::Kinds;

/// Check files with Apps, Environments and Previews against every rule of admission, without a cluster.
///
/// Exit codes: 0 nothing to say, 1 findings, 2 input that cannot be read.
#[derive(Debug, Args)]
pub struct Options {
    /// File or folder (its *.yaml, *.yml and *.json), or - for standard input. May be repeated.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Something that must be otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line in it.
    pub line: usize,
    /// Kind and name of the object.
    pub object: String,
    /// Where in the object.
    pub path: String,
    /// What must hold.
    pub sentence: String,
}

/// What became of the input.
#[derive(Debug, Default)]
pub struct Report {
    /// What must be otherwise, by file and line.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub unreadable: Vec<String>,
    /// Objects that are not ours.
    pub passed_over: Vec<String>,
    /// What is allowed, and worth to know.
    pub notes: Vec<String>,
    /// How many objects were checked.
    pub checked: usize,
}

/// An object of a file.
pub(super) struct Object<'file> {
    pub(super) file: &'file str,
    pub(super) kind: String,
    name: String,
    pub(super) node: Node,
}

pub(super) fn run(options: &Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (sources, unreadable) = files::read_all(&options.files);
    let report = check(&sources);
    for note in report.passed_over.iter().chain(&report.notes) {
        terminal.warn(note);
    }
    tell(&report, unreadable, terminal)
}

/// Says what must be otherwise and what could not be read, and how the command ends for it.
pub(super) fn tell(
    report: &Report,
    mut unreadable: Vec<String>,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    unreadable.extend(report.unreadable.iter().cloned());
    let lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    if !lines.is_empty() {
        terminal.say(&super::text::printable(&lines.join("\n")))?;
    }
    for sentence in &unreadable {
        terminal.warn(&format!("error: {sentence}"));
    }
    Ok(if !unreadable.is_empty() {
        Exit::NotYet
    } else if !lines.is_empty() {
        Exit::No
    } else {
        if report.checked == 0 {
            terminal.warn(
                "There is no App, no Environment and no Preview in the input: nothing was checked.",
            );
        }
        Exit::Done
    })
}

/// Checks every App and Environment of the texts, each given with its file's name.
#[must_use]
pub fn check(sources: &[(String, String)]) -> Report {
    let kinds = Kinds::of_crds();
    let mut report = Report::default();
    let mut sound = Vec::new();
    for (file, text) in sources {
        let (documents, problems) = yaml::documents(text);
        let objects = documents.into_iter().flat_map(|node| objects(file, node));
        let objects: Vec<Object> = objects.collect();
        for problem in problems {
            match problem.path {
                Some(path) => {
                    let holder = objects
                        .iter()
                        .rfind(|object| object.node.line <= problem.line);
                    let object = holder.map(Object::title).unwrap_or_default();
                    let (file, line) = (file.clone(), problem.line);
                    report.findings.push(Finding {
                        file,
                        line,
                        object,
                        path: path.to_string(),
                        sentence: problem.sentence,
                    });
                }
                None => report
                    .unreadable
                    .push(format!("{file}:{}: {}", problem.line, problem.sentence)),
            }
        }
        for object in objects {
            report.object(kinds, object, &mut sound);
        }
    }
    for (object, path, sentence) in together::check(&sound) {
        report.findings.push(object.finding(&path, sentence));
    }
    report.notes = sound.iter().flat_map(pauses).collect();
    report.findings.sort();
    report.findings.dedup();
    report
}

/// For how long the components of an App do nothing at each release, where they say that their old pods end first.
fn pauses(object: &Object) -> Vec<String> {
    let json = schema::without_nulls(&object.node.json());
    let Ok(app) = serde_json::from_value::<App>(json) else {
        return Vec::new();
    };
    let components = app.spec.components.iter().enumerate();
    let recreated = components.filter(|(_, component)| component.update == Update::Recreate);
    let said = recreated.map(|(index, component)| {
        let path = Path::default().key("spec").key("components").index(index);
        let pause = format!("at each release {}", Pause::of(component));
        object.finding(&path, pause).to_string()
    });
    said.collect()
}

/// The objects of a document: itself, or those of a `List`.
pub(super) fn objects(file: &str, node: Node) -> Vec<Object<'_>> {
    if node.text("kind") == Some("List")
        && let Value::Map(entries) = &node.value
        && let Some((
            ..,
            Node {
                value: Value::List(items),
                ..
            },
        )) = entries.iter().find(|(key, ..)| key == "items")
    {
        return items
            .iter()
            .cloned()
            .flat_map(|item| objects(file, item))
            .collect();
    }
    let kind = node.text("kind").unwrap_or_default().to_owned();
    let metadata = node.get("metadata");
    let name = metadata
        .and_then(|metadata| metadata.text("name"))
        .unwrap_or_default();
    let namespace = metadata.and_then(|metadata| metadata.text("namespace"));
    let name = namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    );
    vec![Object {
        file,
        kind,
        name,
        node,
    }]
}

impl Report {
    fn object<'file>(
        &mut self,
        kinds: &Kinds,
        object: Object<'file>,
        sound: &mut Vec<Object<'file>>,
    ) {
        let before = self.findings.len();
        let Some(group) = self.group(&object) else {
            return;
        };
        if group != GROUP {
            let place = format!("{}:{}", object.file, object.node.line);
            self.passed_over
                .push(format!("{place}: {} is not checked here", object.title()));
            return;
        }
        let Some(kind) = kinds.find(&object, &mut self.findings) else {
            return;
        };
        self.checked += 1;
        let json = object.node.json();
        let refused = schema::check(kind, &object.node, &json);
        // Rules speak of values that have their type; the apiserver waits with them as well.
        let may_be_evaluated = refused.iter().all(|finding| !finding.hides_rules);
        let mut found: BTreeMap<(Path, String), ()> = BTreeMap::new();
        for finding in refused {
            found.insert((finding.path, finding.sentence), ());
        }
        if may_be_evaluated {
            for (path, sentence) in cel::check(kind, &json) {
                found.insert((path, sentence), ());
            }
        }
        for (path, sentence) in found.into_keys() {
            self.findings.push(object.finding(&path, sentence));
        }
        if self.findings.len() == before {
            sound.push(object);
        }
    }

    /// The API group of an object; without one it is no object of Kubernetes at all.
    fn group<'object>(&mut self, object: &'object Object) -> Option<&'object str> {
        if !matches!(object.node.value, Value::Map(_)) {
            let sentence = format!(
                "must be an object with apiVersion and kind; it is {}",
                object.node.kind()
            );
            self.findings
                .push(object.finding(&Path::default(), sentence));
            return None;
        }
        let before = self.findings.len();
        for key in ["apiVersion", "kind"] {
            if object.node.text(key).is_none() {
                let path = Path::default().key(key);
                self.findings
                    .push(object.finding(&path, "must be set".to_owned()));
            }
        }
        if self.findings.len() > before {
            return None;
        }
        let version = object.node.text("apiVersion")?;
        Some(version.split_once('/').map_or("", |(group, _)| group))
    }
}

impl Object<'_> {
    /// Kind and name.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name).trim().to_owned()
    }

    fn finding(&self, path: &Path, sentence: String) -> Finding {
        Finding {
            file: self.file.to_owned(),
            line: self.node.line_of(path),
            object: self.title(),
            path: path.to_string(),
            sentence,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.file, self.line)?;
        for part in [&self.object, &self.path] {
            if !part.is_empty() {
                write!(formatter, "{part}: ")?;
            }
        }
        formatter.write_str(&self.sentence)
    }
}
