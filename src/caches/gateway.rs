//! HTTPRoutes are watched when the cluster has their API, from the moment that it comes.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Error, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use super::Caches;
use super::intake::{config, keep_guarded, of_environments};
use super::watches::{Scope, api, route_changed};
use crate::build::http_route::HttpRoute;

const CRD: &str = "httproutes.gateway.networking.k8s.io";
const GROUP_VERSION: &str = "gateway.networking.k8s.io/v1";
const PLURAL: &str = "httproutes";
/// How often it is asked whether the API exists, where its CRD may not be watched.
const SLOW: Duration = Duration::from_secs(60);
/// A CRD that was just made serves a moment later.
const SOON: Duration = Duration::from_secs(2);
const TRIES_SOON: usize = 15;
/// How often in a row the API must be denied.
const NOES: usize = 3;
const BETWEEN: Duration = Duration::from_secs(1);

/// Watches HTTPRoutes while there are such things.
pub(super) async fn watch(caches: Arc<Caches>, client: Client, scope: Scope) {
    let (told, mut crd) = channel(false);
    let mut hints = JoinSet::new();
    hints.spawn(hint(client.clone(), scope.clone(), told));
    let mut routes = None;
    let mut first = true;
    loop {
        let there = served(&client).await;
        routes = match (there, routes) {
            (true, None) => Some(start(&caches, &client, &scope)),
            (false, Some(running)) => stop(&caches, running).await,
            (_, unchanged) => unchanged,
        };
        if std::mem::take(&mut first) {
            caches.arrived();
        }
        if settle(there, &client, &mut crd).await.is_err() {
            return;
        }
    }
}

fn start(caches: &Arc<Caches>, client: &Client, scope: &Scope) -> JoinSet<()> {
    tracing::info!("the Gateway API is there");
    let mut running = JoinSet::new();
    let parts = scope.parts();
    caches.expect_more(parts.len());
    for part in parts {
        let api = api(client, part.as_deref());
        let changed = route_changed::<HttpRoute>;
        running.spawn(keep_guarded(
            caches.clone(),
            api,
            of_environments(),
            part,
            changed,
        ));
    }
    caches.set_gateway_api(true);
    running
}

async fn stop(caches: &Caches, mut running: JoinSet<()>) -> Option<JoinSet<()>> {
    tracing::warn!("the Gateway API is gone");
    running.shutdown().await;
    let mark = caches.http_routes.mark();
    for change in caches.http_routes.replaced(None, Vec::new(), mark) {
        route_changed(caches, &change);
    }
    caches.set_gateway_api(false);
    None
}

/// Waits until it is worth asking again: the CRD came, went or changed. A CRD that is there serves soon.
async fn settle(there: bool, client: &Client, crd: &mut Receiver<bool>) -> Result<(), ()> {
    for _ in 0..TRIES_SOON {
        if *crd.borrow_and_update() == there {
            break;
        }
        tokio::time::sleep(SOON).await;
        if exists(client).await.is_some_and(|now| now != there) {
            return Ok(());
        }
    }
    crd.changed().await.map_err(|_| ())
}

/// Whether HTTPRoutes are served. An apiserver that starts denies them for a moment: only a repeated no is one.
async fn served(client: &Client) -> bool {
    let mut denied = 0;
    loop {
        match exists(client).await {
            Some(true) => return true,
            Some(false) => denied += 1,
            None => {}
        }
        if denied == NOES {
            return false;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// The apiserver's answer, if any.
async fn exists(client: &Client) -> Option<bool> {
    match client.list_api_group_resources(GROUP_VERSION).await {
        Ok(list) => Some(
            list.resources
                .iter()
                .any(|resource| resource.name == PLURAL),
        ),
        // A group that is not served is answered in plain text, without a reason.
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(error) => {
            tracing::debug!(%error, "whether the Gateway API is there is not known");
            None
        }
    }
}

/// Tells when it is worth asking again. Who looks in single namespaces has no right to watch a CRD: a nudge from time to time.
async fn hint(client: Client, scope: Scope, told: Sender<bool>) {
    if matches!(scope, Scope::Cluster) {
        watch_crd(client, &told).await;
    }
    loop {
        tokio::time::sleep(SLOW).await;
        told.send_modify(|_| {});
    }
}

fn forbidden(error: &Error) -> bool {
    let (Error::InitialListFailed(source) | Error::WatchStartFailed(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if status.is_forbidden())
}

/// Tells whether the CRD is there, at each of its changes, as long as it may be watched.
async fn watch_crd(client: Client, told: &Sender<bool>) {
    let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
    let config = config().fields(&format!("metadata.name={CRD}"));
    let mut events = Box::pin(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(_) | Event::InitApply(_)) => drop(told.send(true)),
            Ok(Event::Delete(_)) => drop(told.send(false)),
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) if forbidden(&error) => return,
            Err(error) => tracing::debug!(%error, "the watch of the Gateway API's CRD failed"),
        }
    }
}
