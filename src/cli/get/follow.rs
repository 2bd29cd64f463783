//! `get --watch`: drawn anew when something changes, and only then.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;

use super::view::View;
use super::{environments, nothing, selector, table, tree};
use crate::api::Environment;
use crate::cli::cluster::Cluster;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::{Look, Terminal};
use crate::cli::watch::Watches;

/// How often ages are drawn anew on a terminal.
const AGES: Duration = Duration::from_secs(5);

/// Follows the table of Environments.
pub async fn all(
    cluster: &Cluster,
    everywhere: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut watches = Watches::new();
    let store = watches.add(
        "Environments",
        environments(cluster, everywhere),
        watcher::Config::default(),
    );
    let empty = nothing(cluster, everywhere);
    draw(watches, terminal, |now, look, trouble| {
        let found: Vec<Environment> = store
            .state()
            .iter()
            .map(|found| (**found).clone())
            .collect();
        let mut picture = match found.is_empty() {
            true => format!("{empty}\n"),
            false => table::render(&found, everywhere, now, look),
        };
        trouble
            .iter()
            .for_each(|note| picture.push_str(&format!("{note}\n")));
        Ok(picture)
    })
    .await
}

/// Follows one Environment with everything that belongs to it.
pub async fn one(cluster: &Cluster, name: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // Asked once before, so that one that does not exist is no endless wait.
    cluster.environment(name).await?;
    let mut watches = Watches::new();
    let alone = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let environment = watches.add("Environments", cluster.environments(), alone);
    let revisions: Store<ControllerRevision> =
        watches.children(cluster, &selector(name), "ControllerRevisions");
    let deployments: Store<Deployment> = watches.children(cluster, &selector(name), "Deployments");
    let pods: Store<Pod> = watches.children(cluster, &selector(name), "Pods");
    let jobs: Store<Job> = watches.children(cluster, &selector(name), "Jobs");
    let gone = cluster.there_is_no(name);
    draw(watches, terminal, |now, look, trouble| {
        let Some(found) = environment.state().first().cloned() else {
            return Err(Failure::NoAnswer(gone.clone()));
        };
        let view = View::of(
            (*found).clone(),
            &all_of(&revisions),
            all_of(&deployments),
            all_of(&pods),
            all_of(&jobs),
            trouble.to_vec(),
        );
        Ok(tree::render(&view, now, look))
    })
    .await
}

fn all_of<K: Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> Vec<K> {
    store
        .state()
        .iter()
        .map(|object| (**object).clone())
        .collect()
}

/// Draws a picture when something changed, until Ctrl-C.
async fn draw(
    mut watches: Watches,
    terminal: &mut Terminal,
    picture: impl Fn(Timestamp, Look, &[String]) -> Result<String, Failure>,
) -> Result<Exit, Failure> {
    let mut ages = tokio::time::interval(AGES);
    let mut last: Option<(Timestamp, String)> = None;
    loop {
        tokio::select! {
            () = watches.changed() => {}
            _ = ages.tick(), if terminal.redraws => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
        if !watches.have_all_spoken() {
            continue;
        }
        let notes = watches.notes();
        // What differs in ages alone is no change to append.
        if let Some((then, drawn)) = &last
            && !terminal.redraws
            && picture(*then, terminal.look, &notes)? == *drawn
        {
            continue;
        }
        let now = Timestamp::now();
        let drawn = picture(now, terminal.look, &notes)?;
        terminal.draw(&drawn)?;
        last = Some((now, drawn));
    }
}
