//! One Environment with everything that belongs to it, below the Preview that owns it. Pure.

use jiff::Timestamp;

use super::view::View;
use super::{previews, tree};
use crate::api::Preview;
use crate::cli::terminal::Look;

/// The Preview and the Environment of a name. A Preview may have none: it waits, or its time is over.
#[must_use]
pub fn render(
    preview: Option<&Preview>,
    view: Option<&View>,
    now: Timestamp,
    look: Look,
) -> String {
    let own = view.map(|view| view.environment.clone());
    let above = preview.map(|preview| {
        let preview = std::slice::from_ref(preview);
        let shown = previews::render(preview, own.as_slice(), false, now, look);
        shown.trim_start_matches('\n').to_owned()
    });
    let below = view.map(|view| tree::render(view, now, look));
    let parts: Vec<String> = above.into_iter().chain(below).collect();
    parts.join("\n")
}
