//! A person's word to the controller: an annotation that names the object's uid, so that it is for this object alone and
//! counts once.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::cluster::Cluster;
use super::exit::Failure;
use crate::caches::Kept;

/// The value of a trigger: `<uid>.<moment>`, and what it says behind it.
fn token(uid: &str, at: Timestamp, word: Option<&str>) -> String {
    let moment = at.strftime("%Y%m%dT%H%M%S%6f");
    match word {
        Some(word) => format!("{uid}.{moment}.{word}"),
        None => format!("{uid}.{moment}"),
    }
}

/// Sets the trigger on this very object: one that was made anew meanwhile is not touched.
pub async fn pull<K: Kept>(
    cluster: &Cluster,
    object: &K,
    trigger: &str,
    word: Option<&str>,
) -> Result<(), Failure> {
    let uid = object.uid().unwrap_or_default();
    let token = token(&uid, Timestamp::now(), word);
    let patch = json!({"metadata": {"uid": uid, "annotations": {trigger: token}}});
    let by = PatchParams {
        field_manager: Some("kubectl-towpath".to_owned()),
        ..PatchParams::default()
    };
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    cluster
        .must(api.patch(&object.name_any(), &by, &Patch::Merge(patch)))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_the_object_and_the_moment() {
        let at: Timestamp = "2026-11-21T05:06:07.089Z".parse().expect("a time");
        assert_eq!(token("u-1", at, None), "u-1.20261121T050607089000");
        assert_eq!(
            token("u-1", at, Some("sha256:a.b")),
            "u-1.20261121T050607089000.sha256:a.b"
        );
    }
}
