//! What happens to an Environment in a run.

mod sleep;

use jiff::SignedDuration;
use serde_json::{Value, json};
use towpath::simulate::Hosted;

use crate::ticks::{CRASHES, FAILS};

pub use sleep::{ACTIVATOR, SLEEP, SLEEP_ON_A_SHARED_SERVER};

/// When somebody acts.
#[derive(Clone, Debug)]
pub enum When {
    /// When everybody else has acted.
    Now,
    /// When this object says that it sleeps, and nobody does anything any more.
    Asleep(&'static str, &'static str),
    /// As soon as this object exists.
    Exists(&'static str, &'static str),
    /// As soon as this object says that it is Ready.
    Ready(&'static str, &'static str),
}

/// What a person does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Makes an object.
    Make(&'static str, Value),
    /// Changes an object.
    Change(&'static str, &'static str, Value),
    /// Deletes an object.
    Delete(&'static str, &'static str),
    /// Does something at the Git host.
    Host(fn(&mut Hosted)),
    /// Lets time pass.
    Wait(SignedDuration),
    /// Asks for a preview: the activator renews its Lease.
    Ask(&'static str),
}

/// What happens in a run.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The objects that people made before.
    pub before: fn() -> Vec<(&'static str, Value)>,
    /// Whether all of them are at rest before requests are counted.
    pub from_rest: bool,
    /// What people do then.
    pub acts: fn() -> Vec<(When, Act)>,
    /// Whether the database forgets its record: a broken world.
    pub forgets_the_record: bool,
}

/// A scenario that begins at rest.
const fn at_rest(
    name: &'static str,
    before: fn() -> Vec<(&'static str, Value)>,
    acts: fn() -> Vec<(When, Act)>,
) -> Scenario {
    Scenario {
        name,
        before,
        from_rest: true,
        acts,
        forgets_the_record: false,
    }
}

/// A first release: database, migration, rollout.
pub const RELEASE: Scenario = Scenario {
    name: "release",
    before: || dedicated("1"),
    from_rest: false,
    acts: Vec::new,
    forgets_the_record: false,
};

/// A release that brings a migration.
pub const UPDATE: Scenario = at_rest("update", || dedicated("1"), || release('d', "2"));

/// A release whose migration fails.
pub const FAILED_MIGRATION: Scenario =
    at_rest("failed-migration", external, || release(FAILS, "2"));

/// A release whose pods crash, after its migration was applied.
pub const FAILED_ROLLOUT: Scenario = at_rest("failed-rollout", external, || release(CRASHES, "2"));

/// The content of a ConfigMap changes.
pub const CONFIG: Scenario = at_rest("config", plain, || {
    let change = json!({"data": {"LOG_LEVEL": "debug"}});
    vec![(When::Now, Act::Change("ConfigMap", "settings", change))]
});

/// A Secret's value changes.
pub const SECRET: Scenario = at_rest("secret", plain, || {
    let change = json!({"stringData": {"api-key": "sk_second"}});
    vec![(When::Now, Act::Change("Secret", "stripe", change))]
});

/// A component, a host and a second pod are no longer declared.
pub const REMOVAL: Scenario = at_rest("removal", plain, || {
    let app = json!({"spec": {"components": [web()]}});
    let environment =
        json!({"spec": {"hosts": [], "components": [{"name": "web", "replicas": 1}]}});
    vec![
        (When::Now, Act::Change("App", "shop", app)),
        (When::Now, Act::Change("Environment", "shop", environment)),
    ]
});

/// The Environment is deleted in the middle of its first release.
pub const DELETION: Scenario = Scenario {
    name: "deletion",
    before: || dedicated("1"),
    from_rest: false,
    acts: || {
        vec![(
            When::Exists("Job", "shop-migrate-1"),
            Act::Delete("Environment", "shop"),
        )]
    },
    forgets_the_record: false,
};

/// A first release with a database on a shared server, which goes with it.
pub const SHARED: Scenario = Scenario {
    name: "shared",
    before: shared,
    from_rest: false,
    acts: Vec::new,
    forgets_the_record: false,
};

/// The Environment is deleted with its database on a shared server: routes, pods, database, in this order.
pub const SHARED_DELETION: Scenario = at_rest("shared-deletion", shared, || {
    vec![(When::Now, Act::Delete("Environment", "shop"))]
});

/// The Environment is deleted, and made again at once: what it owned goes, its data stays and is adopted.
pub const RETURN: Scenario = at_rest(
    "return",
    || dedicated("1"),
    || {
        vec![
            (When::Now, Act::Delete("Environment", "shop")),
            (When::Now, Act::Make("Environment", environment("1"))),
        ]
    },
);

/// A pull request is opened.
pub const OPENED: Scenario = Scenario {
    name: "opened",
    before: pull_request,
    from_rest: false,
    acts: Vec::new,
    forgets_the_record: false,
};

/// A pull request is pushed to.
pub const PUSHED: Scenario = at_rest("pushed", pull_request, || {
    let push = json!({"spec": {"release": {"image": digest('d')}}});
    vec![(When::Now, Act::Change("Preview", "shop", push))]
});

/// A pull request is pushed to with another migration: a new database beside is migrated and filled, the pods move, and the one
/// before is dropped.
pub const RESET: Scenario = at_rest("reset", with_database, || {
    let push = json!({"spec": {"release": {"image": digest('d'), "migrationKey": "2"}}});
    vec![(When::Now, Act::Change("Preview", "shop", push))]
});

/// The same, and the migration fails: what serves goes on, and keeps its data.
pub const FAILED_RESET: Scenario = at_rest("failed-reset", with_database, || {
    let push = json!({"spec": {"release": {"image": digest(FAILS), "migrationKey": "2"}}});
    vec![(When::Now, Act::Change("Preview", "shop", push))]
});

/// A pull request with a database on a shared server.
fn with_database() -> Vec<(&'static str, Value)> {
    let mut objects = named();
    objects.push(("Secret", admin()));
    let mut app = app(true);
    app["spec"]["preview"] = json!({
        "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "components": [{"name": "web"}],
        "secrets": [{"name": "stripe"}],
        "database": {"provider": "Server", "server": {"name": "previews"}, "seed": ["python", "-m", "shop.seed"]},
    });
    let preview = json!({"metadata": {"name": "shop"}, "spec": {
        "appRef": {"name": "shop"},
        "pullRequest": {"number": 7},
        "release": {"image": digest('a'), "migrationKey": "1"},
    }});
    objects.extend([("App", app), ("Preview", preview)]);
    objects
}

/// A pull request is closed: nothing is left.
pub const CLOSED: Scenario = at_rest("closed", pull_request, || {
    vec![(When::Now, Act::Delete("Preview", "shop"))]
});

/// A pull request is opened at the source, and closed when its preview is there: nothing is left.
pub const SOURCED: Scenario = at_rest("sourced", source, || {
    vec![
        (When::Now, Act::Host(|host| host.push(7, &"a".repeat(40)))),
        (
            When::Ready("Preview", "shop-pr-7"),
            Act::Host(|host| host.close(7)),
        ),
    ]
});

/// A pull request is opened at the source, and pushed to when its preview is there.
pub const SOURCED_PUSH: Scenario = at_rest("sourced-push", source, || {
    vec![
        (When::Now, Act::Host(|host| host.push(7, &"a".repeat(40)))),
        (
            When::Ready("Preview", "shop-pr-7"),
            Act::Host(|host| host.push(7, &"d".repeat(40))),
        ),
    ]
});

/// An App whose pull requests get previews.
fn source() -> Vec<(&'static str, Value)> {
    let mut objects = pull_request();
    objects.retain(|(kind, _)| *kind != "Preview");
    for (kind, object) in &mut objects {
        if *kind == "App" {
            object["spec"]["preview"]["source"] = json!({
                "provider": "Forgejo",
                "repository": "acme/shop",
                "secretRef": {"name": "git"},
                "image": "registry.example.com/shop:{shortSha}",
            });
        }
    }
    let token = json!({"metadata": {"name": "git"}, "stringData": {"token": "a-token"}});
    objects.insert(0, ("Secret", token));
    objects
}

/// A pull request is opened, and its Git host shows how it is.
pub const ANNOUNCED: Scenario = Scenario {
    name: "announced",
    before: announced,
    from_rest: false,
    acts: Vec::new,
    forgets_the_record: false,
};

/// It is closed: what the host shows of it ends, and nothing is left.
pub const ANNOUNCED_CLOSED: Scenario = at_rest("announced-closed", announced, || {
    vec![(When::Now, Act::Delete("Preview", "shop"))]
});

/// An App whose pull requests are at GitHub, with the token of that.
fn announced() -> Vec<(&'static str, Value)> {
    let mut objects = pull_request();
    for (kind, object) in &mut objects {
        match *kind {
            "App" => {
                object["spec"]["preview"]["source"] = json!({
                    "provider": "GitHub",
                    "repository": "acme/shop",
                    "secretRef": {"name": "git-token"},
                    "image": "registry.example.com/shop:{sha}",
                    "comment": true,
                });
            }
            "Preview" => object["spec"]["release"]["commit"] = json!({"sha": "1".repeat(40)}),
            _ => {}
        }
    }
    let token = json!({"metadata": {"name": "git-token"}, "stringData": {"token": "ghp_secret"}});
    objects.push(("Secret", token));
    objects
}

/// An App with previews, one of which is wanted.
fn pull_request() -> Vec<(&'static str, Value)> {
    let mut app = app(false);
    app["spec"]["preview"] = json!({
        "hosts": [{"host": "{app}-pr-{number}.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "components": [{"name": "web"}],
        "secrets": [{"name": "stripe"}],
    });
    let preview = json!({"metadata": {"name": "shop"}, "spec": {
        "appRef": {"name": "shop"},
        "pullRequest": {"number": 7},
        "release": {"image": digest('a')},
    }});
    let mut objects = named();
    objects.extend([("App", app), ("Preview", preview)]);
    objects
}

/// An image.
pub fn digest(of: char) -> String {
    format!(
        "registry.example.com/shop@sha256:{}",
        of.to_string().repeat(64)
    )
}

fn release(image: char, key: &str) -> Vec<(When, Act)> {
    let release = json!({"spec": {"release": {"image": digest(image), "migrationKey": key}}});
    vec![(When::Now, Act::Change("Environment", "shop", release))]
}

fn web() -> Value {
    json!({"name": "web", "role": "Web", "port": 8000, "replicas": 2, "health": {"path": "/health"}})
}

fn app(with_database: bool) -> Value {
    let mut app = json!({"metadata": {"name": "shop"}, "spec": {
        "image": "registry.example.com/shop",
        "env": [{"name": "STRIPE_KEY", "secretRef": {"name": "stripe", "key": "api-key"}}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "components": [web(), {"name": "emails", "role": "Worker", "command": ["celery"], "replicas": 1}],
    }});
    if with_database {
        app["spec"]["database"] = json!({"engine": "Postgres"});
        app["spec"]["migration"] =
            json!({"component": "web", "command": ["alembic", "upgrade", "head"]});
    }
    app
}

fn environment(key: &str) -> Value {
    json!({"metadata": {"name": "shop"}, "spec": {
        "appRef": {"name": "shop"},
        "release": {"image": digest('a'), "migrationKey": key},
        "hosts": [{"host": "shop.example.com", "routes": [{"path": "/", "component": "web"}]}],
        "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "5Gi"}},
    }})
}

fn named() -> Vec<(&'static str, Value)> {
    vec![
        (
            "ConfigMap",
            json!({"metadata": {"name": "settings"}, "data": {"LOG_LEVEL": "info"}}),
        ),
        (
            "Secret",
            json!({"metadata": {"name": "stripe"}, "stringData": {"api-key": "sk_first"}}),
        ),
    ]
}

/// An App with a database of its own.
fn dedicated(key: &str) -> Vec<(&'static str, Value)> {
    let mut objects = named();
    objects.push(("App", app(true)));
    objects.push(("Environment", environment(key)));
    objects
}

/// Who may make databases on the shared server, as the simulation knows it.
fn admin() -> Value {
    let url = json!({"url": "postgres://provisioner:admin@previews.example.com:5432/postgres"});
    json!({"metadata": {"name": "previews-admin"}, "stringData": url})
}

/// An App with a database on a shared server.
fn shared() -> Vec<(&'static str, Value)> {
    let mut objects = named();
    objects.push(("Secret", admin()));
    objects.push(("App", app(true)));
    let mut environment = environment("1");
    environment["spec"]["deletionPolicy"] = json!("Delete");
    environment["spec"]["database"] = json!({"provider": "Server", "server": {"name": "previews"}});
    objects.push(("Environment", environment));
    objects
}

/// An App with a database that is somebody else's.
fn external() -> Vec<(&'static str, Value)> {
    let mut objects = named();
    let url = json!({"url": "postgres://app:secret@db.example.com/app"});
    objects.push((
        "Secret",
        json!({"metadata": {"name": "db"}, "stringData": url}),
    ));
    objects.push(("App", app(true)));
    let mut environment = environment("1");
    environment["spec"]["database"] =
        json!({"provider": "External", "external": {"secretRef": {"name": "db"}}});
    objects.push(("Environment", environment));
    objects
}

/// An App without a database.
fn plain() -> Vec<(&'static str, Value)> {
    let mut objects = named();
    objects.push(("App", app(false)));
    let mut environment = environment("1");
    let spec = environment["spec"].as_object_mut().expect("a spec");
    spec.remove("database");
    objects.push(("Environment", environment));
    objects
}
