//! `DatabaseReady`: the database and its roles exist and answer, its identity is the known one, and its binding Secret is
//! written.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::situation::{NOT_ACCEPTED, Situation};
use super::{Action, Gate, Key, Plan, diff, health, stages, tokens};
use crate::api::app::AppDatabase;
use crate::api::environment::{Dedicated, Provider};
use crate::api::{ConditionType, Environment, Reason, labels};
use crate::build::metadata::{self, Of};
use crate::build::{binding, config_map, names, postgres as build, volume};
use crate::plan::questions::Address;
use crate::postgres::{Access, Answer, Identifier, Password, Role, SeenDatabase, Wanted};
use crate::seen::{Credentials, Hidden, SeenEnvironment};

const STAGE: ConditionType = ConditionType::DatabaseReady;

/// Lets the target pass when its database is ready.
pub fn provide(situation: &Situation<'_>, plan: &mut Plan) -> Gate {
    let seen = situation.seen;
    let Ok(effective) = &situation.effective else {
        return Gate::new(Reason::Pending, NOT_ACCEPTED);
    };
    let app = effective.app.spec.database.as_ref();
    match (app, seen.environment.spec.database.as_ref()) {
        (Some(app), Some(database)) => match (&database.provider, &database.dedicated) {
            (Provider::Dedicated, Some(_)) => dedicated(seen, plan, app),
            _ => external(seen, plan),
        },
        _ => Gate::new(Reason::NotConfigured, "The App has no database"),
    }
}

/// A dedicated database that is needed, or stands already, is as it shall be, whatever the gates say.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    let needed = situation
        .effective
        .as_ref()
        .is_ok_and(|effective| effective.app.spec.database.is_some());
    let stands = seen
        .children
        .stateful_sets
        .contains_key(&names::postgres(&seen.environment.name_any()));
    if !needed && !stands {
        return;
    }
    let Some(dedicated) = dedicated_spec(&seen.environment) else {
        return;
    };
    let environment = &seen.environment;
    let name = names::postgres(&environment.name_any());
    // Nothing new is begun beside what is left of an old database.
    let whole = lost(seen).is_none();
    if whole {
        keep_data(seen, plan, dedicated, &name);
    }
    let live = seen.children.services.get(&name).map(AsRef::as_ref);
    let change = diff::change(
        build::service(environment),
        live,
        diff::Guarded::Service,
        &seen.stubborn,
    );
    plan.want(STAGE, Key::new("Service", &name), change, Action::Service);
    if whole {
        keep_stateful_set(seen, plan, dedicated, name);
    }
}

/// The passwords are made once, and so is the volume, which only grows.
fn keep_data(seen: &SeenEnvironment, plan: &mut Plan, dedicated: &Dedicated, name: &str) {
    let environment = &seen.environment;
    match seen.children.secrets.get(name) {
        None => plan.push(
            STAGE,
            Action::Invent {
                secret: Box::new(build::credentials(environment)),
                generate: build::PASSWORDS.map(str::to_owned).into(),
            },
        ),
        Some(Hidden(secret)) => own(environment, plan, secret),
    }
    let claim = volume::read_write_once(
        Of::environment(environment),
        name.to_owned(),
        &dedicated.size,
        dedicated.storage_class_name.as_deref(),
    );
    let live = seen.children.volumes.get(name).map(AsRef::as_ref);
    let change = diff::change(claim, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(
        STAGE,
        Key::new("PersistentVolumeClaim", name),
        change,
        Action::Volume,
    );
}

/// What a database cannot do without and nobody can make again, where something else of it is left. They are made in this
/// order: passwords, volume, StatefulSet, binding.
fn lost(seen: &SeenEnvironment) -> Option<Gate> {
    let (environment, children) = (seen.environment.name_any(), &seen.children);
    let (name, binding) = (names::postgres(&environment), names::binding(&environment));
    let stands = children.stateful_sets.contains_key(&name);
    let begun = stands || children.secrets.contains_key(&binding);
    let volume = children.volumes.contains_key(&name);
    let message = if !children.secrets.contains_key(&name) && (begun || volume) {
        format!(
            "Secret '{name}' is lost, and the database still has its passwords: it must be restored with its labels; or, where the data may go, StatefulSet and PersistentVolumeClaim '{name}' and Secret '{binding}' must be deleted, to begin anew"
        )
    } else if !volume && begun {
        format!(
            "PersistentVolumeClaim '{name}' is lost, and with it the data: it must be restored with its labels; or StatefulSet '{name}' and Secret '{binding}' must be deleted, to begin with an empty database"
        )
    } else {
        return None;
    };
    Some(Gate::new(Reason::DatabaseLost, message))
}

/// What was rendered from the same spec is left as it is: a newer controller does not restart a database.
fn keep_stateful_set(seen: &SeenEnvironment, plan: &mut Plan, dedicated: &Dedicated, name: String) {
    let key = Key::new("StatefulSet", name);
    let Some(image) = seen.config.postgres.image(&dedicated.version) else {
        plan.wanted.insert(key);
        return;
    };
    let live = seen
        .children
        .stateful_sets
        .get(&key.name)
        .map(AsRef::as_ref);
    let mut wanted = build::stateful_set(&seen.environment, dedicated, image);
    let rendering = wanted.annotations().get(labels::RENDERING).cloned();
    let alike = live.filter(|live| live.annotations().get(labels::RENDERING) == rendering.as_ref());
    if let (Some(wanted), Some(live)) =
        (&mut wanted.spec, alike.and_then(|live| live.spec.as_ref()))
    {
        wanted.template = live.template.clone();
    }
    let change = diff::change(wanted, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, key, change, Action::StatefulSet);
}

/// The credentials are made by POST; only their owner changes, with the deletion policy.
fn own(environment: &Environment, plan: &mut Plan, secret: &k8s_openapi::api::core::v1::Secret) {
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

fn dedicated(seen: &SeenEnvironment, plan: &mut Plan, app: &AppDatabase) -> Gate {
    if let Some(gate) = lost(seen) {
        return gate;
    }
    let Some((credentials, host)) = reachable(seen) else {
        return Gate::new(Reason::DatabaseStarting, starting(seen));
    };
    match &seen.database {
        Some(Answer::Found(found)) if found.roles_ready => {
            known_or_new(seen, plan, app, credentials, found)
        }
        // What was made and is still not as wanted is not made again without end.
        Some(Answer::Found(_)) => make(plan, seen, credentials, &host, stages::OUTSIDE),
        // Before it was made, nobody can log in.
        Some(Answer::Refused(_))
            if known(seen).is_none() || tokens::fresh(seen, labels::ACCEPT_DATABASE).is_some() =>
        {
            make(plan, seen, credentials, &host, SignedDuration::ZERO)
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
fn make(
    plan: &mut Plan,
    seen: &SeenEnvironment,
    credentials: &Credentials,
    host: &str,
    again: SignedDuration,
) -> Gate {
    if let Some((access, wanted)) = wanted(&seen.environment, credentials, host) {
        plan.push(STAGE, Action::Provide(access, Box::new(wanted)));
        plan.look_at(seen.now + again);
    }
    Gate::new(
        Reason::DatabaseStarting,
        "Making the database and its roles",
    )
}

fn known_or_new(
    seen: &SeenEnvironment,
    plan: &mut Plan,
    app: &AppDatabase,
    credentials: &Credentials,
    found: &SeenDatabase,
) -> Gate {
    if let Some(gate) = changed(seen, found) {
        return gate;
    }
    let name = names::binding(&seen.environment.name_any());
    let secret = binding::secret(
        &seen.environment,
        app,
        credentials,
        &found.identity.to_string(),
    );
    let live = seen
        .children
        .secrets
        .get(&name)
        .map(|Hidden(secret)| secret.as_ref());
    let change = diff::change(secret, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, Key::new("Secret", name), change, |change| {
        Action::Binding(Hidden(change))
    });
    Gate::new(Reason::DatabaseReady, "The database answers")
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
        .get(&names::binding(&name))
        .map(|Hidden(secret)| secret.annotations());
    let record = seen
        .children
        .config_maps
        .get(&names::record(&name))
        .map(|record| record.annotations());
    secret.or(record)?.get(labels::DATABASE_IDENTITY).cloned()
}

/// The settings of a dedicated database, if it is to be one.
#[must_use]
pub fn dedicated_spec(environment: &Environment) -> Option<&Dedicated> {
    environment
        .spec
        .database
        .as_ref()
        .and_then(|database| database.dedicated.as_ref())
}

/// Where a dedicated database can be asked, once its pod is ready.
fn reachable(seen: &SeenEnvironment) -> Option<(&Credentials, String)> {
    let name = names::postgres(&seen.environment.name_any());
    let service = seen.children.services.get(&name)?;
    let host = service
        .spec
        .as_ref()?
        .cluster_ip
        .clone()
        .filter(|address| !address.is_empty())?;
    let ready = health::pods_for(seen, "database").any(health::is_ready);
    Some((seen.credentials.as_ref().filter(|_| ready)?, host))
}

fn starting(seen: &SeenEnvironment) -> String {
    let trouble = health::pods_for(seen, "database").find_map(health::trouble);
    trouble.map_or_else(
        || "The database starts".to_owned(),
        |trouble| format!("The database starts: {trouble}"),
    )
}

/// The address to ask a dedicated database as its owner.
#[must_use]
pub fn owner_access(seen: &SeenEnvironment) -> Option<Access> {
    let (credentials, host) = reachable(seen)?;
    access(&host, build::OWNER, &credentials.owner, build::DATABASE)
}

/// Where the database of an Environment is asked.
#[must_use]
pub fn address(seen: &SeenEnvironment) -> Option<Address> {
    let database = seen.environment.spec.database.as_ref()?;
    match &database.external {
        Some(external) => {
            let key = external
                .migration_url_key
                .as_ref()
                .unwrap_or(&external.url_key);
            Some(Address::Secret {
                name: external.secret_ref.name.clone(),
                key: key.clone(),
            })
        }
        None => owner_access(seen).map(Address::Access),
    }
}

fn wanted(
    environment: &Environment,
    credentials: &Credentials,
    host: &str,
) -> Option<(Access, Wanted)> {
    let role = |name: &str, password: &str| {
        Some(Role {
            name: Identifier::new(name).ok()?,
            password: Password::new(password),
        })
    };
    let comment = format!(
        "towpath: {}/{}",
        environment.namespace().unwrap_or_default(),
        environment.name_any()
    );
    let wanted = Wanted {
        database: Identifier::new(build::DATABASE).ok()?,
        owner: role(build::OWNER, &credentials.owner)?,
        app: role(build::APP, &credentials.app)?,
        comment,
        adopts: None,
    };
    Some((
        access(host, build::ADMIN, &credentials.admin, build::ADMIN)?,
        wanted,
    ))
}

fn access(host: &str, user: &str, password: &str, database: &str) -> Option<Access> {
    let port = u16::try_from(build::PORT).ok()?;
    let (user, database) = (Identifier::new(user).ok()?, Identifier::new(database).ok()?);
    Some(Access::plain(
        host,
        port,
        &user,
        &Password::new(password),
        &database,
    ))
}
