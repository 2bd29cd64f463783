//! `kubectl towpath get`: what runs, whether it is well, and why not.

pub mod follow;
pub mod one;
pub mod pods;
pub mod previews;
pub mod table;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod view;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::{Cluster, Refusal, Where};
use super::exit::{Exit, Failure};
use super::terminal::{Look, Terminal};
use crate::api::{Environment, Preview, labels};
use view::View;

/// Show the Environments of a namespace, or one of them with everything that belongs to it.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of an Environment. Without it: a table of all.
    environment: Option<String>,
    /// Environments of every namespace.
    #[arg(short = 'A', long, conflicts_with_all = ["environment", "namespace"])]
    all_namespaces: bool,
    /// Follow what changes, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let cluster = options.place.connect().await?;
    match (&options.environment, options.watch) {
        (Some(name), false) => {
            let (preview, view) = read(&cluster, name).await?;
            let (preview, view) = (preview.as_ref(), view.as_ref());
            terminal.say(&one::render(preview, view, Timestamp::now(), terminal.look))?;
            Ok(Exit::Done)
        }
        (Some(name), true) => follow::one(&cluster, name, terminal).await,
        (None, false) => {
            let api = environments(&cluster, options.all_namespaces);
            let list = cluster.must(api.list(&ListParams::default())).await?;
            let previews = previews_of(&cluster, options.all_namespaces, terminal).await;
            if list.items.is_empty() && previews.is_empty() {
                terminal.warn(&nothing(&cluster, options.all_namespaces));
                return Ok(Exit::Done);
            }
            let (everywhere, now) = (options.all_namespaces, Timestamp::now());
            let shown = overview(list.items, &previews, everywhere, now, terminal.look);
            terminal.say(&shown)?;
            Ok(Exit::Done)
        }
        (None, true) => follow::all(&cluster, options.all_namespaces, terminal).await,
    }
}

/// Environments as a table; those of Previews below these, as trees.
fn overview(
    environments: Vec<Environment>,
    previews: &[Preview],
    everywhere: bool,
    now: Timestamp,
    look: Look,
) -> String {
    if previews.is_empty() {
        return table::render(&environments, everywhere, now, look);
    }
    let (alone, owned) = previews::apart(environments, previews);
    let trees = previews::render(previews, &owned, everywhere, now, look);
    match alone.is_empty() {
        true => trees.trim_start_matches('\n').to_owned(),
        false => table::render(&alone, everywhere, now, look) + &trees,
    }
}

/// The Previews of the namespace, or of all. Who may not read them is told so, and sees the rest.
async fn previews_of(cluster: &Cluster, everywhere: bool, terminal: &mut Terminal) -> Vec<Preview> {
    let api = previews(cluster, everywhere);
    match cluster.ask(api.list(&ListParams::default())).await {
        Ok(list) => list.items,
        Err(refusal) => {
            terminal.warn(&format!("Previews are not shown: {}", refusal.words()));
            Vec::new()
        }
    }
}

/// The Environments of the namespace, or of all.
fn environments(cluster: &Cluster, everywhere: bool) -> Api<Environment> {
    if everywhere {
        Api::all(cluster.client.clone())
    } else {
        cluster.environments()
    }
}

/// The Previews of the namespace, or of all.
fn previews(cluster: &Cluster, everywhere: bool) -> Api<Preview> {
    match everywhere {
        true => Api::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    }
}

fn nothing(cluster: &Cluster, everywhere: bool) -> String {
    if everywhere {
        "There is no Environment in any namespace.".to_owned()
    } else {
        format!(
            "There is no Environment in namespace '{}'.",
            cluster.namespace
        )
    }
}

/// What selects everything that belongs to an Environment.
pub fn selector(name: &str) -> String {
    format!("{}={name}", labels::ENVIRONMENT)
}

/// The Environment of that name, and the Preview, where it is one of a Preview. One of them is there.
async fn named(
    cluster: &Cluster,
    name: &str,
    unread: &mut Vec<String>,
) -> Result<(Option<Preview>, Option<Environment>), Failure> {
    let environment = match cluster.ask(cluster.environments().get(name)).await {
        Ok(found) => Some(found),
        Err(Refusal::Missing(true)) => None,
        Err(refusal) => return Err(cluster.tell(refusal)),
    };
    let plain = |found: &Environment| found.spec.preview.is_none();
    if environment.as_ref().is_some_and(plain) {
        return Ok((None, environment));
    }
    let preview = cluster.ask(previews(cluster, false).get(name)).await;
    let preview = preview.map_err(|refusal| unread.push(format!("Previews: {}", refusal.words())));
    match (preview.ok(), environment) {
        (None, None) => Err(Failure::NoAnswer(cluster.there_is_no(name))),
        found => Ok(found),
    }
}

/// Reads an Environment and what belongs to it, and its Preview. What may not be read is left out, and told.
async fn read(cluster: &Cluster, name: &str) -> Result<(Option<Preview>, Option<View>), Failure> {
    let mut unread = Vec::new();
    let (preview, environment) = named(cluster, name, &mut unread).await?;
    let view = match environment {
        Some(environment) => Some(children(cluster, environment, unread).await),
        None => None,
    };
    Ok((preview, view))
}

async fn children(cluster: &Cluster, environment: Environment, mut unread: Vec<String>) -> View {
    let name = &environment.name_any();
    let (revisions, deployments, pods, jobs) = futures::join!(
        list(cluster, name, "ControllerRevisions"),
        list(cluster, name, "Deployments"),
        list(cluster, name, "Pods"),
        list(cluster, name, "Jobs"),
    );
    let revisions = told(revisions, &mut unread);
    let deployments = told(deployments, &mut unread);
    let pods = told(pods, &mut unread);
    let jobs = told(jobs, &mut unread);
    View::of(environment, &revisions, deployments, pods, jobs, unread)
}

fn told<K>(answer: Result<Vec<K>, String>, unread: &mut Vec<String>) -> Vec<K> {
    answer.unwrap_or_else(|why| {
        unread.push(why);
        Vec::new()
    })
}

async fn list<K>(cluster: &Cluster, name: &str, kind: &str) -> Result<Vec<K>, String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let list = cluster
        .ask(api.list(&ListParams::default().labels(&selector(name))))
        .await;
    list.map(|list| list.items)
        .map_err(|refusal| format!("{kind}: {}", refusal.words()))
}
