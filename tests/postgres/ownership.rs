//! Whose databases are: nothing foreign is seized, kept data is adopted, and a new database is another one.

use towpath::postgres::{Databases, Failure, Question, Servers};

use crate::provision::assert_provided;
use crate::server::Server;
use crate::{as_owner, refused, role, wanted};

#[tokio::test]
async fn what_belongs_to_another_is_not_seized() {
    let server = Server::start().await;
    let admin = server.superuser("postgres").await;
    admin
        .batch_execute("CREATE ROLE stranger LOGIN")
        .await
        .expect("a role");
    admin
        .batch_execute("CREATE DATABASE shop OWNER stranger")
        .await
        .expect("a database");
    let refusal = Servers
        .provide(&server.admin(), &wanted(""))
        .await
        .expect_err("a stranger's without a comment");
    assert!(
        matches!(&refusal, Failure::Refused(why) if why.contains("database \"shop\" belongs to another")),
        "{refusal}"
    );
    admin
        .batch_execute("ALTER DATABASE shop OWNER TO postgres; COMMENT ON DATABASE shop IS 'other'")
        .await
        .expect("a comment");
    let refusal = Servers
        .provide(&server.admin(), &wanted(""))
        .await
        .expect_err("with another comment");
    assert!(
        matches!(&refusal, Failure::Refused(why) if why.contains("belongs to another")),
        "{refusal}"
    );
    admin
        .batch_execute("CREATE ROLE app_2 LOGIN")
        .await
        .expect("a role");
    let refusal = Servers
        .provide(&server.admin(), &wanted("_2"))
        .await
        .expect_err("a role without our comment");
    assert!(
        matches!(&refusal, Failure::Refused(why) if why.contains("role \"app_2\" belongs to another")),
        "{refusal}"
    );
    let comment: Option<String> = admin
        .query_one(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'",
            &[],
        )
        .await
        .expect("a row")
        .get(0);
    assert_eq!(comment.as_deref(), Some("other"));
}

#[tokio::test]
async fn kept_data_is_adopted_by_the_comment_that_it_had() {
    let server = Server::start().await;
    let mut want = wanted("");
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let earlier = std::mem::replace(
        &mut want.comment,
        "cluster/Environment/shop-staging/shop/new-uid".into(),
    );
    assert!(matches!(
        Servers.provide(&server.admin(), &want).await,
        Err(Failure::Refused(_))
    ));
    want.adopts = Some(earlier);
    assert_eq!(
        Servers.provide(&server.admin(), &want).await,
        Ok(identity.clone())
    );
    assert_provided(&server, &want, &identity).await;
}

#[tokio::test]
async fn a_server_of_its_own_is_adopted_from_another_cluster() {
    let server = Server::start().await;
    let mut want = wanted("");
    let owner = "kind=Environment namespace=shop-staging name=shop uid=u-1";
    want.comment = format!("towpath cluster=production-1 {owner}");
    let identity = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    want.comment = format!("towpath cluster=production-2 {owner}");
    let refusal = Servers.provide(&server.admin(), &want).await;
    assert!(matches!(refusal, Err(Failure::Refused(_))), "{refusal:?}");
    want.whole_server = true;
    let adopted = Servers.provide(&server.admin(), &want).await;
    assert_eq!(adopted, Ok(identity.clone()));
    assert_provided(&server, &want, &identity).await;
    // What Towpath did not make is nobody's to take, on no server.
    let admin = server.superuser("postgres").await;
    admin
        .batch_execute("COMMENT ON DATABASE shop IS 'other'")
        .await
        .expect("a comment");
    let refusal = Servers.provide(&server.admin(), &want).await;
    assert!(matches!(refusal, Err(Failure::Refused(_))), "{refusal:?}");
}

#[tokio::test]
async fn a_provisioner_needs_no_superuser() {
    let server = Server::start().await;
    let admin = server.superuser("postgres").await;
    admin
        .batch_execute("CREATE ROLE provisioner LOGIN CREATEDB CREATEROLE PASSWORD 'p'")
        .await
        .expect("a role");
    let want = wanted("");
    let access = server.admin().as_role(&role("provisioner", "p"));
    let identity = Servers.provide(&access, &want).await.expect("provided");
    assert_eq!(Servers.provide(&access, &want).await, Ok(identity.clone()));
    assert_provided(&server, &want, &identity).await;
    let unable = server.admin().as_role(&role("nobody", "p"));
    admin
        .batch_execute("CREATE ROLE nobody LOGIN PASSWORD 'p'")
        .await
        .expect("a role");
    assert!(matches!(
        Servers.provide(&unable, &wanted("_2")).await,
        Err(Failure::Refused(_))
    ));
}

#[tokio::test]
async fn a_database_made_anew_is_another_one() {
    let server = Server::start().await;
    let want = wanted("");
    let first = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided");
    let admin = server.superuser("postgres").await;
    admin
        .batch_execute("DROP DATABASE shop WITH (FORCE)")
        .await
        .expect("dropped");
    let gone = refused(
        Servers
            .look(&as_owner(&server.admin(), &want), &Question::default())
            .await,
    );
    assert!(
        gone.contains("PostgreSQL has no database 'shop' (3D000)"),
        "{gone}"
    );
    let second = Servers
        .provide(&server.admin(), &want)
        .await
        .expect("provided again");
    assert_eq!(
        (&first.server, &first.database),
        (&second.server, &second.database)
    );
    assert_ne!(first.oid, second.oid);
}
