//! `kubectl towpath get`: what runs, whether it is well, and why not.

pub mod follow;
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
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::cluster::{Cluster, Where};
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
            let view = read(&cluster, name).await?;
            terminal.say(&tree::render(&view, Timestamp::now(), terminal.look))?;
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
            let shown = overview(list.items, &previews, options.all_namespaces, terminal.look);
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
    look: Look,
) -> String {
    let now = Timestamp::now();
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
    let api: Api<Preview> = match everywhere {
        true => Api::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    };
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

/// Reads an Environment and what belongs to it. What may not be read is left out, and told.
async fn read(cluster: &Cluster, name: &str) -> Result<View, Failure> {
    let environment = cluster.environment(name).await?;
    let (revisions, deployments, pods, jobs) = futures::join!(
        list(cluster, name, "ControllerRevisions"),
        list(cluster, name, "Deployments"),
        list(cluster, name, "Pods"),
        list(cluster, name, "Jobs"),
    );
    let mut unread = Vec::new();
    let revisions = told(revisions, &mut unread);
    let deployments = told(deployments, &mut unread);
    let pods = told(pods, &mut unread);
    let jobs = told(jobs, &mut unread);
    Ok(View::of(
        environment,
        &revisions,
        deployments,
        pods,
        jobs,
        unread,
    ))
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
