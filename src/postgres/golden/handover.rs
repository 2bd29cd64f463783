//! How a program of the user's reaches the database that it fills: the texts of files, which are secrets.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::config::{Host, SslMode};

use crate::postgres::Access;

/// What the connection is called in the service file.
pub const SERVICE: &str = "golden";

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The service file of libpq. The password stands in it, because a password file that another user may read is ignored.
#[must_use]
pub fn service(access: &Access) -> String {
    let (hosts, ports): (Vec<_>, Vec<_>) = endpoints(access).into_iter().unzip();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let mut text = format!(
        "[{SERVICE}]\nhost={}\nport={}\nuser={}\npassword={}\ndbname={}\nsslmode={}\n",
        hosts.join(","),
        ports.join(","),
        access.user(),
        password(access),
        access.database(),
        sslmode(access)
    );
    if access.verify() {
        // The public authorities, as everywhere here; known to libpq 16 and newer.
        text += "sslrootcert=system\n";
    }
    text
}

/// The connection URL.
#[must_use]
pub fn url(access: &Access) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut places = String::new();
    for (host, port) in endpoints(access) {
        let comma = if places.is_empty() { "" } else { "," };
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host,
        };
        let _ = write!(places, "{comma}{host}:{port}");
    }
    let authorities = match access.verify() {
        true => "&sslrootcert=system",
        false => "",
    };
    format!(
        "postgresql://{}:{}@{places}/{}?sslmode={}{authorities}",
        encode(access.user()),
        encode(&password(access)),
        encode(access.database()),
        sslmode(access)
    )
}

fn endpoints(access: &Access) -> Vec<(String, u16)> {
    let config = access.config();
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or_else(|| ports.first()).copied();
    let hosts = config.get_hosts().iter().enumerate();
    let named = hosts.filter_map(|(at, host)| match host {
        Host::Tcp(name) => Some((name.clone(), port(at).unwrap_or(5432))),
        Host::Unix(_) => None,
    });
    named.collect()
}

fn password(access: &Access) -> String {
    let config = access.config();
    let bytes = config.get_password().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn sslmode(access: &Access) -> &'static str {
    match access.config().get_ssl_mode() {
        _ if access.verify() => "verify-full",
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        _ => "prefer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{Identifier, Password, Role};

    fn access(url: &str) -> Access {
        let role = Role {
            name: Identifier::new("shop_fill").expect("a name"),
            password: Password::new("a-b_c"),
        };
        let next = Identifier::new("shop_next").expect("a name");
        let admin = Access::parse(url).expect("a URL");
        admin.to_database(&next).as_role(&role)
    }

    #[test]
    fn both_say_where_and_as_whom() {
        let read = access("postgres://towpath:S3cret@db/postgres");
        assert_eq!(
            service(&read),
            "[golden]\nhost=db\nport=5432\nuser=shop_fill\npassword=a-b_c\ndbname=shop_next\nsslmode=prefer\n"
        );
        let shown = "postgresql://shop_fill:a-b_c@db:5432/shop_next?sslmode=prefer";
        assert_eq!(url(&read), shown);
    }

    #[test]
    fn several_hosts_and_the_check_of_certificates_are_handed_on() {
        let read = access(
            "postgres://towpath:S3cret@db:6432,[2001:db8::1]:6433/postgres?sslmode=verify-ca",
        );
        let text = service(&read);
        assert!(
            text.contains("host=db,2001:db8::1\nport=6432,6433\n"),
            "{text}"
        );
        assert!(
            text.ends_with("sslmode=verify-full\nsslrootcert=system\n"),
            "{text}"
        );
        let shown = "postgresql://shop_fill:a-b_c@db:6432,[2001:db8::1]:6433/shop_next?sslmode=verify-full&sslrootcert=system";
        assert_eq!(url(&read), shown);
        assert_eq!(Access::parse(&url(&read)), Ok(read));
    }
}
