//! Previews as a table: which pull request, whether it is well, where, until when.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::api::{ConditionType, Preview, Reason, labels};
use crate::cli::get::view::created;
use crate::cli::paint::{Cell, Sign, rows};
use crate::cli::terminal::Look;
use crate::cli::text;

/// The Previews, sorted by App and number; with their namespaces when they are of several.
#[must_use]
pub fn render(previews: &[Preview], with_namespace: bool, now: Timestamp, look: Look) -> String {
    let mut sorted: Vec<&Preview> = previews.iter().collect();
    sorted.sort_by_key(|preview| {
        let app = preview.spec.app_ref.name.clone();
        (preview.namespace(), app, preview.spec.pull_request.number)
    });
    let title = [
        "NAMESPACE",
        "PR",
        "NAME",
        "APP",
        "READY",
        "REASON",
        "URL",
        "EXPIRES",
        "AGE",
    ];
    let mut table: Vec<Vec<Cell>> = vec![title.map(Cell::plain).into()];
    table.extend(sorted.into_iter().map(|preview| row(preview, now).into()));
    if !with_namespace {
        table.iter_mut().for_each(|row| drop(row.remove(0)));
    }
    let mut lines = rows(&table, look);
    lines.extend(previews.iter().filter_map(unannounced));
    lines.join("\n") + "\n"
}

/// Why a Git host does not show a preview that it should show.
fn unannounced(preview: &Preview) -> Option<String> {
    let announced = condition(preview, ConditionType::Announced)?;
    let waits = announced.reason == Reason::Pending.as_str();
    (announced.status != "True" && !waits).then(|| {
        let (name, reason) = (preview.name_any(), &announced.reason);
        let why = format!("{name} is not announced: {reason}: {}", announced.message);
        text::line(&why, 300)
    })
}

/// A preview in a line of a tree.
#[must_use]
pub fn words(preview: &Preview, now: Timestamp, look: Look) -> Vec<Cell> {
    let status = preview.status.as_ref();
    let (sign, reason) = match condition(preview, ConditionType::Ready) {
        Some(ready) => (
            Sign::of(&ready.status, &ready.reason),
            ready.reason.as_str(),
        ),
        None => (Sign::Unknown, "nothing is said yet"),
    };
    let announced = condition(preview, ConditionType::Announced);
    let unannounced = announced.filter(|_| unannounced(preview).is_some());
    let url = status.and_then(|status| status.url.clone());
    let ends = match expires(preview, now) {
        ends if ends.starts_with("in ") => format!("expires {ends}"),
        ends if ends == "never" => "does not expire".to_owned(),
        ends => ends,
    };
    let mut cells = vec![
        Cell::plain(format!("#{}", preview.spec.pull_request.number)),
        Cell::plain(preview.name_any()),
        Cell::signed(sign, reason, look),
        Cell::plain(url.unwrap_or_default()),
        Cell::plain(ends),
    ];
    cells.extend(unannounced.map(|announced| {
        let sign = Sign::of(&announced.status, &announced.reason);
        Cell::coloured(sign, format!("not announced: {}", announced.reason))
    }));
    cells
}

/// A condition of a Preview.
#[must_use]
pub fn condition(preview: &Preview, type_: ConditionType) -> Option<&Condition> {
    let status = preview.status.as_ref()?;
    let mut conditions = status.conditions.iter();
    conditions.find(|known| known.type_ == type_.as_str())
}

fn row(preview: &Preview, now: Timestamp) -> [Cell; 9] {
    let status = preview.status.as_ref();
    let ready = condition(preview, ConditionType::Ready);
    let is_behind =
        status.and_then(|status| status.observed_generation) != preview.metadata.generation;
    let (sign, word) = match ready {
        Some(ready) if !is_behind => (
            Sign::of(&ready.status, &ready.reason),
            ready.status.as_str(),
        ),
        _ => (Sign::Unknown, "Unknown"),
    };
    let said = |text: Option<&String>| Cell::plain(text.map_or("", String::as_str));
    let age = created(preview).map(|at| text::age(at, now));
    [
        Cell::plain(preview.namespace().unwrap_or_default()),
        Cell::plain(preview.spec.pull_request.number.to_string()),
        Cell::plain(preview.name_any()),
        Cell::plain(&preview.spec.app_ref.name),
        Cell::coloured(sign, word),
        said(ready.map(|ready| &ready.reason)),
        said(status.and_then(|status| status.url.as_ref())),
        Cell::plain(expires(preview, now)),
        Cell::plain(age.unwrap_or_default()),
    ]
}

/// Whether it has no place yet.
fn waits(preview: &Preview) -> bool {
    let told = preview.status.iter().flat_map(|told| &told.conditions);
    let mut ready = told.filter(|known| known.type_ == ConditionType::Ready.as_str());
    ready.any(|known| known.reason == Reason::Queued.as_str())
}

/// In how long it ends; what is over is over.
fn expires(preview: &Preview, now: Timestamp) -> String {
    let status = preview.status.as_ref();
    let ends = status.and_then(|status| status.expires_time.as_deref());
    match ends.and_then(|ends| ends.parse::<Timestamp>().ok()) {
        Some(ends) if ends > now => format!("in {}", text::age(now, ends)),
        Some(_) => "expired".to_owned(),
        None if preview.labels().get(labels::KEEP).map(String::as_str) == Some("true") => {
            "never".to_owned()
        }
        None if waits(preview) => "not live yet".to_owned(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn preview(number: i64, expires: Option<&str>) -> Preview {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Ready", "message": "v1 runs",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let preview = json!({
            "metadata": {
                "namespace": "previews", "name": format!("shop-pr-{number}"), "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "appRef": {"name": "shop"}, "pullRequest": {"number": number}, "release": {"image": "shop:1"},
            },
            "status": {
                "observedGeneration": 1, "url": format!("http://shop-pr-{number}.localhost"),
                "expiresTime": expires, "conditions": [ready],
            },
        });
        let mut preview = preview;
        if expires.is_none() {
            preview["metadata"]["labels"] = json!({(labels::KEEP): "true"});
            preview["status"]
                .as_object_mut()
                .unwrap()
                .remove("expiresTime");
        }
        serde_json::from_value(preview).unwrap()
    }

    #[test]
    fn one_line_tells_which_pull_request_is_where_and_until_when() {
        let previews = [
            preview(12, Some("2026-01-03T00:00:00Z")),
            preview(7, None),
            preview(9, Some("2026-01-01T00:00:00Z")),
        ];
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        let look = Look {
            colour: false,
            unicode: true,
        };
        let table = render(&previews, false, now, look);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[0],
            [
                "PR", "NAME", "APP", "READY", "REASON", "URL", "EXPIRES", "AGE"
            ]
        );
        assert_eq!(lines[1][..2], ["7", "shop-pr-7"]);
        assert_eq!(lines[1][6], "never");
        assert_eq!(lines[2][6], "expired");
        assert_eq!(lines[3][6..8], ["in", "47h"], "{table}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn what_a_git_host_does_not_show_is_told_below() {
        let mut silent = preview(7, None);
        let announced = json!({
            "type": "Announced", "status": "Unknown", "reason": "GitHostSilent", "message": "github.com gave no answer",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = silent.status.as_mut().unwrap();
        status
            .conditions
            .push(serde_json::from_value(announced).unwrap());
        let look = Look::default();
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        let table = render(&[silent.clone()], false, now, look);
        let last = table.lines().last().unwrap();
        assert_eq!(
            last,
            "shop-pr-7 is not announced: GitHostSilent: github.com gave no answer"
        );
        let words = words(&silent, now, look);
        let line = crate::cli::paint::rows(&[words], look).join("");
        assert!(
            line.contains("does not expire") && line.ends_with("not announced: GitHostSilent"),
            "{line}"
        );
    }
}
