//! Whether the connections of a migration can be told from others: its Job gives them a name, unless the URL has one.

use super::found;
use super::secrets::named_text;
use crate::context::Context;
use crate::plan::questions::{self, Address};
use crate::postgres::Answer;
use crate::seen::SeenEnvironment;

/// Parameters that a driver takes for the name of its connections, in place of `PGAPPNAME`.
const NAMES: [&str; 2] = ["application_name", "ApplicationName"];

/// The refusal of a migration's URL that hides its connections. A killed migration's SQL runs on, and the next attempt could
/// not wait for it.
pub(super) fn hidden(seen: &SeenEnvironment, ctx: &Context) -> Option<Answer> {
    found(&seen.app)?.spec.migration.as_ref()?;
    let Address::Secret { name, key } = questions::database(seen)?.at else {
        return None;
    };
    let url = named_text(seen, &name, &key, ctx)?;
    names_connections(&url).then(|| {
        Answer::Refused(format!(
            "Key {key} of Secret {name} must hold a URL without application_name: by the name that its Job gives them the \
             connections of a migration are known. The app's own may have one, when migrationUrlKey names another URL"
        ))
    })
}

fn names_connections(url: &str) -> bool {
    let (_, query) = url.split_once('?').unwrap_or((url, ""));
    let mut pairs = query.trim().split('&');
    pairs.any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let in_options = key == "options" && value.contains("application_name");
        NAMES.contains(&key) || in_options
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_names_its_connections_is_known() {
        for query in [
            "?application_name=shop",
            "?sslmode=require&application_name=",
            "?ApplicationName=shop\n",
            "?options=-c%20application_name%3Dshop",
        ] {
            let url = format!("postgres://shop:pw@db/shop{query}");
            assert!(names_connections(&url), "{url}");
        }
        for query in ["", "?sslmode=require", "?fallback_application_name=shop"] {
            let url = format!("postgres://shop:application_name@db/application_name{query}");
            assert!(!names_connections(&url), "{url}");
        }
    }
}
