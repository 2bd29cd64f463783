//! `towpath migration-key`: one key for the content of migration files, for CI to put on an image.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::terminal::Terminal;
use crate::build::hash;

/// Digits of a key, hexadecimal.
const DIGITS: usize = 40;

/// Print the key of migration files: the same for the same names and contents, wherever they lie.
///
/// Put it on the image as its label `dev.towpath.migrations`, or into `release.migrationKey`. Folders are read with all that is
/// in them, except `__pycache__` and what begins with a dot.
#[derive(Debug, Args)]
pub struct Options {
    /// Files and folders of migrations.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(options: &Options, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let key = key(&options.paths).map_err(Failure::Unreadable)?;
    terminal.say(&key)?;
    Ok(Exit::Done)
}

/// The key of what lies there. Names count from the folder that is given, so that the key does not depend on the machine;
/// the order of the arguments does not count.
fn key(paths: &[PathBuf]) -> Result<String, String> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if path.is_dir() {
            walk(path, "", &mut files)?;
        } else {
            let name = path.file_name().unwrap_or_default();
            files.push((name.to_string_lossy().into_owned(), read(path)?));
        }
        if files.len() == before {
            return Err(format!("{} must hold migration files", path.display()));
        }
    }
    files.sort();
    Ok(hash::of(&files, DIGITS))
}

/// Adds each file below a folder: its name, and the hash of its content.
fn walk(folder: &Path, within: &str, files: &mut Vec<(String, String)>) -> Result<(), String> {
    let unreadable = |error| format!("{} cannot be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        let name = format!("{within}{name}");
        let is_link = entry.file_type().map_err(unreadable)?.is_symlink();
        match (path.is_dir(), is_link) {
            (true, true) => {
                let path = path.display();
                return Err(format!("{path} must not be a link to a folder"));
            }
            (true, false) => walk(&path, &format!("{name}/"), files)?,
            (false, _) => files.push((name, read(&path)?)),
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let content = fs::read(path);
    let content = content.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(hash::of_bytes(&content, 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    #[test]
    fn a_key_depends_on_names_and_contents_alone() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = [("1.sql", "create"), ("later/2.sql", "alter")];
        write(one.path(), &files);
        write(other.path(), &files);
        write(other.path(), &[("__pycache__/1.pyc", "x"), (".keep", "")]);
        let of = |folder: &tempfile::TempDir| key(&[folder.path().to_owned()]).unwrap();
        let before = of(&one);
        assert_eq!(before.len(), DIGITS);
        assert_eq!(of(&other), before);

        write(other.path(), &[("later/2.sql", "alter more")]);
        assert_ne!(of(&other), before, "content counts");
        fs::rename(one.path().join("1.sql"), one.path().join("0.sql")).unwrap();
        assert_ne!(of(&one), before, "names count");
    }

    #[test]
    fn the_order_of_arguments_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("a.sql", "a"), ("b.sql", "b")]);
        let [a, b] = ["a.sql", "b.sql"].map(|name| folder.path().join(name));
        assert_eq!(key(&[a.clone(), b.clone()]), key(&[b, a]));
    }

    #[test]
    fn nothing_has_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let said = key(std::slice::from_ref(&path)).unwrap_err();
        assert!(said.ends_with("must hold migration files"), "{said}");
        let said = key(&[path.join("missing")]).unwrap_err();
        assert!(said.contains("cannot be read"), "{said}");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&path, path.join("again")).unwrap();
            let said = key(&[path]).unwrap_err();
            assert!(said.ends_with("must not be a link to a folder"), "{said}");
        }
    }
}
