//! What people type: one file per command. Reading, deciding and rendering are apart; only the last two are golden-tested.

pub mod accept_database;
pub mod cluster;
pub mod crds;
pub mod declared;
pub mod exit;
pub mod files;
pub mod get;
pub mod golden;
pub mod history;
pub mod lint;
pub mod migration;
pub mod migration_key;
pub mod paint;
pub mod plan;
pub mod preview;
pub mod retry;
pub mod simulate;
pub mod status;
pub mod terminal;
pub mod text;
pub mod trigger;
pub mod watch;
pub mod yaml;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::{Exit, Failure};
use terminal::Terminal;

/// Takes an app from an image to serving traffic: migrations first, no dropped request, and back by itself.
#[derive(Debug, Parser)]
#[command(name = "towpath", disable_version_flag = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::Options),
    Status(status::Options),
    History(history::Options),
    Retry(retry::Options),
    Migration(migration::Options),
    MigrationKey(migration_key::Options),
    AcceptDatabase(accept_database::Options),
    Preview(preview::Options),
    Lint(lint::Options),
    Plan(plan::Options),
    Simulate(simulate::Options),
    Crds(crds::Options),
    Golden(golden::Options),
    /// Run the controller.
    Run(crate::run::Options),
    /// Run the activator: it passes requests on to previews that may sleep, and wakes them.
    Activator(crate::activator::Options),
    /// Print the version.
    Version,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match command(arguments.first()).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return exit::usage(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let mut terminal = Terminal::detect();
    let outcome = cli.command.run(&mut terminal);
    exit::code(outcome, &mut terminal)
}

/// The command as it is called: a link of the name `kubectl-towpath` makes it a plugin of kubectl.
fn command(called: Option<&OsString>) -> clap::Command {
    let plugin = called
        .and_then(|path| Path::new(path).file_stem())
        .is_some_and(|name| name == "kubectl-towpath");
    let command = Cli::command();
    if plugin {
        command.bin_name("kubectl towpath")
    } else {
        command
    }
}

impl Command {
    fn run(self, terminal: &mut Terminal) -> Result<Exit, Failure> {
        match self {
            Self::Get(options) => ask(get::run(options, terminal)),
            Self::Status(options) => ask(status::run(options, terminal)),
            Self::History(options) => ask(history::run(options, terminal)),
            Self::Retry(options) => ask(retry::run(options, terminal)),
            Self::Migration(options) => ask(migration::run(options, terminal)),
            Self::MigrationKey(options) => migration_key::run(&options, terminal),
            Self::AcceptDatabase(options) => ask(accept_database::run(options, terminal)),
            Self::Preview(options) => ask(preview::run(options, terminal)),
            Self::Lint(options) => lint::run(&options, terminal),
            Self::Plan(options) => ask(plan::run(options, terminal)),
            Self::Simulate(options) => simulate::run(&options, terminal),
            Self::Crds(options) => crds::run(&options, terminal),
            Self::Golden(options) => ask(golden::run(options, terminal)),
            Self::Run(options) => serve(crate::run::run(options)),
            Self::Activator(options) => serve(crate::activator::run(options)),
            Self::Version => {
                terminal.say(concat!("towpath ", env!("CARGO_PKG_VERSION")))?;
                Ok(Exit::Done)
            }
        }
    }
}

/// Runs a command that asks the cluster; one thread is enough for it.
fn ask(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

/// Runs what serves until it is told to end.
fn serve(server: impl Future<Output = anyhow::Result<()>>) -> Result<Exit, Failure> {
    let ended = tokio::runtime::Runtime::new()?.block_on(server);
    ended
        .map(|()| Exit::Done)
        .map_err(|error| Failure::Refused(format!("{error:#}")))
}
