//! Reads how a shared server is reached by who may make databases: each time, so that a changed password counts at once.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::config::PostgresServer;
use crate::context::Context;
use crate::plan::questions;
use crate::postgres::{Access, Failure};
use crate::seen::SeenEnvironment;

/// How long the apiserver may take to give the Secret.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The access to the server that this pass needs. `None`: it needs none, or one that the configuration does not have.
pub(super) async fn admin(
    seen: &SeenEnvironment,
    ctx: &Context,
) -> Option<Result<Access, Failure>> {
    let named = questions::server(seen)?;
    let server = ctx.config.postgres.server(&named.name)?;
    Some(access(server, ctx).await)
}

/// How a server is reached by who may make databases.
pub async fn access(server: &PostgresServer, ctx: &Context) -> Result<Access, Failure> {
    let (name, key) = (&server.secret_ref.name, &server.url_key);
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let read = tokio::time::timeout(TIMEOUT, api.get_opt(name)).await;
    let must = |what: &str| {
        Failure::Refused(format!(
            "Secret {name} of server '{}', in the controller's namespace, must {what}",
            server.name
        ))
    };
    let silent = || {
        Failure::Silent(format!(
            "The Secret of server '{}' could not be read",
            server.name
        ))
    };
    let secret = match read {
        Ok(Ok(secret)) => secret.ok_or_else(|| must("exist"))?,
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            return Err(must("be readable by the controller"));
        }
        Ok(Err(_)) | Err(_) => return Err(silent()),
    };
    let value = secret.data.and_then(|mut data| data.remove(key));
    let url = value.and_then(|value| String::from_utf8(value.0).ok());
    let url = url.ok_or_else(|| must(&format!("have the key {key}")))?;
    Access::parse(url.trim()).map_err(|why| {
        must(&format!(
            "hold a URL of PostgreSQL under the key {key}: {why}"
        ))
    })
}
