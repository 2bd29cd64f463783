//! The one comment of a preview: found again by its mark and its author, and edited.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::memory::Me;
use super::pages::{Ending, List};
use super::session::{Ask, Session};
use super::shape::User;
use super::{Comment, Failure};

/// How many pages of a hundred comments are searched.
const MOST_PAGES: usize = 10;

/// Where the comments of a pull request are.
pub(super) struct Thread {
    /// Path and query of the list, the oldest first.
    pub list: String,
    /// Where a new one is sent.
    pub post: String,
    /// Where one is edited, without its id.
    pub edit: String,
    /// How.
    pub edit_method: Method,
    /// The pull request, in sentences.
    pub shown: String,
}

/// A comment that is there.
#[derive(Deserialize)]
struct Remark {
    id: u64,
    body: Option<String>,
    user: Option<User>,
    author: Option<User>,
}

impl Session {
    /// Writes the comment, unless it is there and says the same.
    pub async fn one_comment(&self, thread: &Thread, comment: &Comment) -> Result<(), Failure> {
        let thing = format!("comment {} {}", thread.post, comment.mark());
        if self.memory.is_told(&thing, comment) {
            return Ok(());
        }
        let purpose = format!("comment on {}", thread.shown);
        let body = json!({"body": comment.body()});
        match self.own_remark(thread, comment, &purpose).await? {
            Some(found) if comment.says(found.body.as_deref().unwrap_or_default()) => {}
            Some(found) => {
                let path = format!("{}/{}", thread.edit, found.id);
                let method = thread.edit_method.clone();
                self.send(method, &path, body, &purpose).await?;
            }
            None => {
                self.send(Method::POST, &thread.post, body, &purpose)
                    .await?
            }
        }
        self.memory.keep_told(&thing, comment);
        Ok(())
    }

    /// The oldest comment with the mark that this token's user wrote; anybody can copy the mark.
    async fn own_remark(
        &self,
        thread: &Thread,
        comment: &Comment,
        purpose: &str,
    ) -> Result<Option<Remark>, Failure> {
        let list = List {
            path: &thread.list,
            most_pages: MOST_PAGES,
            ending: Ending::Link,
            purpose,
        };
        let Some(remarks) = self.list::<Remark>(&list).await? else {
            return Err(Failure::Refused(format!(
                "{} has too many comments to find the preview's among them: it must be announced without a comment",
                thread.shown
            )));
        };
        let is_marked = |remark: &Remark| remark.body.as_ref().is_some_and(|b| comment.marks(b));
        let marked: Vec<Remark> = remarks.into_iter().filter(is_marked).collect();
        if marked.is_empty() {
            return Ok(None);
        }
        let me = self.me().await?;
        Ok(marked.into_iter().find(|remark| remark.is_by(&me)))
    }

    /// Whose the token is.
    async fn me(&self) -> Result<Me, Failure> {
        if let Some(me) = self.memory.me() {
            return Ok(me);
        }
        let purpose = "read whose it is";
        let told = self.ask(&Ask::get("/user")).await?;
        let is_app = told.status == StatusCode::FORBIDDEN
            && told.message().contains("not accessible by integration");
        let me = if is_app {
            Me::App
        } else {
            Me::User(self.read::<User>(&told, purpose)?.name().to_owned())
        };
        self.memory.keep_me(me.clone());
        Ok(me)
    }
}

impl Remark {
    fn is_by(&self, me: &Me) -> bool {
        let Some(user) = self.user.as_ref().or(self.author.as_ref()) else {
            return false;
        };
        match me {
            Me::User(name) => user.name() == name,
            Me::App => user.is_bot(),
        }
    }
}
