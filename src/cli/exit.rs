//! How a command ends: its exit code, and the sentence on standard error.

use std::io;
use std::process::ExitCode;

use super::terminal::Terminal;

/// How a command ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is done, or the answer is yes: 0.
    Done,
    /// The answer is no: 1.
    No,
    /// There is no answer yet: 2.
    NotYet,
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not possible as things stand: 1.
    #[error("{0}")]
    Refused(String),
    /// What was given could not be read: 2.
    #[error("{0}")]
    Unreadable(String),
    /// The apiserver did not answer, or does not know the object: 3.
    #[error("{0}")]
    NoAnswer(String),
    /// The output could not be written: 1.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// What is not a command at all: 64, so that it is taken for no answer to a question.
const USAGE: u8 = 64;

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::NotYet => 2,
        }
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Output(_) => 1,
            Self::Unreadable(_) => 2,
            Self::NoAnswer(_) => 3,
        }
    }

    /// Whether the reader of our output went away, as `head` does: no failure.
    fn is_nobody_listening(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The exit code of a command; says the failure.
pub(super) fn code(outcome: Result<Exit, Failure>, terminal: &mut Terminal) -> ExitCode {
    match outcome {
        Ok(exit) => exit.code().into(),
        Err(failure) if failure.is_nobody_listening() => ExitCode::SUCCESS,
        Err(failure) => {
            terminal.warn(&format!("error: {failure}"));
            failure.code().into()
        }
    }
}

/// The exit code of arguments that are no command; prints what clap says of them. `--help` is one of these, and no mistake.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        USAGE.into()
    } else {
        ExitCode::SUCCESS
    }
}
