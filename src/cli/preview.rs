//! `kubectl towpath preview`: the pull requests that are live.

mod rest;
pub(super) mod table;

use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt};

use super::cluster::{Cluster, Refusal, Where};
use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use super::trigger;
use crate::api::{ConditionType, Preview, labels};
use rest::Word;

/// What starts a browser, where `$BROWSER` names none.
const BROWSERS: [&str; 2] = ["xdg-open", "open"];

/// Show the previews of pull requests, and say what shall become of them.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the previews of a namespace.
    List {
        /// Previews of every namespace.
        #[arg(short = 'A', long, conflicts_with = "namespace")]
        all_namespaces: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Open a preview in the browser; without a terminal, print its URL.
    Open(One),
    /// Let a preview live on: its time to live is counted from now. One that has expired is made anew.
    Extend(One),
    /// Give a preview a new database, without the data of the one before.
    Reset(One),
    /// Send a preview to sleep: its pods go, its data stays, and the first request wakes it.
    Sleep(One),
    /// Wake a preview that sleeps.
    Wake(One),
    /// Delete a preview, and with it its Environment and its database.
    Delete(One),
}

/// One preview.
#[derive(Debug, Args)]
struct One {
    /// Name of the Preview, or the number of its pull request.
    preview: String,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match options.verb {
        Verb::List {
            all_namespaces,
            place,
        } => list(&place.connect().await?, all_namespaces, terminal).await,
        Verb::Open(one) => {
            let (_, preview) = one.find().await?;
            open(&preview, terminal)
        }
        Verb::Extend(one) => {
            let (cluster, preview) = one.find().await?;
            trigger::pull(&cluster, &preview, labels::EXTEND, None).await?;
            terminal.say(&format!(
                "The time to live of Preview '{}' is counted from now",
                preview.name_any()
            ))?;
            Ok(Exit::Done)
        }
        Verb::Reset(one) => {
            let (cluster, preview) = one.find().await?;
            trigger::pull(&cluster, &preview, labels::RESET, None).await?;
            terminal.say(&format!(
                "Preview '{}' gets a new database; the one before goes when nothing runs on it any more",
                preview.name_any()
            ))?;
            Ok(Exit::Done)
        }
        Verb::Sleep(one) => {
            let (cluster, preview) = one.find().await?;
            rest::say(Word::Sleep, &cluster, &preview, terminal).await
        }
        Verb::Wake(one) => {
            let (cluster, preview) = one.find().await?;
            rest::say(Word::Wake, &cluster, &preview, terminal).await
        }
        Verb::Delete(one) => {
            let (cluster, preview) = one.find().await?;
            delete(&cluster, &preview, terminal).await
        }
    }
}

async fn list(
    cluster: &Cluster,
    everywhere: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let api: Api<Preview> = match everywhere {
        true => Api::all(cluster.client.clone()),
        false => previews(cluster),
    };
    let list = cluster.must(api.list(&ListParams::default())).await?;
    if list.items.is_empty() {
        let place = match everywhere {
            true => "any namespace".to_owned(),
            false => format!("namespace '{}'", cluster.namespace),
        };
        terminal.warn(&format!("There is no Preview in {place}."));
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    terminal.say(&table::render(&list.items, everywhere, now, terminal.look))?;
    Ok(Exit::Done)
}

fn previews(cluster: &Cluster) -> Api<Preview> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

impl One {
    /// The Preview of that name, or the one of that number.
    async fn find(&self) -> Result<(Cluster, Preview), Failure> {
        let cluster = self.place.connect().await?;
        let api = previews(&cluster);
        let Ok(number) = self.preview.parse::<i64>() else {
            let found = cluster.ask(api.get(&self.preview)).await;
            let preview = found.map_err(|refusal| match refusal {
                Refusal::Missing(true) => Failure::NoAnswer(self.missing(&cluster)),
                other => cluster.tell(other),
            })?;
            return Ok((cluster, preview));
        };
        let all = cluster.must(api.list(&ListParams::default())).await?;
        let of_number = |preview: &Preview| preview.spec.pull_request.number == number;
        let mut found: Vec<Preview> = all.items.into_iter().filter(of_number).collect();
        match (found.pop(), found.is_empty()) {
            (Some(preview), true) => Ok((cluster, preview)),
            (Some(_), false) => Err(Failure::Refused(format!(
                "several Apps have a Preview of pull request {number}: it must be named by its name"
            ))),
            (None, _) => Err(Failure::NoAnswer(self.missing(&cluster))),
        }
    }

    fn missing(&self, cluster: &Cluster) -> String {
        format!(
            "Preview '{}' does not exist in namespace '{}'",
            self.preview, cluster.namespace
        )
    }
}

fn open(preview: &Preview, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let name = preview.name_any();
    let status = preview.status.as_ref();
    let Some(url) = status.and_then(|status| status.url.as_deref()) else {
        let ready = table::condition(preview, ConditionType::Ready);
        let why = ready.map_or("nothing is known of it yet", |ready| ready.message.as_str());
        return Err(Failure::Refused(format!(
            "Preview '{name}' has no URL yet: {why}"
        )));
    };
    terminal.say(url)?;
    if terminal.redraws {
        start_browser(url);
    }
    Ok(Exit::Done)
}

/// The URL is printed already: where there is no browser, nothing is lost.
fn start_browser(url: &str) {
    let named = std::env::var("BROWSER").ok();
    let programs = named.iter().map(String::as_str).chain(BROWSERS);
    for program in programs {
        let mut command = Command::new(program);
        command.arg(url).stdout(Stdio::null()).stderr(Stdio::null());
        if command.spawn().is_ok() {
            return;
        }
    }
}

async fn delete(
    cluster: &Cluster,
    preview: &Preview,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let name = preview.name_any();
    let only = Preconditions {
        uid: preview.uid(),
        resource_version: None,
    };
    let params = DeleteParams::background().preconditions(only);
    cluster
        .must(previews(cluster).delete(&name, &params))
        .await?;
    terminal.say(&format!(
        "Preview '{name}' goes, and with it its Environment and its database"
    ))?;
    Ok(Exit::Done)
}
