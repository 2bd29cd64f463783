//! Asks the database behind an Environment.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::secrets::named_text;
use crate::caches::locked;
use crate::context::Context;
use crate::plan::questions::{self, Address, DatabaseQuestion};
use crate::postgres::{Access, Answer, Question};
use crate::seen::SeenEnvironment;

/// How long a database may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long an answer is good enough where an older one is.
const GOOD: SignedDuration = SignedDuration::from_mins(5);

/// The last answer of a database.
#[derive(Clone, Debug)]
pub struct Answered {
    access: Access,
    question: Question,
    answer: Answer,
    at: Timestamp,
}

impl Answered {
    fn fits(&self, access: &Access, question: &Question, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        let young = !age.is_negative() && age < GOOD;
        young && self.access == *access && self.question == *question
    }
}

/// What the database says to what this pass must know. `None`: nothing is asked of it.
pub(super) async fn ask(seen: &SeenEnvironment, ctx: &Context) -> Option<Answer> {
    let asked = questions::database(seen)?;
    let access = match access(&asked, seen, ctx)? {
        Ok(access) => access,
        Err(why) => return Some(Answer::Refused(why)),
    };
    let memory = ctx.memories.of(&seen.environment);
    let known = locked(&memory.database).clone();
    let known =
        known.filter(|known| asked.cached && known.fits(&access, &asked.question, seen.now));
    if let Some(known) = known {
        return Some(known.answer);
    }
    let looked = tokio::time::timeout(TIMEOUT, ctx.databases.look(&access, &asked.question)).await;
    let answer = looked.unwrap_or_else(|_| Answer::Silent(silence()));
    let good = !matches!(answer, Answer::Silent(_));
    *locked(&memory.database) = good.then(|| Answered {
        access,
        question: asked.question,
        answer: answer.clone(),
        at: ctx.now(),
    });
    Some(answer)
}

/// Where the database is; nothing while the Secret that says so is not there.
fn access(
    asked: &DatabaseQuestion,
    seen: &SeenEnvironment,
    ctx: &Context,
) -> Option<Result<Access, String>> {
    match &asked.at {
        Address::Access(access) => Some(Ok(access.clone())),
        Address::Secret { name, key } => {
            let url = named_text(seen, name, key, ctx)?;
            let read = Access::parse(url.trim());
            Some(read.map_err(|why| {
                format!("Key {key} of Secret {name} must hold a URL of PostgreSQL: {why}")
            }))
        }
    }
}

/// What is said of a database that takes too long.
pub(crate) fn silence() -> String {
    format!("The database did not answer within {} s", TIMEOUT.as_secs())
}
