//! `DatabaseReady`: the database and its roles exist and answer, its identity is the known one, and its binding Secret is
//! written.

mod dedicated;
mod serving;
mod shared;

pub use dedicated::spec as dedicated_spec;
pub use shared::{dial, unwanted};

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::situation::{NOT_ACCEPTED, Situation};
use super::{Action, Gate, Key, Plan, diff, incarnation, stages, tokens};
use crate::api::app::AppDatabase;
use crate::api::environment::Provider;
use crate::api::{ConditionType, Environment, Reason, labels};
use crate::build::{
    binding, config_map, metadata, names, postgres as build_dedicated, shared as build_shared,
};
use crate::plan::questions::Address;
use crate::postgres::{
    Access, Answer, Identifier, Ownership, Password, Question, Role, Roles, SeenDatabase, Unwanted,
    Wanted, orphans,
};
use crate::seen::{Credentials, Hidden, SeenEnvironment};

const STAGE: ConditionType = ConditionType::DatabaseReady;

/// Lets the target pass when its database is ready.
pub fn provide(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let seen = situation.seen;
    let Ok(effective) = &situation.effective else {
        return Gate::new(Reason::Pending, NOT_ACCEPTED);
    };
    let app = effective.app.spec.database.as_ref();
    match (app, provider(seen)) {
        (Some(_), Some(Provider::External)) => external(seen, plan),
        (Some(app), Some(_)) => made(situation, plan, app),
        _ => Gate::new(Reason::NotConfigured, "The App has no database"),
    }
}

/// What a database is made of, if one is needed or stands already, is as it shall be, whatever the gates say.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    match provider(situation.seen) {
        Some(Provider::Dedicated) => dedicated::keep(situation, plan),
        Some(Provider::Server) => shared::keep(situation, plan),
        Some(Provider::External) | None => {}
    }
}

fn provider(seen: &SeenEnvironment) -> Option<Provider> {
    let database = seen.environment.spec.database.as_ref();
    database.map(|database| database.provider)
}

/// A database that is made here: how it is reached, and what it shall be.
struct Site {
    /// Who makes it.
    admin: Access,
    /// What is made.
    wanted: Wanted,
    /// Host and port that apps connect to.
    dial: (String, u16),
    /// What apps log in with.
    credentials: Credentials,
}

impl Site {
    /// Its owner's login, from where it is made.
    fn owner(&self) -> Access {
        let inside = self.admin.to_database(&self.wanted.database);
        inside.as_role(&self.wanted.owner)
    }

    /// The binding Secret of a database of its family.
    fn binding(
        &self,
        environment: &Environment,
        app: &AppDatabase,
        secret: &str,
        database: &str,
        identity: &str,
    ) -> Secret {
        let place = binding::Place {
            secret,
            host: &self.dial.0,
            port: self.dial.1,
            database,
            owner: self.wanted.owner.name.as_str(),
            app: self.wanted.app.name.as_str(),
        };
        binding::secret(environment, app, &place, &self.credentials, identity)
    }
}

/// Where the database is; or why it cannot be reached yet.
fn site(seen: &SeenEnvironment) -> Result<Site, Gate> {
    match provider(seen) {
        Some(Provider::Server) => shared::site(seen),
        _ => dedicated::site(seen),
    }
}

fn made(situation: &Situation<'_>, plan: &mut Plan, app: &AppDatabase) -> Gate {
    let seen = situation.seen;
    if let Some(gate) = dedicated::lost(seen) {
        return gate;
    }
    let site = match site(seen) {
        Ok(site) => site,
        Err(gate) => return gate,
    };
    match &seen.database {
        Some(Answer::Found(found)) if found.roles_ready => {
            serving::bind(situation, plan, app, &site, found);
            known_or_new(situation, plan, app, &site, found)
        }
        // What was made and is still not as wanted is not made again without end.
        Some(Answer::Found(_)) => make(plan, seen, site, stages::OUTSIDE),
        // Before it was made, nobody can log in.
        Some(Answer::Refused(_))
            if known(seen).is_none() || tokens::fresh(seen, labels::ACCEPT_DATABASE).is_some() =>
        {
            make(plan, seen, site, SignedDuration::ZERO)
        }
        Some(Answer::Refused(why)) => Gate::new(
            Reason::DatabaseRefused,
            format!(
                "{why}. If it is a new database, and an empty one is right, accept it by `kubectl towpath accept-database {}`",
                seen.environment.name_any()
            ),
        ),
        Some(Answer::Silent(why)) => Gate::new(Reason::DatabaseSilent, why.clone()),
        None => Gate::new(Reason::DatabaseStarting, "The database was not asked yet"),
    }
}

/// Makes database and roles, and looks again after this time: what is outside tells nobody.
fn make(plan: &mut Plan, seen: &SeenEnvironment, site: Site, again: SignedDuration) -> Gate {
    plan.push(STAGE, Action::Provide(site.admin, Box::new(site.wanted)));
    plan.look_at(seen.now + again);
    Gate::new(
        Reason::DatabaseStarting,
        "Making the database and its roles",
    )
}

fn known_or_new(
    situation: &Situation<'_>,
    plan: &mut Plan,
    app: &AppDatabase,
    site: &Site,
    found: &SeenDatabase,
) -> Gate {
    let seen = situation.seen;
    if let Some(gate) = changed(seen, found) {
        return gate;
    }
    let name = names::binding_of(&seen.environment.name_any(), seen.incarnation);
    let database = site.wanted.database.as_str();
    let identity = found.identity.to_string();
    let secret = site.binding(&seen.environment, app, &name, database, &identity);
    bind(seen, plan, secret);
    Gate::new(Reason::DatabaseReady, answers(situation))
}

/// A binding Secret is as it shall be.
fn bind(seen: &SeenEnvironment, plan: &mut Plan, secret: Secret) {
    let key = Key::new("Secret", secret.name_any());
    let live = seen.children.secrets.get(&key.name);
    let live = live.map(|Hidden(secret)| secret.as_ref());
    let change = diff::change(secret, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, key, change, |change| Action::Binding(Hidden(change)));
}

/// What is said of a database that answers; of a preview's also whether it has the data of before.
fn answers(situation: &Situation<'_>) -> String {
    let preview = situation.seen.environment.spec.preview.as_ref();
    match situation.target.as_ref().filter(|_| preview.is_some()) {
        Some(target) => format!("The database answers: {}", incarnation::told(target)),
        None => "The database answers".to_owned(),
    }
}

/// The credentials are made by POST; only their owner changes, with the deletion policy.
fn own(environment: &Environment, plan: &mut Plan, secret: &Secret) {
    let owners = metadata::owners_of_data(environment).unwrap_or_default();
    let present: Vec<&str> = secret
        .owner_references()
        .iter()
        .map(|owner| owner.uid.as_str())
        .collect();
    let wanted: Vec<&str> = owners.iter().map(|owner| owner.uid.as_str()).collect();
    if present != wanted {
        let key = Key::new("Secret", secret.name_any());
        plan.push(
            STAGE,
            Action::Own {
                key,
                uid: secret.uid().unwrap_or_default(),
                owners,
            },
        );
    }
}

fn external(seen: &SeenEnvironment, plan: &mut Plan) -> Gate {
    let found = match &seen.database {
        Some(Answer::Found(found)) => found,
        Some(Answer::Refused(why)) => return Gate::new(Reason::DatabaseRefused, why.clone()),
        Some(Answer::Silent(why)) => return Gate::new(Reason::DatabaseSilent, why.clone()),
        None => return Gate::new(Reason::DatabaseSilent, "The database was not asked yet"),
    };
    if let Some(gate) = changed(seen, found) {
        return gate;
    }
    let name = names::record(&seen.environment.name_any());
    let live = seen.children.config_maps.get(&name).map(AsRef::as_ref);
    let key = Key::new("ConfigMap", &name);
    // What a person said is applied is written by this pass already.
    if is_known(seen)
        && plan
            .steps
            .iter()
            .any(|step| step.action.key().as_ref() == Some(&key))
    {
        plan.wanted.insert(key);
        return Gate::new(Reason::DatabaseReady, "The database answers");
    }
    // What was applied to another database says nothing about this one.
    let entries = live
        .filter(|_| is_known(seen))
        .map(config_map::entries)
        .unwrap_or_default();
    let record = config_map::record(&seen.environment, &found.identity.to_string(), &entries);
    let change = diff::change(record, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, key, change, Action::ConfigMap);
    Gate::new(Reason::DatabaseReady, "The database answers")
}

/// Another database than before closes the gate until a person accepts it.
fn changed(seen: &SeenEnvironment, found: &SeenDatabase) -> Option<Gate> {
    let known = known(seen)?;
    let now = found.identity.to_string();
    if known == now || tokens::fresh(seen, labels::ACCEPT_DATABASE).is_some() {
        return None;
    }
    Some(Gate::new(
        Reason::DatabaseChanged,
        format!(
            "The database is another one than before ({now} instead of {known}): it must be accepted by `kubectl towpath accept-database {}`",
            seen.environment.name_any()
        ),
    ))
}

/// Whether the database that answers is the one that is known.
#[must_use]
pub fn is_known(seen: &SeenEnvironment) -> bool {
    match &seen.database {
        Some(Answer::Found(found)) => {
            known(seen).as_deref() == Some(found.identity.to_string().as_str())
        }
        _ => false,
    }
}

/// The identity that the database had when it was made or accepted.
#[must_use]
pub fn known(seen: &SeenEnvironment) -> Option<String> {
    let name = seen.environment.name_any();
    let secret = seen
        .children
        .secrets
        .get(&names::binding_of(&name, seen.incarnation))
        .map(|Hidden(secret)| secret.annotations());
    let record = seen
        .children
        .config_maps
        .get(&names::record(&name))
        .map(|record| record.annotations());
    secret.or(record)?.get(labels::DATABASE_IDENTITY).cloned()
}

/// The login of the owner of a database that is made here, once it can be reached.
#[must_use]
pub fn owner_access(seen: &SeenEnvironment) -> Option<Access> {
    site(seen).ok().map(|site| site.owner())
}

/// Where the database of an Environment is asked, and what.
#[must_use]
pub fn question(seen: &SeenEnvironment) -> Option<(Address, Question)> {
    let database = seen.environment.spec.database.as_ref()?;
    if let Some(external) = &database.external {
        let key = external.migration_url_key.as_ref();
        let key = key.unwrap_or(&external.url_key).clone();
        let name = external.secret_ref.name.clone();
        let question = Question {
            application_prefix: Some(names::migration_prefix(&seen.environment.name_any())),
            ..Question::default()
        };
        return Some((Address::Secret { name, key }, question));
    }
    let site = site(seen).ok()?;
    let at = Address::Access(site.owner());
    let wanted = site.wanted;
    let question = Question {
        application_prefix: None,
        migration_role: Some(wanted.owner.name.clone()),
        roles: Some(Roles {
            owner: wanted.owner.name,
            app: wanted.app.name,
            comment: wanted.comment,
            family: wanted.family,
        }),
        record: true,
    };
    Some((at, question))
}

/// Which incarnation has this name in its server.
#[must_use]
pub fn incarnation(seen: &SeenEnvironment, name: &str) -> Option<i64> {
    let site = site(seen).ok()?;
    names::nth_of(site.wanted.family.as_str(), '_', name)
}

/// These databases, which nothing runs on any more, and who may drop them.
#[must_use]
pub fn surplus(seen: &SeenEnvironment, only: Vec<Identifier>) -> Option<(Access, Unwanted)> {
    let site = site(seen).ok()?;
    let unwanted = Unwanted {
        family: site.wanted.family,
        comment: site.wanted.comment,
        is_made: match provider(seen) {
            Some(Provider::Server) => build_shared::is_made,
            _ => build_dedicated::is_made,
        },
        only: Some(only),
    };
    Some((site.admin, unwanted))
}

/// The name of the database that a pass is about, one of a family.
fn nth(seen: &SeenEnvironment, family: &Identifier) -> Option<Identifier> {
    Identifier::new(names::nth(family.as_str(), '_', seen.incarnation)).ok()
}

/// Whose the database is, as its comment says it.
fn comment(seen: &SeenEnvironment) -> String {
    let environment = &seen.environment;
    let ownership = Ownership {
        cluster: seen.config.cluster_id.clone().unwrap_or_default(),
        // What goes with a preview can be told from what is kept.
        kind: match environment.spec.preview {
            Some(_) => orphans::PREVIEW.to_owned(),
            None => "Environment".to_owned(),
        },
        namespace: environment.namespace().unwrap_or_default(),
        name: environment.name_any(),
        uid: environment.uid().unwrap_or_default(),
    };
    ownership.to_string()
}

fn role(name: &str, password: &str) -> Option<Role> {
    Some(Role {
        name: Identifier::new(name).ok()?,
        password: Password::new(password),
    })
}
