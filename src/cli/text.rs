//! Text for people: columns, ages, and nothing that a terminal would obey.

use anstream::adapter::strip_str;
use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text without control characters, so that nothing that an app or a person wrote steers the terminal. Tabs become
/// spaces and line ends stay.
#[must_use]
pub fn printable(text: &str) -> String {
    let text = strip_str(text).to_string();
    text.chars()
        .filter_map(|character| match character {
            '\n' => Some('\n'),
            '\t' => Some(' '),
            // Marks that reorder what follows them would make a line say something else than it holds.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => None,
            other => (!other.is_control()).then_some(other),
        })
        .collect()
}

/// The text in one line of at most that many characters.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let words: Vec<String> = text.split_whitespace().map(printable).collect();
    let joined = words.join(" ");
    if joined.chars().count() <= most {
        return joined;
    }
    let mut cut: String = joined.chars().take(most.saturating_sub(3)).collect();
    cut.push_str("...");
    cut
}

/// How many columns the text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// Rows in columns, three spaces apart; the last one is not padded. Cells hold no escape sequences.
#[must_use]
pub fn columns(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let pad = |row: &Vec<String>| {
        let last = row.len().saturating_sub(1);
        row.iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, widest))| {
                // A column without content takes no room.
                let blanks = if at == last || *widest == 0 {
                    0
                } else {
                    widest + 3 - width(cell)
                };
                format!("{cell}{}", " ".repeat(blanks))
            })
            .collect()
    };
    rows.iter().map(pad).collect()
}

/// How long ago, as kubectl says it.
#[must_use]
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 > 0 => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..28_800 if minutes % 60 > 0 => format!("{hours}h{}m", minutes % 60),
        10_800..172_800 => format!("{hours}h"),
        172_800..691_200 if hours % 24 > 0 => format!("{days}d{}h", hours % 24),
        172_800..63_072_000 => format!("{days}d"),
        _ => format!("{}y", days / 365),
    }
}

/// The lines that fit a window, escape sequences left whole; the last one tells of what does not fit.
#[must_use]
pub fn window(picture: &str, columns: usize, rows: usize) -> Vec<String> {
    let lines: Vec<&str> = picture.lines().collect();
    // One row stays free for the cursor.
    let most = rows.saturating_sub(1).max(1);
    let fit = |line: &&str| cut(line, columns.max(1));
    if lines.len() <= most {
        return lines.iter().map(fit).collect();
    }
    let kept = most - 1;
    let mut shown: Vec<String> = lines.iter().take(kept).map(fit).collect();
    shown.push(format!("({} more lines)", lines.len() - kept));
    shown
}

/// The line up to that column; colours end with it.
fn cut(line: &str, columns: usize) -> String {
    let mut kept = String::new();
    let mut taken = 0;
    let mut coloured = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            coloured = true;
            kept.push(character);
            for part in characters.by_ref() {
                kept.push(part);
                if part == 'm' {
                    break;
                }
            }
            continue;
        }
        taken += character.width().unwrap_or(0);
        if taken > columns {
            break;
        }
        kept.push(character);
    }
    if coloured {
        kept.push_str("\x1b[0m");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_steers_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r\u{7}c\td\ne\u{202e}f"), "abc d\nef");
        assert_eq!(line(" two\n lines\t", 20), "two lines");
        assert_eq!(line("abcdefghij", 8), "abcde...");
    }

    #[test]
    fn ages_are_as_kubectl_says_them() {
        let now = Timestamp::from_second(1_000_000_000).expect("a time");
        let said = |seconds: i64| {
            age(
                Timestamp::from_second(1_000_000_000 - seconds).expect("a time"),
                now,
            )
        };
        for (seconds, expected) in [
            (-5, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (12_000, "3h20m"),
            (86_400, "24h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
        ] {
            assert_eq!(said(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn columns_are_aligned_by_what_the_terminal_shows() {
        let rows = [
            vec!["a".to_owned(), "b".to_owned()],
            vec!["漢字".to_owned(), String::new()],
        ];
        let lines: Vec<String> = columns(&rows).iter().map(|row| row.concat()).collect();
        assert_eq!(lines, ["a      b", "漢字   "]);
    }

    #[test]
    fn a_picture_larger_than_the_window_is_cut_and_says_so() {
        let picture = "one\n\x1b[32mtwo and more\x1b[0m\nthree\nfour\n";
        assert_eq!(window(picture, 80, 6).len(), 4);
        assert_eq!(
            window(picture, 3, 4),
            ["one", "\x1b[32mtwo\x1b[0m", "(2 more lines)"]
        );
        assert_eq!(window("", 0, 0), Vec::<String>::new());
    }
}
