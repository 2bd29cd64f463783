//! Previews whose databases are made anew: data stays as long as the migrations do.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::ConditionType::*;
use towpath::api::labels;
use towpath::api::template::Reset;
use towpath::simulate::{Build, Migrates, Runs, World};

use super::previews::{app_with_previews, close, edit, is_told, nothing_is_left, open, push_to};
use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

const SEED: &str = "towpath:seed:";

/// A pull request at version 1, whose database is on a shared server; version 2 has other migrations, `same` has not.
fn pull_request(more: impl Fn(&mut Value)) -> World {
    let server = json!({"provider": "Server", "server": {"name": "previews"}});
    with(server, more)
}

fn dedicated() -> World {
    let dedicated = json!({"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}});
    with(dedicated, |_| {})
}

fn with(mut database: Value, more: impl Fn(&mut Value)) -> World {
    more(&mut database);
    let mut world = app_with_previews(json!({"database": database}));
    world.share("previews");
    push_well(&mut world, "same", "k1");
    let fails = Build {
        migrates: Migrates::Fails,
        ..Build::default()
    };
    push(&mut world, "broken", fails, "k3");
    let crashes = Build {
        runs: Runs::Crashes,
        ..Build::default()
    };
    push(&mut world, "crashes", crashes, "k4");
    let unfilled = Build {
        seeds: Migrates::Fails,
        ..Build::default()
    };
    push(&mut world, "unfilled", unfilled, "k5");
    open(&mut world, SHOP, 7);
    world
}

fn plain() -> World {
    pull_request(|_| {})
}

fn always() -> World {
    pull_request(|database| database["reset"] = "Always".into())
}

fn never() -> World {
    pull_request(|database| database["reset"] = "Never".into())
}

fn seeded() -> World {
    pull_request(|database| database["seed"] = json!(["python", "-m", "shop.seed"]))
}

/// The databases that there are, without the uid in their names: each with what was done in it.
fn databases(world: &World) -> Vec<String> {
    let uid = world.environment(SHOP).and_then(|known| known.uid());
    let first = uid.map(|uid| towpath::build::shared::database(&uid));
    let all = world.databases.all().map(|server| {
        let name = server.identity.database.as_str();
        let name = first
            .as_deref()
            .map_or(name.to_owned(), |it| name.replace(it, "app"));
        let keys = server
            .record
            .iter()
            .map(|entry| match entry.key.starts_with(SEED) {
                true => "seed",
                false => entry.key.as_str(),
            });
        format!("{name}: {}", keys.collect::<Vec<_>>().join(", "))
    });
    all.collect()
}

fn bindings(world: &World) -> Vec<String> {
    let names = world.store.secrets.keys().cloned();
    names.filter(|name| name.contains("-database")).collect()
}

/// What is said of the database.
fn said(world: &World) -> String {
    let status = world.environment(SHOP).unwrap().status.clone().unwrap();
    let mut conditions = status.conditions.into_iter();
    let ready = conditions.find(|known| known.type_ == DatabaseReady.as_str());
    ready.unwrap().message
}

fn is_live(world: &World, version: &str, on: &[&str]) {
    assert!(
        is_told(world, SHOP, Ready, "Ready"),
        "{:?}",
        condition(world, Ready)
    );
    assert_eq!(running(world, "web"), [version]);
    assert_eq!(databases(world), on);
}

fn reset(world: &mut World, word: &str) {
    edit(world, |preview| {
        let token = format!("{}.{word}", preview.uid().unwrap());
        preview
            .annotations_mut()
            .insert(labels::RESET.to_owned(), token);
    });
}

fn beside(world: &World) -> bool {
    databases(world).len() == 2
}

scenes! {
    /// The same migrations: the same data, and no Job.
    a_push_without_a_migration_keeps_the_data {
        begin: plain,
        acts: [
            "pushes a version with the same migrations", Settled, |world| {
                is_live(world, "v1", &["app: k1"]);
                assert_eq!(said(world), "The database answers: it is a fresh one");
                push_to(world, "same");
            };
        ],
        end: |world| {
            is_live(world, "same", &["app: k1"]);
            assert_eq!(said(world), "The database answers: its data was kept");
            assert_eq!(bindings(world), ["shop-database"]);
        },
    }

    /// Other migrations: another database beside, then the pods move, then the one before goes.
    a_push_with_a_migration_gets_a_fresh_database {
        begin: plain,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
        ],
        end: |world| {
            is_live(world, "v2", &["app_2: k2"]);
            assert_eq!(said(world), "The database answers: it is a fresh one, because the migration key changed");
            assert_eq!(bindings(world), ["shop-database-2"]);
        },
    }

    a_dedicated_server_holds_both_databases {
        begin: dedicated,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "closes it", Settled, |world| {
                is_live(world, "v2", &["app_2: k2"]);
                assert_eq!(bindings(world), ["shop-database-2"]);
                close(world);
            };
        ],
        end: |world| {
            let left = world.store.everything();
            assert!(left.iter().all(|known| known.kind == "App"), "{left:?}");
        },
    }

    /// What serves goes on, on its own data; a push with its migrations finds them.
    a_migration_fails_on_the_fresh_database {
        begin: plain,
        acts: [
            "pushes a version whose migration fails", Settled, |world| push_to(world, "broken");
            "pushes one with the migrations of before", Settled, |world| {
                assert!(is(world, Migrated, "MigrationFailed"));
                assert_eq!(running(world, "web"), ["v1"]);
                assert_eq!(databases(world), ["app: k1", "app_2: "]);
                push_to(world, "same");
            };
        ],
        end: |world| {
            is_live(world, "same", &["app: k1"]);
            assert_eq!(bindings(world), ["shop-database"]);
        },
    }

    /// What serves has its login, whatever became of a release on another database.
    the_login_of_what_serves_is_lost {
        begin: plain,
        acts: [
            "pushes a version whose migration fails", Settled, |world| push_to(world, "broken");
            "deletes the Secret that its pods read", Settled, |world| {
                assert_eq!(bindings(world), ["shop-database", "shop-database-2"]);
                world.store.remove::<Secret>("shop-database");
            };
            "spoils it", Settled, |world| {
                let mut secret = Secret::clone(&world.store.secrets["shop-database"]);
                secret.data.as_mut().unwrap().remove("DATABASE_URL").unwrap();
                world.store.declare(secret).unwrap();
            };
        ],
        end: |world| {
            let secret = &world.store.secrets["shop-database"];
            assert!(secret.data.as_ref().unwrap().contains_key("DATABASE_URL"));
            assert!(secret.annotations().contains_key(labels::DATABASE_IDENTITY));
            assert_eq!(running(world, "web"), ["v1"]);
            assert_eq!(databases(world), ["app: k1", "app_2: "]);
        },
    }

    /// The way back is to the database of before, which is still there; the next push has its own.
    a_version_on_a_fresh_database_crashes {
        begin: plain,
        acts: [
            "pushes a version that crashes", Settled, |world| push_to(world, "crashes");
            "pushes version 2", Settled, |world| {
                assert!(is(world, RolledOut, "RolledBack"));
                assert_eq!(running(world, "web"), ["v1"]);
                assert_eq!(databases(world), ["app: k1", "app_2: k4"]);
                push_to(world, "v2");
            };
        ],
        end: |world| is_live(world, "v2", &["app_3: k2"]),
    }

    /// Migrations that the data of now does not have are not taken back from it.
    a_push_goes_back_to_older_migrations {
        begin: plain,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "goes back to version 1", Settled, |world| push_to(world, "v1");
        ],
        end: |world| is_live(world, "v1", &["app_3: k1"]),
    }

    /// The next push comes while the fresh database is being made: nothing of it stays.
    two_pushes_follow_each_other {
        begin: plain,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "pushes a version that crashes", Once(beside), |world| {
                push_to(world, "crashes");
            };
            "goes back to version 1", Once(|world| revisions(world).len() == 3), |world| push_to(world, "v1");
        ],
        end: |world| {
            assert!(is_told(world, SHOP, Ready, "Ready"), "{:?}", condition(world, Ready));
            assert_eq!(running(world, "web"), ["v1"]);
            // Where version 2 has served meanwhile, its migrations are other ones.
            let left = databases(world);
            assert!(left == ["app: k1"] || left == ["app_4: k1"], "{left:?}");
        },
    }

    /// A person's word counts once.
    a_person_asks_for_a_fresh_database {
        begin: plain,
        acts: [
            "asks for a fresh database", Settled, |world| reset(world, "1");
            "wipes the status", Settled, |world| {
                is_live(world, "v1", &["app_2: k1"]);
                assert_eq!(said(world), "The database answers: it is a fresh one, because a person asked for it");
                edit(world, |preview| preview.status = None);
            };
            "pushes a version with the same migrations", Settled, |world| {
                is_live(world, "v1", &["app_2: k1"]);
                push_to(world, "same");
            };
            "retries what is well, and asks again", Settled, |world| {
                is_live(world, "same", &["app_2: k1"]);
                retry(world);
                reset(world, "2");
            };
        ],
        end: |world| is_live(world, "same", &["app_4: k1"]),
    }

    /// A word that cannot be answered yet is not taken for answered when another one is.
    a_person_asks_for_a_fresh_database_while_nothing_can_be_drafted {
        begin: plain,
        acts: [
            "names a ConfigMap that is missing, asks for a fresh database, and retries what is well", Settled, |world| {
                edit_app(world, |spec| {
                    let named = json!({"name": "THEME", "configMapRef": {"name": "settings", "key": "THEME"}});
                    spec.env.push(serde_json::from_value(named).unwrap());
                });
                reset(world, "1");
                retry(world);
            };
            "makes the ConfigMap", Settled, |world| {
                assert_eq!(condition(world, Configured).0, "False");
                assert_eq!(databases(world), ["app: k1"]);
                let handled = revisions(world).pop().unwrap().facts.handled;
                assert_eq!(handled.len(), 1, "the retry: {handled:?}");
                config_map(world, "settings", &[("THEME", "dark")]);
            };
        ],
        end: |world| is_live(world, "v1", &["app_2: k1"]),
    }

    every_push_gets_a_fresh_database {
        begin: always,
        acts: [
            "pushes a version with the same migrations", Settled, |world| push_to(world, "same");
            "changes the App", Settled, |world| {
                is_live(world, "same", &["app_2: k1"]);
                edit_app(world, |spec| {
                    let variable = json!({"name": "LOG_LEVEL", "value": "debug"});
                    spec.env.push(serde_json::from_value(variable).unwrap());
                });
            };
        ],
        end: |world| is_live(world, "same", &["app_2: k1"]),
    }

    no_push_gets_a_fresh_database {
        begin: never,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "lets databases be made anew again", Settled, |world| {
                is_live(world, "v2", &["app: k1, k2"]);
                edit_app(world, |spec| {
                    let preview = spec.preview.as_mut().unwrap();
                    preview.database.as_mut().unwrap().reset = Reset::OnMigrationChange;
                });
            };
            "pushes version 1", Settled, |world| {
                is_live(world, "v2", &["app: k1, k2"]);
                push_to(world, "v1");
            };
        ],
        end: |world| is_live(world, "v1", &["app_3: k1"]),
    }

    /// Each new database is filled once, before anything runs on it.
    a_database_is_filled_once {
        begin: seeded,
        acts: [
            "pushes a version with the same migrations", Settled, |world| push_to(world, "same");
            "pushes version 2", Settled, |world| {
                is_live(world, "same", &["app: k1, seed"]);
                push_to(world, "v2");
            };
        ],
        end: |world| is_live(world, "v2", &["app_3: k2, seed"]),
    }

    a_push_comes_while_a_database_is_filled {
        begin: seeded,
        acts: [
            "pushes a version with the same migrations", Once(|world| world.store.jobs.contains_key("shop-seed-1")),
                |world| push_to(world, "same");
        ],
        end: |world| is_live(world, "same", &["app: k1, seed"]),
    }

    /// A database that is filled in part is of no use to anybody.
    a_seed_fails {
        begin: seeded,
        acts: [
            "pushes a version whose seed fails", Settled, |world| push_to(world, "unfilled");
            "tries it again", Settled, |world| {
                assert!(is(world, Migrated, "SeedFailed"));
                assert_eq!(running(world, "web"), ["v1"]);
                retry(world);
            };
            "pushes version 2", Once(|world| revisions(world).len() == 3 && is(world, Migrated, "SeedFailed")), |world| {
                push_to(world, "v2");
            };
        ],
        end: |world| is_live(world, "v2", &["app_4: k2, seed"]),
    }

    the_first_seed_fails {
        begin: || {
            let mut world = seeded();
            push_to(&mut world, "unfilled");
            world
        },
        acts: [
            "pushes version 2", Settled, |world| {
                assert!(is(world, Migrated, "SeedFailed"));
                assert!(running(world, "web").is_empty());
                push_to(world, "v2");
            };
        ],
        end: |world| is_live(world, "v2", &["app_2: k2, seed"]),
    }

    /// What runs already was not empty: a seed that is declared later is for the next database.
    a_seed_is_declared_later {
        begin: plain,
        acts: [
            "declares a seed, and pushes a version with the same migrations", Settled, |world| {
                edit_app(world, |spec| {
                    let preview = spec.preview.as_mut().unwrap();
                    preview.database.as_mut().unwrap().seed = vec!["seed".to_owned()];
                });
                push_to(world, "same");
            };
            "pushes version 2", Settled, |world| {
                is_live(world, "same", &["app: k1"]);
                push_to(world, "v2");
            };
        ],
        end: |world| is_live(world, "v2", &["app_3: k2, seed"]),
    }

    it_is_closed_while_the_fresh_database_is_made {
        begin: seeded,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "closes it", Once(beside), close;
        ],
        end: gone,
    }

    it_is_closed_while_the_fresh_database_is_filled {
        begin: seeded,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "closes it", Once(|world| world.store.jobs.contains_key("shop-seed-2")), close;
        ],
        end: gone,
    }

    it_is_closed_while_the_pods_move {
        begin: seeded,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "closes it", Once(|world| revision(world, 2).is_some_and(|it| it.facts.entered.is_some())), close;
        ],
        end: gone,
    }

    it_is_closed_when_the_database_of_before_is_dropped {
        begin: seeded,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "closes it", Once(|world| revision(world, 2).is_some() && databases(world) == ["app_2: k2, seed"]), close;
        ],
        end: gone,
    }

    /// The server is silent when the one before shall go: it goes later, and holds up nobody.
    the_server_is_silent_when_a_database_shall_go {
        begin: plain,
        acts: [
            "pushes version 2", Settled, |world| push_to(world, "v2");
            "stops the server", Once(|world| revision(world, 2).is_some_and(|it| it.facts.entered.is_some())), |world| {
                world.databases.silent = true;
            };
            "starts it again", Settled, |world| {
                assert_eq!(running(world, "web"), ["v2"]);
                world.databases.silent = false;
                world.forget();
                edit(world, |preview| preview.spec.pull_request.author = Some("dev".to_owned()));
            };
        ],
        end: |world| is_live(world, "v2", &["app_2: k2"]),
    }
}

fn gone(world: &World) {
    nothing_is_left(world);
    assert!(world.databases.shared.comments().is_empty());
}
