//! Each host's API as its documentation shows it, served over HTTP.

mod failures;
mod forgejo;
mod github;
mod github_comments;
mod github_deployments;
mod gitlab;
mod hosts;
mod played;

use super::*;

const SHA: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
const SHB: &str = "1b2c3d4e5f60718293a4b5c6d7e8f9012345670a";
const HOSTILE: &str = "\"; DROP DATABASE x; --";

fn head(from_fork: bool) -> Head {
    Head {
        number: 42,
        sha: SHA.into(),
        branch: "feat/cart".into(),
        is_from_fork: from_fork,
        repository: Some("acme/shop".into()),
    }
}

fn status(state: StatusState, description: &str, url: Option<&str>) -> CommitStatus {
    CommitStatus {
        context: "towpath/preview/shop".into(),
        state,
        description: description.into(),
        url: url.map(Into::into),
    }
}

fn ready() -> CommitStatus {
    let url = "https://shop-pr-42.preview.example.com";
    status(StatusState::Success, "Ready", Some(url))
}

fn waiting() -> CommitStatus {
    status(StatusState::Pending, "Waiting for the image", None)
}

fn comment(text: &str) -> Comment {
    Comment::new("shop-previews/shop-pr-42", text)
}

/// What must have come through unharmed: quotes, an emoji, 300 characters.
fn branches(listed: &Listed) -> Vec<(u64, usize, &str)> {
    let heads = listed.pull_requests.iter().map(|found| &found.head);
    heads
        .map(|head| {
            (
                head.number,
                head.branch.chars().count(),
                head.branch.as_str(),
            )
        })
        .collect()
}
