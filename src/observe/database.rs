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

/// How long a database that did not answer is not asked again: each time twice as long, up to [`LONGEST_PAUSE`].
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(80);

/// The last answer of a database.
#[derive(Clone, Debug)]
pub struct Answered {
    access: Access,
    question: Question,
    answer: Answer,
    at: Timestamp,
    /// How long it is not asked again, if it was silent.
    pause: Option<SignedDuration>,
}

impl Answered {
    fn fits(&self, access: &Access, question: &Question, now: Timestamp) -> bool {
        self.is_younger(GOOD, now)
            && self.pause.is_none()
            && self.access == *access
            && self.question == *question
    }

    /// Whether it was silent so short a time ago that asking again would only hold up others.
    fn is_quiet(&self, access: &Access, now: Timestamp) -> bool {
        let young = self.pause.is_some_and(|pause| self.is_younger(pause, now));
        young && self.access == *access
    }

    fn is_younger(&self, than: SignedDuration, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        !age.is_negative() && age < than
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
    let last = locked(&memory.database).clone();
    let known = last.as_ref().filter(|known| {
        known.is_quiet(&access, seen.now)
            || (asked.cached && known.fits(&access, &asked.question, seen.now))
    });
    if let Some(known) = known {
        return Some(known.answer.clone());
    }
    let looked = tokio::time::timeout(TIMEOUT, ctx.databases.look(&access, &asked.question)).await;
    let answer = looked.unwrap_or_else(|_| Answer::Silent(silence(TIMEOUT)));
    let before = last.filter(|last| last.access == access);
    let before = before.and_then(|last| last.pause);
    let pause = matches!(answer, Answer::Silent(_)).then(|| longer(before));
    *locked(&memory.database) = Some(Answered {
        access,
        question: asked.question,
        answer: answer.clone(),
        at: ctx.now(),
        pause,
    });
    Some(answer)
}

/// The pause after one more silence.
fn longer(before: Option<SignedDuration>) -> SignedDuration {
    let twice = before.map(|pause| pause.saturating_mul(2));
    twice.unwrap_or(PAUSE).min(LONGEST_PAUSE)
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
pub(crate) fn silence(within: Duration) -> String {
    format!("The database did not answer within {} s", within.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_asked_less_and_less_often() {
        let mut pause = None;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pause = Some(longer(pause));
            pauses.extend(pause.map(|pause| pause.as_secs()));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 80]);
    }
}
