//! The Git host of an App: the one that its source names, with the token of the Secret that it names.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use crate::api::App;
use crate::api::template::Source;
use crate::context::{Context, Subject};
use crate::git::{GitHost, Token};
use crate::plan::questions::Names;
use crate::seen::{Hindrance, Seen};

/// The repository whose pull requests get previews, if the App names one.
#[must_use]
pub fn source(app: &App) -> Option<&Source> {
    app.spec.preview.as_ref()?.source.as_ref()
}

/// The host of a source, and what leads to it.
pub struct Connection {
    /// The host, asked with the token.
    pub host: Arc<dyn GitHost>,
    /// The version of the token's Secret.
    pub version: String,
}

/// The host of a source in this namespace, asked with its token. From now on `user`, which is in the same namespace, looks
/// again when the Secret of the token changes, and for no other Secret.
pub async fn connect(
    user: &Subject,
    source: &Source,
    ctx: &Context,
) -> Result<Connection, Hindrance> {
    let name = &source.secret_ref.name;
    let names = Names {
        secrets: BTreeSet::from([name.clone()]),
        ..Names::default()
    };
    ctx.named.need(user, &names).await;
    let secret = match ctx.named.secret(&user.1.namespace, name) {
        Seen::Found(secret) => secret,
        Seen::Missing => return Err(Hindrance::SecretMissing),
        Seen::Unknown(why) => return Err(Hindrance::SecretUnknown(why)),
    };
    let data = secret.data.as_ref();
    let value = data.and_then(|data| data.get(&source.token_key));
    let token = Token::new(&value.ok_or(Hindrance::KeyMissing)?.0);
    let token = token.map_err(Hindrance::TokenInvalid)?;
    let host = ctx
        .git
        .host(source.provider, source.host.as_deref(), &token);
    Ok(Connection {
        host: host.map_err(Hindrance::Host)?,
        version: secret.resource_version().unwrap_or_default(),
    })
}

/// The version of the Secret of the token.
#[must_use]
pub fn version(namespace: &str, source: &Source, ctx: &Context) -> Option<String> {
    match ctx.named.secret(namespace, &source.secret_ref.name) {
        Seen::Found(secret) => secret.resource_version(),
        Seen::Missing | Seen::Unknown(_) => None,
    }
}
