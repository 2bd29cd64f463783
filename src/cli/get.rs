//! `kubectl towpath get`: what runs, whether it is well, and why not.

pub mod follow;
pub mod pods;
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
use super::terminal::Terminal;
use crate::api::{Environment, labels};
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
            if list.items.is_empty() {
                terminal.warn(&nothing(&cluster, options.all_namespaces));
                return Ok(Exit::Done);
            }
            let now = Timestamp::now();
            terminal.say(&table::render(
                &list.items,
                options.all_namespaces,
                now,
                terminal.look,
            ))?;
            Ok(Exit::Done)
        }
        (None, true) => follow::all(&cluster, options.all_namespaces, terminal).await,
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
