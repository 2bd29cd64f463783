//! `towpath simulate`: how a rollout goes, told line by line. The controller's own passes run in a simulated cluster where
//! nothing is yet; nobody is asked, and nothing is written.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::declared::{self, Declared};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use super::{files, lint, text};
use crate::api::Environment;
use crate::plan::resolve::repository;
use crate::simulate::{Build, Event, Migrates, Runs, Story, World};

/// Nothing more happens when nothing has for so many seconds.
const QUIET: i64 = 30;

/// Tell how a rollout goes, line by line, in a simulated cluster where nothing is yet.
///
/// What the files name and do not hold is taken for granted. Pods start and migrations end within seconds there.
///
/// Exit codes: 0 the story is told, 1 `lint` has findings, 2 input that cannot be read.
#[derive(Debug, Args)]
pub struct Options {
    /// File or folder (its *.yaml, *.yml and *.json), or - for standard input. May be repeated.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Image of a release that follows when the one before has ended. May be repeated.
    #[arg(long = "release", value_name = "IMAGE")]
    releases: Vec<String>,
    /// The pods of the last release never become ready.
    #[arg(long)]
    failing_health: bool,
    /// The migration of the last release fails.
    #[arg(long)]
    failing_migration: bool,
    /// Namespace of objects that name none.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// A namespace, and its story so far.
struct Stage {
    world: World,
    story: Story,
}

pub(super) fn run(options: &Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (sources, unreadable) = files::read_all(&options.files);
    let found = lint::tell(&lint::check(&sources), unreadable, terminal)?;
    if found != Exit::Done {
        return Ok(found);
    }
    if let Some(image) = options
        .releases
        .iter()
        .find(|image| repository(image) == image.as_str())
    {
        return Err(Failure::Unreadable(format!(
            "--release must name a tag or a digest, such as registry.example.com/shop:1.4.2; '{image}' names none"
        )));
    }
    let declared = declared::read(&sources, &options.namespace)?;
    let namespaces = declared.namespaces();
    for namespace in &namespaces {
        if namespaces.len() > 1 {
            terminal.say(&format!("Namespace {namespace}"))?;
        }
        let story = tell(namespace, &declared, options);
        terminal.say(&text::printable(&story))?;
    }
    Ok(Exit::Done)
}

/// The story of a namespace: what the files declare, then one release after the other.
fn tell(namespace: &str, declared: &Declared, options: &Options) -> String {
    let mut stage = Stage::new(namespace);
    let last = Build {
        runs: if options.failing_health {
            Runs::NeverReady
        } else {
            Runs::Well
        },
        migrates: if options.failing_migration {
            Migrates::Fails
        } else {
            Migrates::default()
        },
        ..Build::default()
    };
    let build = |is_last: bool| if is_last { last } else { Build::default() };
    stage.story.person(&stage.world, "applies the files");
    declared.apply(&mut stage.world);
    stage.go_on(build(options.releases.is_empty()));
    for (index, image) in options.releases.iter().enumerate() {
        stage
            .story
            .person(&stage.world, &format!("names the release {image}"));
        stage.release(image);
        stage.go_on(build(index + 1 == options.releases.len()));
    }
    stage.story.text()
}

impl Stage {
    fn new(namespace: &str) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        Self {
            world: World::new(namespace, now),
            story: Story::begin(now),
        }
    }

    /// Names another release in every Environment; what the one before said beside its image is not its own.
    fn release(&mut self, image: &str) {
        for environment in self.environments() {
            let mut environment = Environment::clone(&environment);
            let release = &mut environment.spec.release;
            release.image = Some(image.to_owned());
            release.commit = None;
            release.migration_key = None;
            // The name is this object's own, so that nothing can be refused.
            let _ = self.world.store.declare(environment);
        }
    }

    /// Lets everything happen until nothing does; every image that is new does this.
    fn go_on(&mut self, build: Build) {
        let mut quiet = QUIET;
        for environment in self.environments() {
            self.world.assume_activator(false);
            self.world.assume_config(&environment);
            self.world.assume_references(&environment, |_| true);
            self.world.assume_external_database(&environment);
            self.world.assume_images(&environment, build, tag);
            // A release that hangs is given up after its deadline.
            if build.runs == Runs::NeverReady {
                let deadline = environment.spec.strategy.progress_deadline_seconds;
                quiet = quiet.max(QUIET + i64::from(deadline));
            }
        }
        let story = &mut self.story;
        self.world.settle(quiet, &mut |world, event| match event {
            Event::Pass(name, pass) => story.pass(world, name, pass),
            Event::App(name, pass) => story.app(world, name, pass),
            Event::Preview(name, pass) => story.preview(world, name, pass),
            Event::Effect(effect) => story.effect(world, effect),
        });
    }

    fn environments(&self) -> Vec<Arc<Environment>> {
        self.world.store.environments.values().cloned().collect()
    }
}

/// The migration key of an image whose label nobody reads here: each tag brings its own.
fn tag(image: &str) -> Option<String> {
    image.rsplit(':').next().map(str::to_owned)
}
