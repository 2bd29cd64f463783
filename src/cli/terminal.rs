//! Where output goes: whether it may have colours and signs beyond ASCII, and how large the window is.

use std::env;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::text;

/// How text may look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Escape sequences for colours.
    pub colour: bool,
    /// Signs and lines beyond ASCII.
    pub unicode: bool,
}

/// Standard output and standard error.
#[derive(Debug)]
pub struct Terminal {
    /// How text may look on standard output.
    pub look: Look,
    /// Whether standard output is a terminal, so that what was written can be redrawn.
    pub redraws: bool,
    drawn: usize,
}

impl Terminal {
    /// Looks at the standard output of this process.
    #[must_use]
    pub fn detect() -> Self {
        let stdout = io::stdout();
        Self {
            look: Look {
                colour: AutoStream::choice(&stdout) != ColorChoice::Never,
                unicode: is_utf8(|name| env::var(name).ok()),
            },
            redraws: stdout.is_terminal(),
            drawn: 0,
        }
    }

    /// Writes text and a line end to standard output.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", text.trim_end_matches('\n'))?;
        stdout.flush()
    }

    /// Writes a line to standard error; when that fails, nobody can be told.
    pub fn warn(&mut self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", text::printable(text));
    }

    /// Writes a picture over the last one on a terminal, and below it elsewhere.
    pub fn draw(&mut self, picture: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if !self.redraws {
            writeln!(stdout, "{}\n", picture.trim_end_matches('\n'))?;
            return stdout.flush();
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        let (columns, rows) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
        let lines = text::window(picture, columns.into(), rows.into());
        if self.drawn > 0 {
            write!(stdout, "\x1b[{}A\r", self.drawn)?;
        }
        for line in &lines {
            writeln!(stdout, "{line}\x1b[K")?;
        }
        write!(stdout, "\x1b[J")?;
        self.drawn = lines.len();
        stdout.flush()
    }
}

/// Whether the locale's characters are UTF-8; the first of these variables that is set and not empty decides.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::is_utf8;

    #[test]
    fn the_most_specific_variable_of_the_locale_decides() {
        let locale = |all: &'static str, lang: &'static str| {
            is_utf8(move |name| match name {
                "LC_ALL" => Some(all.to_owned()),
                "LANG" => Some(lang.to_owned()),
                _ => None,
            })
        };
        assert!(locale("", "en_US.UTF-8"));
        assert!(locale("C.utf8", "C"));
        assert!(!locale("C", "en_US.UTF-8"));
        assert!(!locale("", "C"));
        assert!(!is_utf8(|_| None));
    }
}
