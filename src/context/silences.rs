//! Git hosts that gave no answer, by the App that names them: they are asked ever later, and by one Preview at a time.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::caches::{Place, locked};
use crate::seen::{Obstacle, PutOff};

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// How long the one who asks again may take; the others wait for what becomes of it.
const TRY: Duration = Duration::from_secs(25);

/// What is remembered of the hosts of Apps. All of it may be lost.
#[derive(Debug, Default)]
pub struct Silences {
    all: Mutex<HashMap<Place, Silence>>,
}

#[derive(Clone, Debug)]
struct Silence {
    times: u32,
    until: Timestamp,
    obstacle: Obstacle,
}

impl Silences {
    /// What puts off asking the host of this App.
    pub fn of(&self, app: &Place) -> Option<PutOff> {
        let silence = locked(&self.all).get(app).cloned()?;
        Some(PutOff {
            obstacle: silence.obstacle,
            until: silence.until,
            piece: None,
        })
    }

    /// Somebody asks now; where there was no answer before, nobody else does meanwhile.
    pub fn ask(&self, app: &Place, now: Timestamp) {
        if let Some(silence) = locked(&self.all).get_mut(app) {
            silence.until = silence.until.max(now + TRY);
        }
    }

    /// There was no answer, or the host said until when it gives none.
    pub fn begin(&self, app: &Place, obstacle: Obstacle, until: Option<Timestamp>, now: Timestamp) {
        let mut all = locked(&self.all);
        let times = all
            .get(app)
            .map_or(1, |known| known.times.saturating_add(1));
        let wait = FIRST
            .saturating_mul(2_u32.saturating_pow(times - 1))
            .min(LONGEST);
        let silence = Silence {
            times,
            until: until.unwrap_or(now + wait),
            obstacle,
        };
        all.insert(app.clone(), silence);
    }

    /// The host answered.
    pub fn end(&self, app: &Place) {
        locked(&self.all).remove(app);
    }
}

/// What the Git host of one Preview refused, asked with one version of its token.
#[derive(Debug, Default)]
pub struct Refused {
    version: Option<String>,
    all: Vec<PutOff>,
}

impl Refused {
    /// What is not told again before its time; with another token all of it is.
    pub fn with(&self, version: Option<&str>) -> Vec<PutOff> {
        match self.version.as_deref() == version {
            true => self.all.clone(),
            false => Vec::new(),
        }
    }

    /// One more.
    pub fn keep(&mut self, version: Option<String>, refused: PutOff, now: Timestamp) {
        if self.version != version {
            self.all.clear();
            self.version = version;
        }
        self.all
            .retain(|known| known.until > now && known.piece != refused.piece);
        self.all.push(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use jiff::SignedDuration;

    fn obstacle() -> Obstacle {
        Obstacle {
            reason: Reason::GitHostSilent,
            message: "github.com gave no answer".to_owned(),
        }
    }

    #[test]
    fn what_was_refused_is_told_again_with_another_token() {
        let mut refused = Refused::default();
        let now = Timestamp::UNIX_EPOCH;
        let put_off = |piece: &str, seconds| PutOff {
            obstacle: obstacle(),
            until: now + SignedDuration::from_secs(seconds),
            piece: Some(piece.to_owned()),
        };
        refused.keep(Some("1".to_owned()), put_off("a", 300), now);
        refused.keep(Some("1".to_owned()), put_off("b", 10), now);
        assert_eq!(refused.with(Some("1")).len(), 2);
        assert!(refused.with(Some("2")).is_empty());
        let later = now + SignedDuration::from_secs(20);
        refused.keep(Some("1".to_owned()), put_off("a", 400), later);
        assert_eq!(refused.with(Some("1")), [put_off("a", 400)]);
        refused.keep(Some("2".to_owned()), put_off("c", 400), later);
        assert_eq!(refused.with(Some("2")).len(), 1);
    }

    #[test]
    fn a_silent_host_is_asked_ever_later_and_by_one_at_a_time() {
        let (silences, app) = (Silences::default(), Place::new("previews", "shop"));
        let mut now = Timestamp::UNIX_EPOCH;
        let until = |silences: &Silences| silences.of(&app).map(|it| it.until);
        silences.ask(&app, now);
        assert_eq!(until(&silences), None, "who answers is asked by everybody");
        let mut waits = Vec::new();
        for _ in 0..9 {
            silences.begin(&app, obstacle(), None, now);
            waits.push(until(&silences).unwrap().duration_since(now).as_secs());
            now = until(&silences).unwrap();
            silences.ask(&app, now);
            assert_eq!(
                until(&silences).unwrap(),
                now + SignedDuration::from_secs(25)
            );
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        silences.begin(
            &app,
            obstacle(),
            Some(now + SignedDuration::from_secs(900)),
            now,
        );
        assert_eq!(
            until(&silences).unwrap(),
            now + SignedDuration::from_secs(900)
        );
        silences.end(&app);
        assert_eq!(until(&silences), None);
    }
}
