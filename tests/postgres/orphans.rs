//! Databases of previews that belong to nobody any more.

use jiff::Timestamp;
use towpath::postgres::{Access, Databases, Ownership, SeenOrphan, Servers, Wanted, orphans};

use crate::name;
use crate::server::Server;
use crate::shared::{left, provisioner, wanted};

const CLUSTER: &str = "production-1";

fn uid(number: u32) -> String {
    format!("{number:08x}-5d6c-4c0e-9f0a-3f6e0c2b7a11")
}

fn of(kind: &str, cluster: &str, number: u32) -> Wanted {
    let owner = Ownership {
        cluster: cluster.into(),
        kind: kind.into(),
        namespace: "shop-previews".into(),
        name: format!("shop-pr-{number}"),
        uid: uid(number),
    };
    Wanted {
        comment: owner.to_string(),
        ..wanted(&uid(number))
    }
}

async fn only(admin: &Access) -> SeenOrphan {
    let mut found = orphans::find(admin, CLUSTER).await.expect("found");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn an_orphan_is_put_aside_given_back_and_dropped() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let want = of("Preview", CLUSTER, 1);
    Servers.provide(&admin, &want).await.expect("provided");
    for foreign in [of("Environment", CLUSTER, 2), of("Preview", "staging-1", 3)] {
        Servers.provide(&admin, &foreign).await.expect("provided");
    }
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    let orphan = only(&admin).await;
    assert_eq!((orphan.unseen, orphan.aside), (None, None));
    assert_eq!(orphan.owner.to_string(), want.comment);
    orphans::note(&admin, &orphan, now).await.expect("noted");
    assert_eq!(only(&admin).await.unseen, Some(now));

    // Somebody holds a connection; the app's role cannot come back.
    let (app, database) = (want.app.name.as_str(), want.database.as_str());
    let held = server.connect(app, "App-S3cret", database).await;
    let held = held.expect("it is still there");
    let orphan = only(&admin).await;
    orphans::put_aside(&admin, &orphan, now)
        .await
        .expect("put aside");
    let aside = only(&admin).await;
    assert_eq!(aside.aside, Some(now));
    assert_ne!(aside.database, want.database);
    assert!(held.batch_execute("SELECT 1").await.is_err());
    for name in [database, aside.database.as_str()] {
        assert!(
            server.connect(app, "App-S3cret", name).await.is_err(),
            "{name}"
        );
    }

    orphans::restore(&admin, &aside).await.expect("given back");
    let back = only(&admin).await;
    assert_eq!(
        (&back.database, back.unseen, back.aside),
        (&want.database, None, None)
    );
    let again = Servers.provide(&admin, &want).await;
    again.expect("it is what it was");
    let serving = server.connect(app, "App-S3cret", database).await;
    serving.expect("its app is back");

    orphans::put_aside(&admin, &back, now)
        .await
        .expect("put aside");
    let aside = only(&admin).await;
    orphans::discard(&admin, &aside).await.expect("dropped");
    orphans::discard(&admin, &aside)
        .await
        .expect("what is gone is done");
    assert!(
        orphans::find(&admin, CLUSTER)
            .await
            .expect("found")
            .is_empty()
    );
    let rest = left(&server).await;
    assert_eq!(rest.len(), 6, "two others with their roles: {rest:?}");
}

#[tokio::test]
async fn the_last_of_several_databases_takes_the_roles_along() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let first = of("Preview", CLUSTER, 1);
    Servers.provide(&admin, &first).await.expect("provided");
    let second = Wanted {
        database: name(&format!("{}_2", first.database.as_str())),
        ..of("Preview", CLUSTER, 1)
    };
    Servers.provide(&admin, &second).await.expect("provided");
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    for orphan in orphans::find(&admin, CLUSTER).await.expect("found") {
        orphans::put_aside(&admin, &orphan, now)
            .await
            .expect("put aside");
    }
    let found = orphans::find(&admin, CLUSTER).await.expect("found");
    assert_eq!(found.len(), 2, "{found:?}");
    for (at, orphan) in found.iter().enumerate() {
        orphans::discard(&admin, orphan).await.expect("dropped");
        let rest = left(&server).await.len();
        assert_eq!(rest, if at == 0 { 3 } else { 0 });
    }
}

#[tokio::test]
async fn nobody_but_the_provisioner_makes_an_orphan() {
    let server = Server::start().await;
    let admin = provisioner(&server).await;
    let want = of("Preview", CLUSTER, 1);
    Servers.provide(&admin, &want).await.expect("provided");
    let inside = server
        .connect(
            want.owner.name.as_str(),
            "0wner-S3cret",
            want.database.as_str(),
        )
        .await
        .expect("its owner logs in");
    let name = want.database.as_str();
    for attempt in [
        format!("ALTER DATABASE {name} RENAME TO towpath_mine"),
        format!("COMMENT ON DATABASE {name} IS 'mine'"),
    ] {
        assert!(inside.batch_execute(&attempt).await.is_err(), "{attempt}");
    }
    // A database of another's making with such a comment is not taken for one.
    let superuser = server.superuser("postgres").await;
    let forged = [
        "CREATE DATABASE somebodys".to_owned(),
        format!(
            "COMMENT ON DATABASE somebodys IS '{}'",
            of("Preview", CLUSTER, 9).comment
        ),
    ];
    for statement in &forged {
        superuser
            .batch_execute(statement)
            .await
            .expect("a superuser may");
    }
    assert_eq!(only(&admin).await.database, want.database);
}
