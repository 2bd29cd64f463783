//! Signs and colours. Text is laid out first and painted after, so that colours take no room.

use owo_colors::OwoColorize;

use super::terminal::Look;
use super::text;
use crate::api::Reason;
use crate::api::condition::Class;

/// How something stands, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Well.
    Good,
    /// Not well.
    Bad,
    /// On its way.
    Going,
    /// Not known.
    Unknown,
    /// Not its turn.
    Later,
}

/// A piece of text with one colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The text, printable and in one line.
    pub text: String,
    /// What it stands for, if it is to be coloured.
    pub sign: Option<Sign>,
    /// Whether it stands out.
    pub strong: bool,
}

/// A line with lines below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// Its cells, in columns with those of its neighbours.
    pub cells: Vec<Cell>,
    /// What hangs from it.
    pub branches: Vec<Branch>,
}

impl Sign {
    /// The sign for a condition.
    #[must_use]
    pub fn of(status: &str, reason: &str) -> Self {
        let class = Reason::ALL
            .iter()
            .find(|(known, ..)| known.as_str() == reason);
        match (status, class) {
            ("True", _) => Self::Good,
            (_, Some((Reason::Pending, ..))) => Self::Later,
            ("Unknown", _) => Self::Unknown,
            (_, Some((_, Class::Waiting, _))) => Self::Going,
            (_, Some((_, Class::Unknown, _))) => Self::Unknown,
            _ => Self::Bad,
        }
    }

    fn text(self, look: Look) -> &'static str {
        match (self, look.unicode) {
            (Self::Good, true) => "✓",
            (Self::Good, false) => "+",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
            (Self::Going, true) => "…",
            (Self::Going, false) => "~",
            (Self::Unknown, _) => "?",
            (Self::Later, true) => "·",
            (Self::Later, false) => ".",
        }
    }
}

impl Cell {
    /// Text without colour.
    #[must_use]
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self {
            text: text::line(text.as_ref(), 1000),
            sign: None,
            strong: false,
        }
    }

    /// Text that stands out.
    #[must_use]
    pub fn strong(text: impl AsRef<str>) -> Self {
        Self {
            strong: true,
            ..Self::plain(text)
        }
    }

    /// Text in the colour of a sign.
    #[must_use]
    pub fn coloured(sign: Sign, text: impl AsRef<str>) -> Self {
        Self {
            sign: Some(sign),
            ..Self::plain(text)
        }
    }

    /// Text behind its sign, in its colour.
    #[must_use]
    pub fn signed(sign: Sign, text: impl AsRef<str>, look: Look) -> Self {
        let text = text.as_ref();
        Self::coloured(sign, format!("{} {text}", sign.text(look)).trim())
    }
}

impl From<Vec<Cell>> for Branch {
    fn from(cells: Vec<Cell>) -> Self {
        Self {
            cells,
            branches: Vec::new(),
        }
    }
}

/// Rows in columns, painted.
#[must_use]
pub fn rows(rows: &[Vec<Cell>], look: Look) -> Vec<String> {
    let texts: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.text.clone()).collect())
        .collect();
    let padded = text::columns(&texts);
    rows.iter()
        .zip(padded)
        .map(|(row, padded)| {
            let line: String = row
                .iter()
                .zip(padded)
                .map(|(cell, padded)| paint(cell, &padded, look))
                .collect();
            line.trim_end().to_owned()
        })
        .collect()
}

fn paint(cell: &Cell, padded: &str, look: Look) -> String {
    if !look.colour || cell.text.is_empty() {
        return padded.to_owned();
    }
    let rest = padded.get(cell.text.len()..).unwrap_or_default();
    let text = &cell.text;
    let painted = match cell.sign {
        Some(Sign::Good) => text.green().to_string(),
        Some(Sign::Bad) => text.red().to_string(),
        Some(Sign::Going) => text.yellow().to_string(),
        Some(Sign::Unknown) => text.magenta().to_string(),
        Some(Sign::Later) => text.dimmed().to_string(),
        None if cell.strong => text.bold().to_string(),
        None => text.clone(),
    };
    format!("{painted}{rest}")
}

/// Branches as a tree; the columns of neighbours are aligned.
#[must_use]
pub fn tree(branches: &[Branch], look: Look) -> Vec<String> {
    let cells: Vec<Vec<Cell>> = branches.iter().map(|branch| branch.cells.clone()).collect();
    let last = branches.len().saturating_sub(1);
    let mut lines = Vec::new();
    for (at, (branch, line)) in branches.iter().zip(rows(&cells, look)).enumerate() {
        let (fork, below) = match (at == last, look.unicode) {
            (false, true) => ("├─ ", "│  "),
            (true, true) => ("└─ ", "   "),
            (false, false) => ("|- ", "|  "),
            (true, false) => ("`- ", "   "),
        };
        lines.push(format!("{fork}{line}"));
        lines.extend(
            tree(&branch.branches, look)
                .into_iter()
                .map(|line| format!("{below}{line}")),
        );
    }
    lines
}
