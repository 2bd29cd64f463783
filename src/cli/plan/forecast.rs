//! Lets a world go on with what files declare, and notes what is done for each Environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::write::{self, Write};
use crate::api::{ConditionType, Environment};
use crate::cli::declared::Declared;
use crate::plan::{Action, Gate};
use crate::revision::Revision;
use crate::simulate::{Build, Event, Pass, World};

/// Nothing more happens when nothing has for so many seconds: a changed Secret may wait five minutes.
const QUIET: i64 = 310;

/// What would become of an Environment.
#[derive(Debug)]
pub(super) struct Forecast {
    /// The Environment as it is; `None`: it is new.
    pub(super) before: Option<Arc<Environment>>,
    /// Its revisions as they are.
    pub(super) known: Vec<Revision>,
    /// What is done, in order.
    pub(super) writes: Vec<Write>,
    /// What the stages say in the end, up to the first closed one.
    pub(super) gates: Vec<(ConditionType, Gate)>,
    /// The Environment when nothing happens any more.
    pub(super) after: Arc<Environment>,
    /// Its revisions then.
    pub(super) revisions: Vec<Revision>,
    /// Whether a migration runs.
    pub(super) migrates: bool,
    /// Who is asked for health.
    pub(super) asked: BTreeSet<String>,
    /// What was taken for granted.
    pub(super) assumed: Vec<String>,
}

/// What cannot be asked, and is taken for granted.
#[derive(Debug, Default)]
pub(super) struct Assumptions {
    /// There is no cluster to ask at all.
    pub(super) offline: bool,
    /// The controller's configuration.
    pub(super) config: bool,
    /// Secrets of these names.
    pub(super) secrets: BTreeSet<String>,
    /// What was taken for granted already, in sentences.
    pub(super) assumed: Vec<String>,
}

/// What is noted while a world goes on.
#[derive(Debug, Default)]
struct Notes {
    writes: Vec<Write>,
    gates: Vec<(ConditionType, Gate)>,
    migrates: bool,
    asked: BTreeSet<String>,
    newest: Option<Revision>,
}

/// What would become of every Environment of the world, by name.
pub(super) fn all(
    world: &mut World,
    declared: &Declared,
    assumptions: &Assumptions,
) -> Vec<Forecast> {
    let before: BTreeMap<_, _> = world
        .environments()
        .into_iter()
        .filter_map(|name| {
            let environment = world.environment(&name)?;
            let revisions = world.revisions(&environment);
            Some((name, (environment, revisions)))
        })
        .collect();
    declared.apply(world);
    world.assume_activator(!assumptions.offline && !assumptions.config);
    let mut assumed = BTreeMap::new();
    for name in world.environments() {
        let sentences = assume(world, &name, assumptions);
        assumed.insert(name, sentences);
    }
    let mut notes: BTreeMap<String, Notes> = BTreeMap::new();
    world.settle(QUIET, &mut |_, event| {
        if let Event::Pass(name, pass) = event {
            notes.entry(name.to_owned()).or_default().pass(pass);
        }
    });
    let forecast = world.environments().into_iter().filter_map(|name| {
        let after = world.environment(&name)?;
        let (environment, known) = before.get(&name).cloned().unzip();
        let notes = notes.remove(&name).unwrap_or_default();
        Some(Forecast {
            before: environment,
            known: known.unwrap_or_default(),
            writes: notes.writes,
            gates: notes.gates,
            revisions: world.revisions(&after),
            after,
            migrates: notes.migrates,
            asked: notes.asked,
            assumed: assumed.remove(&name).unwrap_or_default(),
        })
    });
    forecast.collect()
}

/// Takes for granted what cannot be asked, and says so.
fn assume(world: &mut World, name: &str, assumptions: &Assumptions) -> Vec<String> {
    let Some(environment) = world.environment(name) else {
        return Vec::new();
    };
    let mut sentences = assumptions.assumed.clone();
    if (assumptions.offline || assumptions.config) && world.assume_config(&environment) {
        sentences.push("hosts are published by the Gateway API".to_owned());
    }
    let is_hidden = |name: &str| assumptions.offline || assumptions.secrets.contains(name);
    let missing = world.assume_references(&environment, is_hidden);
    sentences.extend(
        missing
            .into_iter()
            .map(|object| format!("{object} exists with its keys")),
    );
    world.assume_external_database(&environment);
    let images = world.assume_images(&environment, Build::default(), |_| None);
    sentences.extend(
        images
            .iter()
            .map(|image| format!("image {image} is in its registry")),
    );
    sentences
}

impl Notes {
    fn pass(&mut self, pass: &Pass) {
        let migrated = pass.plan.gate(ConditionType::Migrated);
        let waits = !migrated.is_some_and(Gate::is_open);
        // What serves is kept as it shall be, whatever the target waits for.
        let is_live = |write: &Write| waits && write.stage > ConditionType::Migrated;
        for step in pass.acted.done(&pass.plan.steps) {
            match &step.action {
                Action::Migrate(_) => self.migrates = true,
                Action::Decide(object) => self.newest = Revision::read(object),
                _ => {}
            }
            let write = write::of(step, &pass.seen, self.newest.as_ref());
            let write = write.map(|write| {
                if is_live(&write) {
                    write.at_once()
                } else {
                    write
                }
            });
            if let Some(write) = write.filter(|write| !self.writes.contains(write)) {
                self.writes.push(write);
            }
        }
        self.gates.clone_from(&pass.plan.gates);
        self.asked.extend(pass.seen.checks.keys().cloned());
    }
}
