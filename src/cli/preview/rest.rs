//! `kubectl towpath preview sleep` and `wake`.

use kube::{Api, ResourceExt};

use super::table;
use crate::api::{App, ConditionType, Preview, Reason, labels};
use crate::cli::cluster::Cluster;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::trigger;

/// What a person wants of a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It shall sleep until it is asked for.
    Sleep,
    /// It shall be up.
    Wake,
}

pub async fn say(
    word: Word,
    cluster: &Cluster,
    preview: &Preview,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let apps: Api<App> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let app = cluster
        .must(apps.get_opt(&preview.spec.app_ref.name))
        .await?;
    let (token, sentence) = judge(word, preview, app.as_ref()).map_err(Failure::Refused)?;
    if let Some(token) = token {
        trigger::pull(cluster, preview, token, None).await?;
    }
    let (name, namespace) = (preview.name_any(), &cluster.namespace);
    terminal.say(&format!(
        "{sentence}\nFollow it with: kubectl towpath get {name} -n {namespace} --watch"
    ))?;
    Ok(Exit::Done)
}

/// The trigger that says it, unless it is so already, and a sentence; or why it cannot be.
fn judge(
    word: Word,
    preview: &Preview,
    app: Option<&App>,
) -> Result<(Option<&'static str>, String), String> {
    let name = preview.name_any();
    let template = app.and_then(|app| app.spec.preview.as_ref());
    if template.is_none_or(|template| template.sleep_after_seconds.is_none()) {
        let app = &preview.spec.app_ref.name;
        return Err(format!(
            "Preview '{name}' never sleeps: App '{app}' must say preview.sleepAfterSeconds"
        ));
    }
    let ready = table::condition(preview, ConditionType::Ready);
    let asleep = ready.is_some_and(|ready| ready.reason == Reason::Asleep.as_str());
    Ok(match (word, asleep) {
        (Word::Sleep, true) => (None, format!("Preview '{name}' sleeps already")),
        (Word::Sleep, false) => (
            Some(labels::SLEEP),
            format!("Preview '{name}' goes to sleep; the first request wakes it"),
        ),
        // Also when it seems awake: it may be falling asleep, and the time that it stays awake is counted anew.
        (Word::Wake, _) => (Some(labels::WAKE), format!("Preview '{name}' wakes")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn preview(reason: &str) -> Preview {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let preview = json!({
            "metadata": {"name": "shop-pr-7"},
            "spec": {"appRef": {"name": "shop"}, "pullRequest": {"number": 7}, "release": {"image": "shop:1"}},
            "status": {"conditions": [ready]},
        });
        serde_json::from_value(preview).unwrap()
    }

    fn app(sleep: Option<i32>) -> App {
        let mut preview = json!({"hosts": []});
        if let Some(seconds) = sleep {
            preview["sleepAfterSeconds"] = json!(seconds);
        }
        let app =
            json!({"metadata": {"name": "shop"}, "spec": {"components": [], "preview": preview}});
        serde_json::from_value(app).unwrap()
    }

    #[test]
    fn only_previews_that_may_sleep_are_told() {
        let refused = judge(Word::Sleep, &preview("Ready"), Some(&app(None)));
        assert!(
            refused.is_err_and(|sentence| sentence.contains("must say preview.sleepAfterSeconds"))
        );
        assert!(judge(Word::Wake, &preview("Ready"), None).is_err());
    }

    #[test]
    fn what_is_so_already_is_not_said() {
        let token = |word, reason| {
            judge(word, &preview(reason), Some(&app(Some(60))))
                .unwrap()
                .0
        };
        assert_eq!(token(Word::Sleep, "Ready"), Some(labels::SLEEP));
        assert_eq!(token(Word::Sleep, "Asleep"), None);
        assert_eq!(token(Word::Wake, "Asleep"), Some(labels::WAKE));
        assert_eq!(token(Word::Wake, "Ready"), Some(labels::WAKE));
    }
}
