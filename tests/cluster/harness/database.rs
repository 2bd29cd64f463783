//! The dedicated database of an Environment, as its administrator sees it.

use k8s_openapi::api::core::v1::{Secret, Service};
use tokio_postgres::{Client, NoTls};

use super::Place;

/// The advisory lock that the shop's migration takes first.
const MIGRATION_LOCK: i64 = 0x7368_6f70;

/// A connection to a database of an Environment's server.
pub struct Database {
    client: Client,
}

impl Database {
    /// Connects to the app's database as the administrator.
    pub async fn connect(place: &Place, environment: &str) -> Self {
        Self::connect_to(place, environment, "app").await
    }

    /// Connects to a database as the administrator.
    pub async fn connect_to(place: &Place, environment: &str, database: &str) -> Self {
        let secret: Secret = place.get(&format!("{environment}-postgres")).await;
        let password = secret.data.expect("passwords")["admin"].0.clone();
        let service: Service = place.get(&format!("{environment}-postgres")).await;
        let address = service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .expect("an address");
        let mut config = tokio_postgres::Config::new();
        config
            .host(&address)
            .port(5432)
            .user("postgres")
            .password(password)
            .dbname(database);
        config.connect_timeout(super::seconds(10));
        let (client, connection) = config
            .connect(NoTls)
            .await
            .expect("the database takes the administrator");
        tokio::spawn(connection);
        Self { client }
    }

    /// Holds up the shop's migrations until this connection ends.
    pub async fn hold_migrations(&self) {
        let sql = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
        self.client.batch_execute(&sql).await.expect("the lock");
    }

    /// Lets the shop's migrations go on.
    pub async fn let_migrations_go(&self) {
        let sql = format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})");
        self.client.batch_execute(&sql).await.expect("the lock");
    }

    pub async fn execute(&self, sql: &str) {
        let done = self.client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// How many rows a query counts.
    pub async fn count(&self, sql: &str) -> i64 {
        let row = self.client.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    /// The keys in the record of migrations, oldest first.
    pub async fn record(&self) -> Vec<(String, i64)> {
        let sql = "SELECT key, revision FROM towpath.migrations ORDER BY revision";
        let rows = self.client.query(sql, &[]).await.expect("the record");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
