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
use super::{environments, named, nothing, one, overview, previews, selector};
use crate::cli::cluster::Cluster;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::{Look, Terminal};
use crate::cli::watch::Watches;

/// How often ages are drawn anew on a terminal.
const AGES: Duration = Duration::from_secs(5);

/// Follows the table of Environments, and the Previews below it.
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
    let kept = watches.add(
        "Previews",
        previews(cluster, everywhere),
        watcher::Config::default(),
    );
    let empty = nothing(cluster, everywhere);
    draw(watches, terminal, |now, look, trouble| {
        let (found, previews) = (all_of(&store), all_of(&kept));
        let mut picture = match found.is_empty() && previews.is_empty() {
            true => format!("{empty}\n"),
            false => overview(found, &previews, everywhere, now, look),
        };
        trouble
            .iter()
            .for_each(|note| picture.push_str(&format!("{note}\n")));
        Ok(picture)
    })
    .await
}

/// Follows one Environment with everything that belongs to it, and its Preview.
pub async fn one(cluster: &Cluster, name: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // Asked once before, so that one that does not exist is no endless wait.
    let (preview, _) = named(cluster, name, &mut Vec::new()).await?;
    let mut watches = Watches::new();
    let alone = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let environment = watches.add("Environments", cluster.environments(), alone.clone());
    let preview = preview.map(|_| watches.add("Previews", previews(cluster, false), alone));
    let revisions: Store<ControllerRevision> =
        watches.children(cluster, &selector(name), "ControllerRevisions");
    let deployments: Store<Deployment> = watches.children(cluster, &selector(name), "Deployments");
    let pods: Store<Pod> = watches.children(cluster, &selector(name), "Pods");
    let jobs: Store<Job> = watches.children(cluster, &selector(name), "Jobs");
    let gone = cluster.there_is_no(name);
    draw(watches, terminal, |now, look, trouble| {
        let preview = preview.as_ref().and_then(|store| all_of(store).pop());
        let view = all_of(&environment).pop().map(|found| {
            View::of(
                found,
                &all_of(&revisions),
                all_of(&deployments),
                all_of(&pods),
                all_of(&jobs),
                trouble.to_vec(),
            )
        });
        if preview.is_none() && view.is_none() {
            return Err(Failure::NoAnswer(gone.clone()));
        }
        Ok(one::render(preview.as_ref(), view.as_ref(), now, look))
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
