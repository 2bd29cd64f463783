//! What images do when they run: the part of a story that the cluster does not decide.

use std::collections::BTreeMap;

/// How the pods of an image fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runs {
    /// They become ready soon, and stay so.
    #[default]
    Well,
    /// They run and never become ready.
    NeverReady,
    /// They end a moment after they started.
    Crashes,
    /// They cannot be pulled.
    NotPulled,
    /// They become ready, and are not any more after so many seconds.
    FailsAfter(i64),
    /// They are ready, and answer every check with an error.
    AnswersErrors,
    /// They are ready, and no check of them gets an answer.
    SaysNothing,
}

/// How the migration of an image fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrates {
    /// It succeeds after so many seconds.
    Within(i64),
    /// It fails after a moment.
    Fails,
    /// It never ends by itself; when it is killed, its statements run on in the database for so many seconds.
    Hangs(i64),
    /// Its image cannot be pulled.
    NotPulled,
}

impl Default for Migrates {
    fn default() -> Self {
        Self::Within(2)
    }
}

/// What a build of an app does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Its pods.
    pub runs: Runs,
    /// Its migration.
    pub migrates: Migrates,
    /// What fills a new database.
    pub seeds: Migrates,
}

/// What every image does, by its reference in pods.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Why the apiserver takes no more pods of Deployments, as a quota does.
    pub quota: Option<String>,
    builds: BTreeMap<String, Build>,
}

impl Script {
    /// Says what an image does.
    pub fn set(&mut self, image: impl Into<String>, build: Build) {
        self.builds.insert(image.into(), build);
    }

    /// What an image does; one that nobody spoke of runs well.
    #[must_use]
    pub fn of(&self, image: &str) -> Build {
        self.builds.get(image).copied().unwrap_or_default()
    }
}
