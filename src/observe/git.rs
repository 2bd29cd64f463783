//! The Git host of an App: the one that its source names, with the token of the Secret that it names.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use crate::api::template::Source;
use crate::api::{App, Reason};
use crate::context::{Context, Subject};
use crate::git::{Failure, GitHost, Token};
use crate::plan::questions::Names;
use crate::seen::{Obstacle, Seen};

/// The repository whose pull requests get previews, if the App names one.
#[must_use]
pub fn source(app: &App) -> Option<&Source> {
    app.spec.preview.as_ref()?.source.as_ref()
}

/// The host of a source in this namespace, asked with its token. From now on `user`, which is in the same namespace, looks
/// again when the Secret of the token changes, and for no other Secret.
pub async fn host(
    user: &Subject,
    source: &Source,
    ctx: &Context,
) -> Result<Arc<dyn GitHost>, Obstacle> {
    let name = &source.secret_ref.name;
    let names = Names {
        secrets: BTreeSet::from([name.clone()]),
        ..Names::default()
    };
    ctx.named.need(user, &names).await;
    let token = token(&user.1.namespace, source, ctx)?;
    let host = ctx
        .git
        .host(source.provider, source.host.as_deref(), &token);
    host.map_err(|failure| match failure {
        Failure::Refused(message) | Failure::Silent(message) => Obstacle {
            reason: Reason::SpecInvalid,
            message,
        },
        Failure::Limited(_) => obstacle(Reason::NoAnswer, "The Git host takes no requests now"),
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

fn token(namespace: &str, source: &Source, ctx: &Context) -> Result<Token, Obstacle> {
    let (name, key) = (&source.secret_ref.name, &source.token_key);
    let secret = match ctx.named.secret(namespace, name) {
        Seen::Found(secret) => secret,
        Seen::Missing => {
            let message = format!("Secret '{name}' must exist: it holds the token of the Git host");
            return Err(obstacle(Reason::ReferenceMissing, message));
        }
        Seen::Unknown(why) => {
            let message = format!("Secret '{name}' could not be read: {why}");
            return Err(obstacle(Reason::ReferenceUnknown, message));
        }
    };
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    let Some(value) = value else {
        let message = format!("Secret '{}' must have the key '{key}'", secret.name_any());
        return Err(obstacle(Reason::KeyMissing, message));
    };
    Token::new(&value.0).map_err(|why| {
        let message = format!("Key '{key}' of Secret '{name}': {why}");
        obstacle(Reason::KeyMissing, message)
    })
}

fn obstacle(reason: Reason, message: impl Into<String>) -> Obstacle {
    Obstacle {
        reason,
        message: message.into(),
    }
}
