//! Databases, roles and records against a real PostgreSQL that each test starts for itself.
// The lints know tests by their attribute, and not what tests share.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod chart;
mod disk;
mod golden;
mod golden_command;
mod look;
mod many;
mod orphans;
mod ownership;
mod provision;
mod record;
mod server;
mod shared;
mod sweeper;

use towpath::postgres::{Access, Answer, Identifier, Password, Role, Roles, SeenDatabase, Wanted};

fn name(name: &str) -> Identifier {
    Identifier::new(name).expect("a name that fits")
}

fn role(text: &str, password: &str) -> Role {
    Role {
        name: name(text),
        password: Password::new(password),
    }
}

/// A database `shop` with roles `owner` and `app`, each with a suffix.
fn wanted(suffix: &str) -> Wanted {
    Wanted {
        database: name(&format!("shop{suffix}")),
        family: name(&format!("shop{suffix}")),
        owner: role(&format!("owner{suffix}"), "0wner-S3cret"),
        app: role(&format!("app{suffix}"), "App-S3cret"),
        comment: "cluster/Environment/shop-staging/shop/uid".into(),
        adopts: None,
        whole_server: false,
        template: None,
        connection_limit: None,
    }
}

fn roles(want: &Wanted) -> Roles {
    Roles {
        owner: want.owner.name.clone(),
        app: want.app.name.clone(),
        comment: want.comment.clone(),
        family: want.family.clone(),
    }
}

/// Access of the migration role.
fn as_owner(admin: &Access, want: &Wanted) -> Access {
    admin.to_database(&want.database).as_role(&want.owner)
}

fn found(answer: Answer) -> SeenDatabase {
    match answer {
        Answer::Found(seen) => seen,
        other => panic!("it was not found: {other:?}"),
    }
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused(why) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn silent(answer: Answer) -> String {
    match answer {
        Answer::Silent(why) => why,
        other => panic!("it was not silent: {other:?}"),
    }
}
