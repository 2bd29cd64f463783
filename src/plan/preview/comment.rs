//! The comment of a preview, in Markdown. Whatever others wrote stands in code, where no host makes a link, a mention, an
//! image or a command of it.

use kube::ResourceExt;

use super::lifetime;
use super::state::State;
use crate::api::environment::{EnvironmentStatus, Provider};
use crate::api::template::Source;
use crate::api::{ConditionType, Environment};
use crate::plan::announcement::Stand;
use crate::seen::SeenPreview;

/// Longest text of others in a line, in characters.
const LONGEST: usize = 200;
/// How many lines of a log are shown, and how many characters of them.
const LINES: usize = 30;
const CHARACTERS: usize = 4000;

/// What the comment says.
pub(super) fn markdown(seen: &SeenPreview, source: &Source, state: &State) -> String {
    let app = &seen.preview.spec.app_ref.name;
    let mut lines = vec![
        format!("**Preview of `{app}`: {}**", word(state.stand)),
        String::new(),
    ];
    if state.stand != Stand::Ready {
        lines.push(format!("- **Why**: {}", code(&state.sentence)));
    }
    lines.extend(facts(seen, state).map(|(name, value)| format!("- **{name}**: {value}")));
    if state.stand == Stand::Failed {
        lines.extend(failure(seen, source, state));
    }
    lines.join("\n")
}

fn word(stand: Stand) -> &'static str {
    match stand {
        Stand::Queued => "queued",
        Stand::Waiting => "on its way",
        Stand::Ready => "ready",
        Stand::Failed => "failed",
        Stand::Expired => "expired",
        Stand::Closed => "gone",
    }
}

fn facts(seen: &SeenPreview, state: &State) -> impl Iterator<Item = (&'static str, String)> {
    let environment = seen.environment.as_deref();
    let lives = !state.stand.is_over();
    let environment = environment.filter(|_| lives);
    let told = environment.and_then(|environment| environment.status.as_ref());
    let facts = [
        ("URL", told.and_then(url)),
        ("Commit", commit(seen)),
        ("Database", environment.and_then(database)),
        ("Expires", lives.then(|| expires(seen)).flatten()),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}

/// Where something serves: a host is a DNS name, and needs no quoting.
fn url(told: &EnvironmentStatus) -> Option<String> {
    told.serving?;
    told.url.as_ref().map(|url| format!("<{url}>"))
}

fn commit(seen: &SeenPreview) -> Option<String> {
    let sha = &seen.preview.spec.release.commit.as_ref()?.sha;
    let branch = seen.preview.spec.pull_request.branch.as_deref();
    let branch = branch.map(|branch| format!(" of {}", code(branch)));
    Some(format!("{}{}", code(sha), branch.unwrap_or_default()))
}

/// Whether its data is new, and what the release did to its schema.
fn database(environment: &Environment) -> Option<String> {
    let database = environment.spec.database.as_ref()?;
    let told = environment.status.as_ref()?;
    let serving = told.serving?;
    let whose = match database.provider {
        Provider::Dedicated => "a server of its own",
        Provider::Server => "on a shared server",
        Provider::External => "outside",
    };
    let migrated = told
        .migration
        .as_ref()
        .map(|known| known.revision == serving);
    let age = age(told).map(|age| format!(", {age}")).unwrap_or_default();
    let migration = told.migration.as_ref().map(|migration| {
        let verb = match migrated == Some(true) {
            true => "migrated to",
            false => "still at",
        };
        format!(", {verb} {}", code(&migration.key))
    });
    Some(format!("{whose}{age}{}", migration.unwrap_or_default()))
}

/// Whether its data is new, in the words of the stage that made it.
fn age(told: &EnvironmentStatus) -> Option<&str> {
    let mut conditions = told.conditions.iter();
    let made = conditions.find(|known| known.type_ == ConditionType::DatabaseReady.as_str())?;
    let (_, age) = made.message.split_once("The database answers: ")?;
    Some(age)
}

/// `None`: its time has not begun.
fn expires(seen: &SeenPreview) -> Option<String> {
    let ends = |life: lifetime::Lifetime| {
        let ends = lifetime::text(life.ends);
        format!("{ends}, unless there is a push")
    };
    let never = || lifetime::is_kept(&seen.preview).then(|| "never".to_owned());
    lifetime::of(seen).map(ends).or_else(never)
}

/// The stage that failed, and what was said there, if that may be shown.
fn failure(seen: &SeenPreview, source: &Source, state: &State) -> Vec<String> {
    let Some(stage) = &state.failed else {
        return Vec::new();
    };
    let mut lines = vec![format!("- **Stage**: {}", code(&stage.type_))];
    if source.logs && !seen.preview.spec.pull_request.fork {
        lines.extend([String::new(), "```text".to_owned()]);
        lines.extend(log(&stage.message));
        lines.push("```".to_owned());
    } else {
        let preview = &seen.preview;
        let namespace = preview.namespace().unwrap_or_default();
        let command = format!("kubectl towpath get -n {namespace} {}", preview.name_any());
        lines.push(format!("- **More**: {}", code(&command)));
    }
    lines
}

/// The last lines of a text, of which none ends the block that it stands in, or begins a command of the host.
fn log(text: &str) -> Vec<String> {
    let skipped = text.chars().count().saturating_sub(CHARACTERS);
    let text: String = text.chars().skip(skipped).collect();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    last.map(|line| format!(" {}", harmless(line).trim_end()))
        .collect()
}

/// Text of others, in one line.
fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = harmless(&line);
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    match short.is_empty() {
        true => "none".to_owned(),
        false => format!("`{short}`"),
    }
}

/// Without what could end the code that it stands in, and without what only pretends: characters of control, and those that
/// turn the direction of what follows.
fn harmless(text: &str) -> String {
    let is_shown = |c: &char| {
        let turns = matches!(*c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !c.is_control() && !turns
    };
    let shown = text.chars().filter(is_shown);
    shown.map(|c| if c == '`' { '\'' } else { c }).collect()
}

/// What the comment is found again by: the same for each Preview of this pull request.
pub(super) fn identity(seen: &SeenPreview) -> String {
    let preview = &seen.preview;
    format!(
        "{}/{}/{}",
        preview.namespace().unwrap_or_default(),
        preview.spec.app_ref.name,
        preview.spec.pull_request.number
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_ends_no_code() {
        assert_eq!(code("\"; DROP DATABASE x; --"), "`\"; DROP DATABASE x; --`");
        assert_eq!(
            code("a`b ```c @team ![x](http://e)"),
            "`a'b '''c @team ![x](http://e)`"
        );
        assert_eq!(code("one\n\n# two\r\n/close"), "`one # two /close`");
        assert_eq!(code("\u{202e}evil\u{0}"), "`evil`");
        assert_eq!(code(" \n"), "none");
        let long = code(&"🛒".repeat(300));
        assert_eq!(long.chars().count(), LONGEST + 3);
    }

    #[test]
    fn of_a_log_the_last_lines_are_shown_and_none_is_a_command() {
        let text = format!("{}\n/close\n```\n@team", "x\n".repeat(100));
        let shown = log(&text);
        assert_eq!(shown.len(), LINES);
        assert_eq!(shown[LINES - 3..], [" /close", " '''", " @team"]);
        assert_eq!(
            log(&"y".repeat(9000)),
            [format!(" {}", "y".repeat(CHARACTERS))]
        );
    }
}
