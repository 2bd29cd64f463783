//! A PostgreSQL of its own: its volume and passwords, its Service and StatefulSet.

use kube::ResourceExt;

use super::{STAGE, Site, comment, role};
use crate::api::environment::Dedicated;
use crate::api::{Environment, Reason, labels};
use crate::build::metadata::Of;
use crate::build::{names, postgres as build, volume};
use crate::plan::situation::Situation;
use crate::plan::{Action, Gate, Key, Plan, diff, health, sleep};
use crate::postgres::{Access, Identifier, Password, Wanted};
use crate::seen::{Hidden, SeenEnvironment};

/// A dedicated database that is needed, or stands already, is as it shall be.
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
    let Some(dedicated) = spec(&seen.environment) else {
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
        keep_stateful_set(situation, plan, dedicated, name);
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
        Some(Hidden(secret)) => super::own(environment, plan, secret),
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
pub fn lost(seen: &SeenEnvironment) -> Option<Gate> {
    spec(&seen.environment)?;
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
fn keep_stateful_set(
    situation: &Situation<'_>,
    plan: &mut Plan,
    dedicated: &Dedicated,
    name: String,
) {
    let seen = situation.seen;
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
    let present = live.and_then(|live| live.spec.as_ref()?.replicas);
    if let Some(spec) = &mut wanted.spec {
        spec.replicas = Some(sleep::database_replicas(situation, present));
    }
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

/// Where the database can be asked, once its pod is ready.
pub fn site(seen: &SeenEnvironment) -> Result<Site, Gate> {
    reachable(seen).ok_or_else(|| Gate::new(Reason::DatabaseStarting, starting(seen)))
}

fn reachable(seen: &SeenEnvironment) -> Option<Site> {
    let environment = &seen.environment;
    let name = names::postgres(&environment.name_any());
    let service = seen.children.services.get(&name)?;
    let address = service.spec.as_ref()?.cluster_ip.clone();
    let address = address.filter(|address| !address.is_empty())?;
    let ready = health::pods_for(seen, health::DATABASE).any(health::is_ready);
    let credentials = seen.credentials.clone().filter(|_| ready)?;
    let admin = Identifier::new(build::ADMIN).ok()?;
    let password = Password::new(credentials.admin.as_deref()?);
    let admin = Access::plain(&address, build::PORT, &admin, &password, &admin);
    let namespace = environment.namespace().unwrap_or_default();
    let family = Identifier::new(build::DATABASE).ok()?;
    let wanted = Wanted {
        database: super::nth(seen, &family)?,
        family,
        owner: role(build::OWNER, &credentials.owner)?,
        app: role(build::APP, &credentials.app)?,
        comment: comment(seen),
        // What the first version wrote.
        adopts: Some(format!("towpath: {namespace}/{}", environment.name_any())),
        whole_server: true,
        template: None,
        connection_limit: None,
    };
    Some(Site {
        admin,
        wanted,
        dial: (build::host(environment), build::PORT),
        credentials,
    })
}

fn starting(seen: &SeenEnvironment) -> String {
    let trouble = health::pods_for(seen, health::DATABASE).find_map(health::trouble);
    trouble.map_or_else(
        || "The database starts".to_owned(),
        |trouble| format!("The database starts: {trouble}"),
    )
}

/// The settings of a dedicated database, if it is to be one.
#[must_use]
pub fn spec(environment: &Environment) -> Option<&Dedicated> {
    let database = environment.spec.database.as_ref();
    database.and_then(|database| database.dedicated.as_ref())
}
