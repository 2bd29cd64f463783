//! How to reach a database: address and login, kept out of every log.

use std::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::{Identifier, Password, Role};
use crate::config::is_address;

/// Address and login of a database. Its Debug prints nothing of it.
///
/// `sslmode` means what it means to libpq, and so to the apps that are given the same URL: `disable`, `prefer` (the
/// default) and `require` do not check whom they talk to; `verify-ca` and `verify-full` both check chain and name
/// against the public certificate authorities.
#[derive(Clone, PartialEq)]
pub struct Access {
    // Boxed, because plans carry many of these and most say nothing of a database.
    config: Box<Config>,
    verify: bool,
}

const FORM: &str = "the connection URL must have the form postgres://user:password@host:port/database, with the special \
    characters of its parts percent-encoded";

impl Access {
    /// Reads a connection URL, such as `postgres://user:password@host:5432/database?sslmode=require`. A driver in the
    /// scheme (`postgresql+asyncpg`) is left out, and so are parameters that only drivers know.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(FORM)?;
        let dialect = scheme
            .split_once('+')
            .map_or(scheme, |(dialect, _)| dialect);
        if !matches!(dialect, "postgres" | "postgresql") {
            return Err("the connection URL must begin with postgres:// or postgresql://".into());
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A second @ is a part of a password that was not encoded: it would be taken for a host, and shown.
        if place.matches('@').count() > 1 {
            return Err(FORM.into());
        }
        let (known, verify) = parameters(query)?;
        let config: Config = format!("postgres://{place}?{known}")
            .parse()
            .map_err(|_| FORM)?;
        let config = Box::new(config);
        Self { config, verify }.checked()
    }

    /// Address and login in parts, without TLS: for servers that the controller runs itself.
    pub fn plain(
        host: &str,
        port: u16,
        user: &Identifier,
        password: &Password,
        database: &Identifier,
    ) -> Self {
        let mut config = Box::new(Config::new());
        config
            .host(host)
            .port(port)
            .user(user.as_str())
            .password(&password.0)
            .dbname(database.as_str());
        config.ssl_mode(SslMode::Disable);
        Self {
            config,
            verify: false,
        }
    }

    /// The same server and login, in another database.
    pub fn to_database(&self, database: &Identifier) -> Self {
        let mut access = self.clone();
        access.config.dbname(database.as_str());
        access
    }

    /// The same server and database, as another role.
    pub fn as_role(&self, role: &Role) -> Self {
        let mut access = self.clone();
        access
            .config
            .user(role.name.as_str())
            .password(&role.password.0);
        access
    }

    /// The user that logs in.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// The database; PostgreSQL's default is the one with the user's name.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    /// `host:port`, of each server that the URL names.
    pub fn address(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| {
            ports
                .get(at)
                .or_else(|| ports.first())
                .copied()
                .unwrap_or(5432)
        };
        let hosts = self.config.get_hosts().iter().enumerate();
        let addresses: Vec<_> = hosts
            .map(|(at, host)| format!("{}:{}", name(host), port(at)))
            .collect();
        addresses.join(",")
    }

    /// Host and port of the first server that the URL names.
    pub fn endpoint(&self) -> (String, u16) {
        let host = self.config.get_hosts().first().map(name);
        let port = self.config.get_ports().first().copied();
        (host.unwrap_or_default().to_owned(), port.unwrap_or(5432))
    }

    /// Settings of the connection, for the session to complete.
    pub(super) fn config(&self) -> Config {
        Config::clone(&self.config)
    }

    /// Whether the server must prove who it is.
    pub(super) fn verify(&self) -> bool {
        self.verify
    }

    fn checked(self) -> Result<Self, String> {
        let hosts = self.config.get_hosts();
        let tcp = |host: &Host| matches!(host, Host::Tcp(name) if is_address(name) || name.parse::<std::net::IpAddr>().is_ok());
        if hosts.is_empty() || !hosts.iter().all(tcp) {
            return Err("the connection URL must name a host".into());
        }
        if self.user().is_empty() {
            return Err("the connection URL must name a user".into());
        }
        Ok(self)
    }
}

fn name(host: &Host) -> &str {
    match host {
        Host::Tcp(name) => name,
        Host::Unix(_) => "",
    }
}

/// The parameters of a URL that matter here, in the client's words, and whether the server must prove who it is.
fn parameters(query: &str) -> Result<(String, bool), String> {
    let mut known = Vec::new();
    let mut verify = false;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (key, value) {
            ("sslmode", "disable" | "prefer" | "require")
            | ("user" | "password" | "host" | "port" | "dbname", _) => known.push(pair),
            ("sslmode", "allow") => known.push("sslmode=prefer"),
            ("sslmode", "verify-ca" | "verify-full") => {
                verify = true;
                known.push("sslmode=require");
            }
            ("sslmode", _) => {
                return Err(
                    "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"
                        .into(),
                );
            }
            _ => {}
        }
    }
    Ok((known.join("&"), verify))
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(url: &str) -> Access {
        Access::parse(url).expect(url)
    }

    #[test]
    fn a_url_is_read_as_apps_write_it() {
        for (url, user, address, database) in [
            (
                "postgres://shop:pw@db.example.com:5433/shop",
                "shop",
                "db.example.com:5433",
                "shop",
            ),
            (
                "postgresql://shop:pw@db/store?sslmode=require&schema=public",
                "shop",
                "db:5432",
                "store",
            ),
            (
                "postgresql+asyncpg://shop:p%40%2Fw@db/?pool_timeout=3",
                "shop",
                "db:5432",
                "shop",
            ),
            (
                "postgres://shop@[2001:db8::1]:5432/shop",
                "shop",
                "2001:db8::1:5432",
                "shop",
            ),
            (
                "postgres:///shop?host=db&user=me&port=6000",
                "me",
                "db:6000",
                "shop",
            ),
            ("postgres://shop:pw@a:1,b:2/shop", "shop", "a:1,b:2", "shop"),
            (" postgres://shop:pw@db/shop\n", "shop", "db:5432", "shop"),
        ] {
            let read = access(url);
            assert_eq!(
                (read.user(), read.address().as_str(), read.database()),
                (user, address, database),
                "{url}"
            );
        }
    }

    #[test]
    fn sslmode_means_what_it_means_to_libpq() {
        for (mode, ssl, verify) in [
            ("disable", SslMode::Disable, false),
            ("allow", SslMode::Prefer, false),
            ("prefer", SslMode::Prefer, false),
            ("require", SslMode::Require, false),
            ("verify-ca", SslMode::Require, true),
            ("verify-full", SslMode::Require, true),
        ] {
            let read = access(&format!("postgres://shop@db/shop?sslmode={mode}"));
            assert_eq!(
                (read.config.get_ssl_mode(), read.verify()),
                (ssl, verify),
                "{mode}"
            );
        }
        assert_eq!(
            access("postgres://shop@db/shop").config.get_ssl_mode(),
            SslMode::Prefer
        );
        assert!(
            Access::parse("postgres://shop@db/shop?sslmode=no")
                .expect_err("no mode")
                .contains("sslmode must be")
        );
    }

    #[test]
    fn what_cannot_be_read_is_answered_without_the_secret() {
        for (url, part) in [
            ("", "must have the form"),
            ("shop:S3cret@db", "must have the form"),
            ("mysql://shop:S3cret@db/shop", "must begin with postgres://"),
            (
                "postgres://shop:S3cret@db:S3cret/shop",
                "must have the form",
            ),
            ("postgres://shop:p@S3cret@db/shop", "must have the form"),
            ("postgres://shop:p@S3cret/x@db/shop", "must have the form"),
            ("postgres://shop:S3?cret@db/shop", "must have the form"),
            ("postgres://shop:S3cret@/shop", "must name a host"),
            ("postgres://shop:S3cret@%2Ftmp/shop", "must name a host"),
            ("postgres:///shop?host=/tmp&user=S3cret", "must name a host"),
            ("postgres://db/shop", "must name a user"),
        ] {
            let refusal = Access::parse(url).expect_err(url);
            assert!(refusal.contains(part), "{url}: {refusal}");
            assert!(!refusal.contains("S3"), "{refusal}");
        }
    }

    #[test]
    fn debug_prints_nothing_of_it() {
        let read = access("postgres://shop:S3cret@db/shop");
        let role = Role {
            name: Identifier::new("shop").expect("a name"),
            password: Password::new("S3cret"),
        };
        assert_eq!(
            format!("{read:?} {:?}", read.as_role(&role)),
            "Access(..) Access(..)"
        );
        assert!(!format!("{role:?}").contains("S3cret"));
    }
}
