//! What a host is told of a preview, within what it takes.

/// Longest description of a status: what GitHub takes.
const MOST_DESCRIPTION: usize = 140;
/// Longest comment: what GitHub takes, less some room for the mark.
const MOST_COMMENT: usize = 65_000;

/// How a preview is, on the commit that it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommitStatus {
    /// Under which name it can be required, such as `towpath/preview/shop`.
    pub context: String,
    /// The state.
    pub state: StatusState,
    /// Why, in a sentence; cut to 140 characters.
    pub description: String,
    /// Where to look.
    pub url: Option<String>,
}

/// State of a commit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusState {
    /// Something is awaited.
    Pending,
    /// The preview answers.
    Success,
    /// A person must change something.
    Failure,
}

/// A deployment of a commit to a preview.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// The environment that the host shows, such as `shop-preview`.
    pub environment: String,
    /// Whose deployment it is: the same text for all commits of one preview, another for each other preview.
    pub preview: String,
    /// The state.
    pub state: DeploymentState,
    /// Why, in a sentence; cut to 140 characters.
    pub description: String,
    /// Where the preview answers.
    pub url: Option<String>,
}

/// State of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeploymentState {
    /// Something is awaited before it can begin.
    Queued,
    /// It is being brought up.
    InProgress,
    /// The preview answers.
    Success,
    /// A person must change something.
    Failure,
    /// It has ended.
    Inactive,
}

impl DeploymentState {
    /// GitHub's word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }
}

/// A comment that is found again by a hidden mark, and edited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Comment {
    mark: String,
    body: String,
}

impl Comment {
    /// A comment of the preview that `preview` names: the same text each time, another for each other preview. Of
    /// Markdown that is too long the end is cut.
    pub fn new(preview: &str, markdown: &str) -> Self {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-./_".contains(c);
        // Two dashes could end the mark.
        let named = preview.replace(|c: char| !fits(c), "_").replace("--", "-_");
        let mark = format!("<!-- towpath.dev/preview {named} -->");
        let body = format!("{mark}\n{}", cut(markdown.trim(), MOST_COMMENT));
        Self { mark, body }
    }

    /// The whole text, with the mark.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Whether another comment begins with the same mark.
    pub(super) fn marks(&self, body: &str) -> bool {
        body.trim_start().starts_with(&self.mark)
    }

    /// Whether another comment says the same, whatever the host made of its line ends.
    pub(super) fn says(&self, body: &str) -> bool {
        body.replace("\r\n", "\n").trim() == self.body.trim()
    }

    /// What it is remembered by.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }
}

/// One line of at most 140 characters.
pub(super) fn description(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    cut(&line, MOST_DESCRIPTION)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_one_line_of_at_most_140_characters() {
        assert_eq!(
            description("Waiting\n for\tthe image "),
            "Waiting for the image"
        );
        assert_eq!(description(&"é".repeat(140)), "é".repeat(140));
        let long = description(&"🛒".repeat(300));
        assert_eq!(long.chars().count(), 140);
        assert!(long.ends_with("🛒…"));
    }

    #[test]
    fn a_comment_is_known_by_its_first_line() {
        let comment = Comment::new("shop-previews/shop-pr-42", "Ready");
        let body = "<!-- towpath.dev/preview shop-previews/shop-pr-42 -->\nReady";
        assert_eq!(comment.body(), body);
        assert!(comment.marks(body) && comment.says(&body.replace('\n', "\r\n")));
        assert!(
            !comment.marks(&format!("> {body}")),
            "a quote is not the comment"
        );
        assert!(!comment.marks(Comment::new("shop-previews/shop-pr-4", "").body()));
        assert!(!comment.says(&format!("{body}!")));
    }

    #[test]
    fn no_name_ends_the_mark_and_no_comment_is_too_long() {
        let comment = Comment::new("a --> <b>--c", &"x".repeat(70_000));
        let mark = comment.body().lines().next().expect("a first line");
        assert_eq!(mark.matches("-->").count(), 1, "{mark}");
        assert!(comment.body().chars().count() <= 65_536);
    }
}
