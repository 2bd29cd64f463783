//! One connection to PostgreSQL, with its limits, and what its errors mean to the user.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSqlOwned, ToSql, Type};
use tokio_postgres::{Client, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Access, Failure};
use crate::outbound::{self, Fault};

/// How the controller names itself to the server; such backends are never counted as a migration's.
pub const APPLICATION_NAME: &str = "towpath";

const CONNECT: Duration = Duration::from_secs(5);

/// Set in the startup message, where neither a role's nor a database's own settings can undo them. With this search
/// path an unqualified name is the system's, whatever the database's owner has put into `public`.
const OPTIONS: &str = "-c search_path=pg_catalog -c statement_timeout=10s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=10s -c client_min_messages=warning";

/// A parameter of a statement, with its type: no statement has to be prepared for its types to be known.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection. It ends when this is dropped.
pub struct Session {
    client: Client,
    at: Access,
}

/// Why a statement or a connection failed, with the server's code where it gave one.
#[derive(Debug)]
pub struct Trouble {
    pub code: Option<SqlState>,
    failure: Failure,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        trouble.failure
    }
}

impl Trouble {
    fn silent(at: &Access, why: &str) -> Self {
        Self {
            code: None,
            failure: Failure::Silent(format!(
                "PostgreSQL at {} did not answer: {why}",
                at.address()
            )),
        }
    }

    fn refused(code: Option<SqlState>, why: String) -> Self {
        Self {
            code,
            failure: Failure::Refused(why),
        }
    }

    fn of(error: &tokio_postgres::Error, at: &Access) -> Self {
        match error.as_db_error() {
            Some(answer) => Self::said(answer.code(), answer.message(), at),
            None => Self::unsaid(error, at),
        }
    }

    /// The server gave a reason.
    fn said(code: &SqlState, message: &str, at: &Access) -> Self {
        let (number, user, database) = (code.code(), at.user(), at.database());
        let refusal = match number {
            "28P01" => format!(
                "PostgreSQL refused the login of user '{user}' (28P01): the Secret must hold the right password"
            ),
            "28000" => format!(
                "PostgreSQL refused the login of user '{user}' (28000): the user must exist and pg_hba.conf must let it in"
            ),
            "3D000" => format!(
                "PostgreSQL has no database '{database}' (3D000): the Secret must name one that exists"
            ),
            "08P01" => format!(
                "PostgreSQL at {} refused the connection (08P01): the address must be the server's own, not a pooler's",
                at.address()
            ),
            // Who only looks has not been told no.
            "53100" => {
                let why = format!(
                    "PostgreSQL at {} has no room left (53100): its disk must be larger, or something on it go; it said: {message}",
                    at.address()
                );
                return Self {
                    code: Some(code.clone()),
                    failure: Failure::Silent(why),
                };
            }
            _ if passes(number) => {
                return Self {
                    code: Some(code.clone()),
                    ..Self::silent(at, &format!("{message} ({number})"))
                };
            }
            _ => format!("PostgreSQL refused what user '{user}' asked ({number}): {message}"),
        };
        Self::refused(Some(code.clone()), refusal)
    }

    /// The connection or the protocol failed.
    fn unsaid(error: &tokio_postgres::Error, at: &Access) -> Self {
        let address = at.address();
        let causes: Vec<_> = outbound::causes(error).map(ToString::to_string).collect();
        let fault = outbound::causes(error).find_map(Fault::cause);
        match (fault, causes.join(": ").as_str()) {
            (Some(Fault::Tls(why)), _) => Self::refused(
                None,
                format!(
                    "PostgreSQL at {address}: its certificate must be valid for sslmode=verify-full ({why})"
                ),
            ),
            (Some(fault), _) => Self::silent(at, &fault.to_string()),
            // The client's own errors have no kinds that could be asked, but a text for each.
            (None, text) if text.contains("server does not support TLS") => Self::refused(
                None,
                format!(
                    "PostgreSQL at {address} has no TLS: it must, or sslmode must be disable or prefer"
                ),
            ),
            (None, text)
                if text.starts_with("authentication error")
                    || text.starts_with("invalid configuration") =>
            {
                Self::refused(
                    None,
                    format!(
                        "PostgreSQL at {address} could not be logged in to as '{}': the Secret must hold a user and a password",
                        at.user()
                    ),
                )
            }
            (None, text) => Self::silent(at, text),
        }
    }
}

/// Whether a code is of something that ends by itself: starting up, shutting down, too many connections, a replica, a
/// lock or a statement that took too long, trouble inside.
fn passes(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    matches!(class, "08" | "40" | "53" | "55" | "58" | "XX")
        || matches!(
            code,
            "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "25006"
        )
}

impl Session {
    /// Connects and logs in.
    pub async fn open(at: &Access) -> Result<Self, Trouble> {
        let mut config = at.config();
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(CONNECT * 2)
            .keepalives_idle(CONNECT * 2);
        config.application_name(APPLICATION_NAME).options(OPTIONS);
        let tls = tls(at.verify()).map_err(|why| Trouble::refused(None, why))?;
        let opening =
            tokio::time::timeout(CONNECT, config.connect(MakeRustlsConnect::new(tls))).await;
        let opened = opening.map_err(|_| Trouble::silent(at, &Fault::TimedOut.to_string()))?;
        let (client, connection) = opened.map_err(|error| Trouble::of(&error, at))?;
        // It ends when the client is dropped, or by its own limits when the peer is silent; statements see its errors.
        tokio::spawn(connection);
        Ok(Self {
            client,
            at: at.clone(),
        })
    }

    /// Where this is connected to.
    pub fn at(&self) -> &Access {
        &self.at
    }

    /// Runs statements without parameters or answers. Several of them are one transaction.
    pub async fn run(&self, sql: &str) -> Result<(), Trouble> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(|error| Trouble::of(&error, &self.at))
    }

    /// Asks for rows.
    pub async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        self.client
            .query_typed(sql, parameters)
            .await
            .map_err(|error| Trouble::of(&error, &self.at))
    }

    /// Asks for at most one row.
    pub async fn row(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Trouble> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// A column of a row, of the type that the statement gives it.
    pub fn get<T: FromSqlOwned>(&self, row: &Row, column: usize) -> Result<T, Trouble> {
        row.try_get(column)
            .map_err(|error| Trouble::of(&error, &self.at))
    }

    /// The server's version, such as 150004.
    pub async fn version(&self) -> Result<i32, Trouble> {
        let row = self
            .row("SELECT current_setting('server_version_num')::int", &[])
            .await?;
        row.map_or(Ok(0), |row| self.get(&row, 0))
    }

    /// Whether this role is above all rights.
    pub async fn is_superuser(&self) -> Result<bool, Trouble> {
        let row = self
            .row(
                "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
                &[],
            )
            .await?;
        row.map_or(Ok(false), |row| self.get(&row, 0))
    }
}

/// Settings that check the server's certificate, or that only encrypt.
fn tls(verify: bool) -> Result<rustls::ClientConfig, String> {
    let mut config = outbound::tls(None)?;
    if !verify {
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(outbound::AnyCertificate::default()));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str) -> Failure {
        let at = Access::parse("postgres://shop:S3cret@db/store").expect("a URL");
        Trouble::said(&SqlState::from_code(code), "the server's words", &at).into()
    }

    #[test]
    fn a_wrong_password_is_refused_with_what_the_secret_must_hold() {
        let sentence = "PostgreSQL refused the login of user 'shop' (28P01): the Secret must hold the right password";
        assert_eq!(said("28P01"), Failure::Refused(sentence.into()));
        assert!(matches!(said("3D000"), Failure::Refused(why) if why.contains("'store'")));
        assert!(
            matches!(said("42501"), Failure::Refused(why) if why.contains("the server's words"))
        );
    }

    #[test]
    fn a_full_disk_is_for_a_person_to_mend() {
        let sentence = "PostgreSQL at db:5432 has no room left (53100): its disk must be larger, or something on it go; \
                        it said: the server's words";
        assert_eq!(said("53100"), Failure::Silent(sentence.into()));
    }

    #[test]
    fn what_ends_by_itself_is_silence() {
        for code in [
            "57P03", "53300", "57014", "55P03", "40P01", "25006", "08006",
        ] {
            assert!(
                matches!(said(code), Failure::Silent(why) if why.contains(code)),
                "{code}"
            );
        }
    }
}
