//! `towpath golden`: the two ends of making a golden database anew. The CronJobs of the chart run them, before and after what fills it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::apply::password;
use crate::postgres::golden::{Golden, Run, begin, service, swap, url};
use crate::postgres::{self, Access, Password};

/// How long it is tried again, if nothing ends the process before.
const PATIENCE: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_secs(2);

/// File of the connection for libpq.
const SERVICE_FILE: &str = "service.conf";
/// File of the connection URL.
const URL_FILE: &str = "url";
/// File of the word by which `swap` knows what `begin` made.
const RUN_FILE: &str = "run";

/// Make a golden database anew, as the chart's `goldenDatabases` do by schedule.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an empty database beside it, and a login that fills it. What an earlier run left is dropped.
    ///
    /// The folder gets three files: `service.conf` for PGSERVICEFILE with the connection `golden`, `url` with its URL, and `run`
    /// for `swap`.
    Begin(Place),
    /// Look at what was filled in, and put it into the place of the present one, which is dropped.
    Swap(Place),
}

#[derive(Debug, Args)]
struct Place {
    /// Name of the golden database.
    #[arg(long, value_name = "DATABASE")]
    template: String,
    /// File with the URL of a role with CREATEDB and CREATEROLE.
    #[arg(long, value_name = "FILE")]
    url_file: PathBuf,
    /// Folder for what the steps hand on.
    #[arg(long, value_name = "FOLDER")]
    directory: PathBuf,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match options.command {
        Command::Begin(place) => place.begin(terminal).await,
        Command::Swap(place) => place.swap(terminal).await,
    }
}

impl Place {
    fn read(&self) -> Result<(Golden, Access), Failure> {
        let golden = Golden::new(&self.template).map_err(Failure::Refused)?;
        let access = Access::parse(&read(&self.url_file)?);
        let path = self.url_file.display();
        let access = access.map_err(|why| Failure::Unreadable(format!("{path}: {why}")))?;
        Ok((golden, access))
    }

    async fn begin(&self, terminal: &mut Terminal) -> Result<Exit, Failure> {
        let (golden, admin) = self.read()?;
        let word = password().map_err(|error| Failure::Refused(error.to_string()))?;
        let (password, run) = (Password::new(word), Run::random());
        let work = async || begin(&admin, &golden, &password, &run).await;
        let access = patiently(PATIENCE, terminal, work).await?;
        self.write(SERVICE_FILE, &service(&access))?;
        self.write(URL_FILE, &url(&access))?;
        self.write(RUN_FILE, &run.to_string())?;
        terminal.say(&format!(
            "{} is there, empty, at {}; {} fills it",
            access.database(),
            access.address(),
            access.user()
        ))?;
        Ok(Exit::Done)
    }

    async fn swap(&self, terminal: &mut Terminal) -> Result<Exit, Failure> {
        let (golden, admin) = self.read()?;
        let path = self.directory.join(RUN_FILE);
        let run = Run::parse(&read(&path)?).map_err(Failure::Unreadable)?;
        let since = began(&path);
        let work = async || swap(&admin, &golden, &run, Timestamp::now()).await;
        let swapped = patiently(PATIENCE, terminal, work).await?;
        let (name, bytes) = (golden.database().as_str(), swapped.bytes >> 10);
        let took = since.map_or_else(String::new, |took| {
            format!(", made in {} s", took.as_secs())
        });
        terminal.say(&format!("{name} is the new one: {bytes} KiB{took}"))?;
        if let Some(why) = swapped.left {
            let sentence = format!("something of the one before is left, for the next run: {why}");
            terminal.say(&sentence)?;
        }
        Ok(Exit::Done)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| {
            Failure::Unreadable(format!("{} cannot be written: {error}", path.display()))
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::Unreadable(format!("{} cannot be read: {error}", path.display())))
}

/// How long ago a file was written.
fn began(path: &Path) -> Option<Duration> {
    let written = fs::metadata(path).ok()?.modified().ok()?;
    written.elapsed().ok()
}

/// Tries again what ends by itself, and says why it waits, once for each reason.
async fn patiently<T>(
    patience: Duration,
    terminal: &mut Terminal,
    work: impl AsyncFn() -> Result<T, postgres::Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut said = String::new();
    loop {
        let why = match work().await {
            Ok(done) => return Ok(done),
            Err(postgres::Failure::Refused(why)) => return Err(Failure::Refused(why)),
            Err(postgres::Failure::Silent(why) | postgres::Failure::Busy(why)) => why,
        };
        if began.elapsed() >= patience {
            return Err(Failure::NoAnswer(why));
        }
        if why != said {
            terminal.say(&format!("{why}. It is tried again"))?;
            said = why;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
