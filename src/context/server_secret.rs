//! The Secret of a shared server that comes with the chart: made once, with random passwords, as nobody else could keep them
//! the same from one rendering of the chart to the next.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::api::labels;
use crate::apply::password;
use crate::config::{Postgres, PostgresServer};
use crate::error::{Error, Verb};

/// The role that makes databases on such a server.
const PROVISIONER: &str = "towpath";
const PORT: u16 = 5432;

/// Makes the Secrets that the configuration wants and that are not there.
pub async fn generate(client: &Client, namespace: &str, postgres: &Postgres) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for server in postgres.servers.iter().filter(|server| server.generate) {
        let name = &server.secret_ref.name;
        let found = api.get_opt(name).await;
        if found
            .map_err(|error| Error::api(Verb::Get, "Secret", name, error))?
            .is_some()
        {
            continue;
        }
        let secret = secret(server, password()?, &password()?);
        match api.create(&PostParams::default(), &secret).await {
            Ok(_) => tracing::info!(
                name,
                server = server.name,
                "the Secret of a shared server was made"
            ),
            // Another replica was first.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(Error::api(Verb::Create, "Secret", name, error)),
        }
    }
    Ok(())
}

fn secret(server: &PostgresServer, admin: String, provisioner: &str) -> Secret {
    let host = server.host.as_deref().unwrap_or_default();
    let port = server.port.unwrap_or(PORT);
    let url = format!("postgresql://{PROVISIONER}:{provisioner}@{host}:{port}/postgres");
    let mut secret = Secret {
        string_data: Some(BTreeMap::from([
            ("admin".to_owned(), admin),
            ("provisioner".to_owned(), provisioner.to_owned()),
            (server.url_key.clone(), url),
        ])),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    secret.metadata.name = Some(server.secret_ref.name.clone());
    let label = (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned());
    secret.metadata.labels = Some(BTreeMap::from([label]));
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Access;

    #[test]
    fn the_url_leads_the_provisioner_to_the_server() {
        let mut server = PostgresServer::for_all("previews", "towpath-postgres");
        server.host = Some("towpath-postgres.towpath-system.svc".to_owned());
        let secret = secret(&server, password().unwrap(), &password().unwrap());
        assert_eq!(secret.metadata.name.as_deref(), Some("towpath-postgres"));
        let data = secret.string_data.unwrap();
        assert_ne!(data["admin"], data["provisioner"]);
        let access = Access::parse(&data["url"]).expect("a URL");
        assert_eq!(
            access.endpoint(),
            ("towpath-postgres.towpath-system.svc".to_owned(), 5432)
        );
        assert!(data["url"].contains(&data["provisioner"]));
    }
}
