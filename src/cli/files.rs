//! Files that people name: a file, a folder, or standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest input that is read, in bytes.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The texts behind paths, each with the name to call it by, and a sentence for each path that cannot be read.
pub fn read_all(paths: &[PathBuf]) -> (Vec<(String, String)>, Vec<String>) {
    let mut texts = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        match read(path) {
            Ok(read) => texts.extend(read),
            Err(sentence) => unreadable.push(sentence),
        }
    }
    (texts, unreadable)
}

/// The texts behind a path, each with the name to call it by. `Err` is a sentence.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, String> {
    if path == Path::new("-") {
        let text = text(io::stdin().lock()).map_err(|reason| format!("standard input {reason}"))?;
        return Ok(vec![("-".to_owned(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    files.retain(|file| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("yaml" | "yml" | "json")) && file.is_file()
    });
    files.sort();
    files.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> Result<(String, String), String> {
    let name = path.display().to_string();
    let text = fs::File::open(path)
        .map_err(|error| format!("cannot be read: {error}"))
        .and_then(text)
        .map_err(|reason| format!("{name} {reason}"))?;
    Ok((name, text))
}

fn text(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!(
            "must have at most {} MiB",
            MOST_BYTES / 1024 / 1024
        ));
    }
    String::from_utf8(bytes).map_err(|_| "must be UTF-8 text".to_owned())
}
