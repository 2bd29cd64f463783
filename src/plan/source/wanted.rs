//! The Preview of a pull request. Branch, title and author are text of whoever opened it: they are shown, cut to what fits,
//! and nothing is named by them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use super::verdict::short;
use crate::api::environment::{AppRef, Commit, ComponentImage, Release};
use crate::api::preview::PullRequest;
use crate::api::template::Source;
use crate::api::{App, Preview, PreviewSpec, labels};
use crate::build::hash;
use crate::git;
use crate::observe::controller;

/// The longest name of a Preview.
const LONGEST: usize = 30;

/// Whether the controller made this Preview for a pull request of this App; only such are changed and deleted.
#[must_use]
pub fn is_made_for(app: &App, preview: &Preview) -> bool {
    let owner = controller(preview);
    let owner = owner.filter(|owner| owner.kind == App::kind(&()));
    owner.is_some_and(|owner| Some(&owner.uid) == app.metadata.uid.as_ref())
}

/// The Preview that shows the newest commit of a pull request.
pub(super) fn preview(app: &App, source: &Source, number: i64, told: &git::PullRequest) -> Preview {
    Preview {
        metadata: metadata(app, number),
        spec: PreviewSpec {
            app_ref: AppRef {
                name: app.name_any(),
            },
            pull_request: PullRequest {
                number,
                branch: Some(line(&told.head.branch, 1024)).filter(|branch| !branch.is_empty()),
                url: Some(told.url.clone()).filter(|url| is_url(url)),
                author: author(told),
                fork: told.head.is_from_fork,
            },
            release: release(source, number, told),
        },
        status: None,
    }
}

/// The name of the Preview of a pull request: what comes after the last `-pr-` tells it from all others of the App, what comes
/// before from all other Apps.
pub(super) fn name(app: &str, number: i64) -> String {
    let plain = format!("{app}-pr-{number}");
    if plain.len() <= LONGEST {
        return plain;
    }
    let tail = format!("-{}-pr-{number}", hash::of_bytes(app.as_bytes(), 6));
    let head: String = app.chars().take(LONGEST - tail.len()).collect();
    format!("{}{tail}", head.trim_end_matches('-'))
}

fn metadata(app: &App, number: i64) -> ObjectMeta {
    let name_of_app = app.name_any();
    ObjectMeta {
        name: Some(name(&name_of_app, number)),
        namespace: app.namespace(),
        labels: Some(BTreeMap::from([
            (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
            (labels::NAME.to_owned(), name_of_app.clone()),
            (labels::PART_OF.to_owned(), name_of_app.clone()),
            (labels::PULL_REQUEST.to_owned(), number.to_string()),
        ])),
        owner_references: Some(vec![OwnerReference {
            api_version: App::api_version(&()).into_owned(),
            kind: App::kind(&()).into_owned(),
            name: name_of_app,
            uid: app.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(false),
        }]),
        ..ObjectMeta::default()
    }
}

fn release(source: &Source, number: i64, told: &git::PullRequest) -> Release {
    let sha = &told.head.sha;
    let fill = |image: &str| {
        image
            .replace("{number}", &number.to_string())
            .replace("{sha}", sha)
            .replace("{shortSha}", short(sha))
    };
    let components = source.components.iter().map(|component| ComponentImage {
        name: component.name.clone(),
        image: fill(&component.image),
    });
    Release {
        image: Some(fill(&source.image)),
        components: components.collect(),
        commit: Some(Commit {
            sha: sha.clone(),
            author: author(told),
            message: Some(line(&told.title, 1024)).filter(|title| !title.is_empty()),
        }),
        migration_key: None,
    }
}

fn author(told: &git::PullRequest) -> Option<String> {
    Some(line(&told.author, 128)).filter(|author| !author.is_empty())
}

/// Text of others on one line, cut to so many characters.
fn line(text: &str, most: usize) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(most).collect()
}

fn is_url(text: &str) -> bool {
    let is_web = ["https://", "http://"]
        .into_iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    is_web && text.chars().count() <= 2048 && !text.contains(|c: char| c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_are_told_apart() {
        assert_eq!(name("shop", 42), "shop-pr-42");
        assert_eq!(
            name(&"a".repeat(20), 123_456),
            format!("{}-pr-123456", "a".repeat(20))
        );
        let long = name(&"a".repeat(20), 2_147_483_647);
        assert_eq!(long.len(), LONGEST, "{long}");
        assert!(long.ends_with("-pr-2147483647"), "{long}");
        let other = name(&format!("{}b", "a".repeat(19)), 2_147_483_647);
        assert_ne!(long, other);
        let dashed = name("a-------------------b", 2_147_483_647);
        assert!(!dashed.contains("--"), "{dashed}");
    }

    #[test]
    fn text_of_others_is_one_line_that_fits() {
        assert_eq!(line("a\nb\u{0}c", 10), "abc");
        assert_eq!(line(&"🛒".repeat(300), 128).chars().count(), 128);
        assert_eq!(
            line("\"; DROP DATABASE x; --", 128),
            "\"; DROP DATABASE x; --"
        );
    }

    #[test]
    fn only_an_address_of_the_web_is_one() {
        assert!(is_url("https://git.example.com/acme/shop/pulls/42"));
        for odd in [
            "",
            "https://",
            "javascript:alert(1)",
            "https://a b",
            &format!("https://{}", "a".repeat(2048)),
        ] {
            assert!(!is_url(odd), "{odd}");
        }
    }
}
