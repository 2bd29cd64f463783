//! A database on a shared server: its passwords, its names, and the finalizer that lets it be dropped in the end.

use kube::ResourceExt;

use super::{STAGE, Site, comment, role};
use crate::api::environment::{DeletionPolicy, SharedServer};
use crate::api::{Environment, Reason, labels};
use crate::build::{names, shared as build};
use crate::plan::situation::Situation;
use crate::plan::{Action, Gate, Plan};
use crate::postgres::{Access, Failure, Identifier, Identity, Unwanted, Wanted};
use crate::seen::{Hidden, SeenEnvironment};

/// The settings of a database on a shared server, if it is to be one.
fn spec(environment: &Environment) -> Option<&SharedServer> {
    let database = environment.spec.database.as_ref();
    database.and_then(|database| database.server.as_ref())
}

/// The passwords are made once; before them comes the finalizer, so that nothing is made that nobody would drop.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    let effective = situation.effective.as_ref().ok();
    let needed = effective.is_some_and(|effective| effective.app.spec.database.is_some());
    let name = names::credentials(&seen.environment.name_any());
    let present = seen.children.secrets.get(&name);
    if !needed && present.is_none() {
        return;
    }
    hold(seen, plan);
    match present {
        None => {
            let secret = build::credentials(&seen.environment, &database(seen));
            let generate = build::PASSWORDS.map(str::to_owned).into();
            plan.push(
                STAGE,
                Action::Invent {
                    secret: Box::new(secret),
                    generate,
                },
            );
        }
        Some(Hidden(secret)) => super::own(&seen.environment, plan, secret),
    }
}

/// Who is deleted with its data waits for it, and nobody else does.
fn hold(seen: &SeenEnvironment, plan: &mut Plan) {
    let environment = &seen.environment;
    let wanted = environment.spec.deletion_policy == DeletionPolicy::Delete;
    let is_ours = |finalizer: &String| finalizer == labels::FINALIZER;
    if environment.finalizers().iter().any(is_ours) == wanted {
        return;
    }
    let mut finalizers = environment.finalizers().to_vec();
    match wanted {
        true => finalizers.push(labels::FINALIZER.to_owned()),
        false => finalizers.retain(|known| !is_ours(known)),
    }
    plan.push(
        STAGE,
        Action::hold("Environment", &environment.metadata, finalizers),
    );
}

/// The name of the database: the one that it got when it was made, also for an earlier Environment of this name. The comment
/// says whether it is ours.
fn database(seen: &SeenEnvironment) -> String {
    let environment = seen.environment.name_any();
    let secrets = &seen.children.secrets;
    let noted = |name: String, annotation: &str| {
        let Hidden(secret) = secrets.get(&name)?;
        secret.annotations().get(annotation).cloned()
    };
    let given = noted(names::credentials(&environment), labels::DATABASE);
    let bound = || {
        let identity = noted(names::binding(&environment), labels::DATABASE_IDENTITY)?;
        Some(identity.parse::<Identity>().ok()?.database)
    };
    let sound = |name: &String| build::is_database(name);
    let kept = given.filter(sound).or_else(|| bound().filter(sound));
    kept.unwrap_or_else(|| build::database(&seen.environment.uid().unwrap_or_default()))
}

/// Where the database is made and asked.
pub fn site(seen: &SeenEnvironment) -> Result<Site, Gate> {
    let starting = || {
        Gate::new(
            Reason::DatabaseStarting,
            "The passwords of the database are made first",
        )
    };
    let admin = admin(seen)?;
    reachable(seen, admin).ok_or_else(starting)
}

/// Who may make and drop databases on the server.
fn admin(seen: &SeenEnvironment) -> Result<Access, Gate> {
    match &seen.server {
        Some(Ok(admin)) => Ok(admin.clone()),
        Some(Err(Failure::Refused(why))) => Err(Gate::new(Reason::DatabaseRefused, why.clone())),
        Some(Err(Failure::Silent(why) | Failure::Busy(why))) => {
            Err(Gate::new(Reason::DatabaseSilent, why.clone()))
        }
        None => Err(Gate::new(
            Reason::DatabaseStarting,
            "The server was not looked up yet",
        )),
    }
}

/// Where apps reach the server. `None`: nobody knows it now.
pub fn dial(seen: &SeenEnvironment) -> Option<(String, u16)> {
    let named = spec(&seen.environment)?;
    let server = seen.config.postgres.server(&named.name)?;
    let (host, port) = match (&server.host, server.port, &seen.server) {
        (Some(host), Some(port), _) => return Some((host.clone(), port)),
        (_, _, Some(Ok(admin))) => admin.endpoint(),
        _ => return None,
    };
    Some((
        server.host.clone().unwrap_or(host),
        server.port.unwrap_or(port),
    ))
}

fn reachable(seen: &SeenEnvironment, admin: Access) -> Option<Site> {
    let spec = spec(&seen.environment)?;
    let server = seen.config.postgres.server(&spec.name)?;
    let credentials = seen.credentials.clone()?;
    let name = database(seen);
    let family = Identifier::new(&name).ok()?;
    let wanted = Wanted {
        database: super::nth(seen, &family)?,
        family,
        owner: role(&build::owner(&name), &credentials.owner)?,
        app: role(&build::app(&name), &credentials.app)?,
        comment: comment(seen),
        adopts: None,
        whole_server: false,
        template: match &spec.template {
            Some(template) => Some(Identifier::new(template).ok()?),
            None => None,
        },
        connection_limit: Some(server.connection_limit),
    };
    let dial = dial(seen)?;
    Some(Site {
        admin,
        wanted,
        dial,
        credentials,
    })
}

/// What must be dropped before the Environment is gone, and who may; or why that cannot be asked.
pub fn unwanted(seen: &SeenEnvironment) -> Result<(Access, Unwanted), Gate> {
    let missing = || {
        let name = spec(&seen.environment).map_or("", |spec| spec.name.as_str());
        Gate::new(
            Reason::DatabaseRefused,
            format!(
                "The controller's configuration (postgres.servers) must have server '{name}', or its database cannot be dropped"
            ),
        )
    };
    let uid = seen.environment.uid().unwrap_or_default();
    let family = Identifier::new(build::database(&uid)).map_err(|_| missing())?;
    let known = spec(&seen.environment).and_then(|spec| seen.config.postgres.server(&spec.name));
    known.ok_or_else(missing)?;
    let unwanted = Unwanted {
        family,
        comment: comment(seen),
        is_made: build::is_made,
        only: None,
    };
    Ok((admin(seen)?, unwanted))
}
