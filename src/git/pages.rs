//! Lists, page after page.

use std::sync::Arc;

use http::header::{ETAG, LINK};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::memory::Page;
use super::session::{Ask, Session};
use super::{Failure, Listed, PullRequest};

/// How a host says that a list has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its `Link` header names no next page.
    Link,
    /// The page is empty.
    Empty,
}

/// A list, and how it is asked for.
pub(super) struct List<'a> {
    /// Path and query, in which `page` is still missing.
    pub path: &'a str,
    /// How many pages are read.
    pub most_pages: usize,
    pub ending: Ending,
    /// What the token must be allowed to do for it.
    pub purpose: &'a str,
}

impl Session {
    /// The whole list. `None`: it has more pages than are read.
    pub async fn list<T: DeserializeOwned>(
        &self,
        list: &List<'_>,
    ) -> Result<Option<Vec<T>>, Failure> {
        let mut items = Vec::new();
        for page in 1..=list.most_pages {
            let path = format!("{}&page={page}", list.path);
            let told = self.ask(&Ask::get(&path)).await?;
            // Forgejo writes an empty list as null.
            let more: Option<Vec<T>> = self.read(&told, list.purpose)?;
            let more = more.unwrap_or_default();
            let is_last = match list.ending {
                Ending::Link => !has_next(&told.headers),
                Ending::Empty => more.is_empty(),
            };
            items.extend(more);
            if is_last {
                return Ok(Some(items));
            }
        }
        Ok(None)
    }

    /// A list of pull requests, of which unchanged pages are not sent again.
    pub async fn open_list<T: DeserializeOwned>(
        &self,
        list: &List<'_>,
        shape: impl Fn(T) -> Option<PullRequest>,
    ) -> Result<Listed, Failure> {
        let mut listed = Listed::default();
        for number in 1..=list.most_pages {
            let path = format!("{}&page={number}", list.path);
            let page = self.page(&path, list.purpose, &shape).await?;
            let found = page.pull_requests.iter().cloned();
            listed.pull_requests.extend(found);
            listed.is_cut = page.has_next;
            if !page.has_next {
                break;
            }
        }
        // Something may have moved from one page to the next meanwhile.
        let pull_requests = &mut listed.pull_requests;
        pull_requests.sort_by_key(|found| found.head.number);
        pull_requests.dedup_by_key(|found| found.head.number);
        Ok(listed)
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        purpose: &str,
        shape: &impl Fn(T) -> Option<PullRequest>,
    ) -> Result<Arc<Page>, Failure> {
        let known = self.memory.page(path);
        let etag = known.as_ref().map(|page| page.etag.as_str());
        let told = self
            .ask(&Ask {
                etag,
                ..Ask::get(path)
            })
            .await?;
        if let Some(page) = known.filter(|_| told.status == StatusCode::NOT_MODIFIED) {
            return Ok(page);
        }
        let items: Option<Vec<T>> = self.read(&told, purpose)?;
        let items = items.unwrap_or_default().into_iter();
        let etag = told.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        let page = Arc::new(Page {
            etag: etag.unwrap_or_default().to_owned(),
            pull_requests: items.filter_map(shape).collect(),
            has_next: has_next(&told.headers),
        });
        if etag.is_some() {
            self.memory.keep_page(path, page.clone());
        }
        Ok(page)
    }
}

/// Whether the `Link` header names a next page. Its address is not followed: it could lead anywhere.
fn has_next(headers: &HeaderMap) -> bool {
    let links = headers.get_all(LINK).iter();
    links
        .filter_map(|link| link.to_str().ok())
        .any(|link| link.contains(r#"rel="next""#))
}
