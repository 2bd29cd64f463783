//! What a pass must look at, as far as what was seen already tells: so that nothing is asked that decides nothing.

use std::collections::BTreeSet;

use super::situation::Situation;
use crate::api::environment::SharedServer;
use crate::api::{App, Environment};
use crate::postgres::{Access, Question};
use crate::seen::{Seen, SeenEnvironment};

/// ConfigMaps and Secrets that an Environment and its App name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// ConfigMaps, whose content belongs to the revision.
    pub config_maps: BTreeSet<String>,
    /// Secrets, pull Secrets and the Secret of an external database among them.
    pub secrets: BTreeSet<String>,
}

/// The ConfigMaps and Secrets to watch for this Environment.
#[must_use]
pub fn names(environment: &Environment, app: Option<&App>) -> Names {
    super::configure::names(environment, app)
}

/// The images to ask registries for: named by the release, and not resolved by a revision that serves or is on its way.
#[must_use]
pub fn images(seen: &SeenEnvironment) -> Vec<String> {
    match super::accept::accept(seen) {
        Ok(effective) if super::stages::stopped(seen).is_none() => {
            super::resolve::unknown(seen, &effective)
        }
        _ => Vec::new(),
    }
}

/// A question to the database behind an Environment.
#[derive(Clone, Debug)]
pub struct DatabaseQuestion {
    /// Where it is.
    pub at: Address,
    /// What is asked.
    pub question: Question,
    /// Whether an answer given before, by the same address, is good enough; else it is asked anew.
    pub cached: bool,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Address {
    /// Known, with its login.
    Access(Access),
    /// A URL in a key of a Secret that the Environment names.
    Secret {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// The shared server whose admin access a pass needs, if any.
#[must_use]
pub fn server(seen: &SeenEnvironment) -> Option<&SharedServer> {
    let server = seen.environment.spec.database.as_ref()?.server.as_ref()?;
    let stopped = super::stages::stopped(seen).is_some();
    let needed = !stopped || super::teardown::is_held(&seen.environment);
    needed.then_some(server)
}

/// Which of its databases to ask.
#[must_use]
pub fn incarnation(seen: &SeenEnvironment) -> i64 {
    match seen.environment.spec.preview {
        Some(_) => Situation::of(seen).incarnation(),
        None => 0,
    }
}

/// What to ask the database, if anything.
#[must_use]
pub fn database(seen: &SeenEnvironment) -> Option<DatabaseQuestion> {
    let Seen::Found(app) = &seen.app else {
        return None;
    };
    app.spec
        .database
        .as_ref()
        .filter(|_| super::stages::stopped(seen).is_none())?;
    let (at, question) = super::database::question(seen)?;
    let situation = Situation::of(seen);
    if situation.asleep {
        return None;
    }
    let cached = situation.is_settled() && super::tokens::none_fresh(seen);
    Some(DatabaseQuestion {
        at,
        question,
        cached,
    })
}

/// A check of a Web component after the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckQuestion {
    /// Key in [`SeenEnvironment::checks`], such as `web` or `web on shop.example.com`.
    pub key: String,
    /// The revision whose rollout it checks: answers for another one do not count.
    pub revision: i64,
    /// Who is asked for what, in words, such as `/health of 'web' on host 'shop.example.com'`.
    pub asked: String,
    /// How it is asked.
    pub by: By,
}

/// How a check is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// GET of this URL at a Service's cluster address.
    Http(String),
    /// A TCP connection to `address:port`.
    Tcp(String),
    /// GET of a path on a host, through the gateway.
    Host {
        /// The address of the configuration.
        address: String,
        /// The host.
        host: String,
        /// The path.
        path: String,
    },
}

/// The checks to make in this pass.
#[must_use]
pub fn checks(seen: &SeenEnvironment) -> Vec<CheckQuestion> {
    let Some(newest) = seen.revisions.last().filter(|newest| newest.holds_slots()) else {
        return Vec::new();
    };
    let rolled = super::rollout::is_rolled_out(seen, newest);
    if newest.facts.verified.is_some() || !rolled || super::stages::stopped(seen).is_some() {
        return Vec::new();
    }
    super::verify::questions(seen, newest)
}
