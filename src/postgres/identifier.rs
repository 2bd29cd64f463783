//! Names inside PostgreSQL, and the name of a database among all databases.

use std::fmt;
use std::str::FromStr;

/// A name of a role or database: 1 to 63 bytes, without NUL, and quoted wherever it meets SQL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// Takes a name that fits.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return Err(format!(
                "a name in PostgreSQL must have 1 to 63 bytes and no NUL; it is {name:?}"
            ));
        }
        Ok(Self(name))
    }

    /// The name as it is, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as SQL.
    pub fn quoted(&self) -> String {
        postgres_protocol::escape::escape_identifier(&self.0)
    }
}

/// Which database this is: a dropped and recreated one has another oid, a restored server another identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The server's system identifier, or its address where the identifier may not be read.
    pub server: String,
    /// Name of the database.
    pub database: String,
    /// Its oid.
    pub oid: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.server, self.database, self.oid)
    }
}

impl FromStr for Identity {
    type Err = String;

    /// Reads what Display wrote; the name of a database may hold slashes, the other two parts cannot.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (server, rest) = text.split_once('/')?;
            let (database, oid) = rest.rsplit_once('/')?;
            let whole = !server.is_empty() && !database.is_empty();
            whole.then_some(Self {
                server: server.into(),
                database: database.into(),
                oid: oid.parse().ok()?,
            })
        };
        parts().ok_or_else(|| {
            format!("a database's identity must read server/database/oid; it is {text:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_or_is_refused_and_is_quoted_in_sql() {
        let longest = "n".repeat(63);
        for name in ["shop", "a\"b", "tab\tle", "ümlaut", &longest] {
            assert_eq!(Identifier::new(name).expect(name).as_str(), name);
        }
        for name in ["", "a\0b", &"n".repeat(64), &"ü".repeat(32)] {
            assert!(
                Identifier::new(name)
                    .expect_err(name)
                    .contains("must have 1 to 63 bytes")
            );
        }
        assert_eq!(
            Identifier::new("a\"b; --").expect("a name").quoted(),
            r#""a""b; --""#
        );
    }

    #[test]
    fn an_identity_is_read_as_it_is_written() {
        let identity = Identity {
            server: "7400000000000000001".into(),
            database: "a/b".into(),
            oid: 16_384,
        };
        assert_eq!(identity.to_string(), "7400000000000000001/a/b/16384");
        assert_eq!(identity.to_string().parse(), Ok(identity));
        for text in ["", "a", "a/b", "a/b/c", "/b/1", "a//1", "a/b/-1"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
