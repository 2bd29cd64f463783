//! Secrets are read as they are now: a changed value restarts what reads it, once, and never appears anywhere.

use serde_json::json;
use towpath::api::{ConditionType, Reason};

use crate::harness::{Wanted, dump, seconds, together};

#[test]
fn a_rotated_secret_restarts_its_readers_once() {
    together("rotation", async |place| {
        let mut wanted = Wanted::light(place);
        wanted.component("web")["env"] =
            json!([{"name": "TOKEN", "secretRef": {"name": "token", "key": "value"}}]);
        place.apply(&token("first-secret-value")).await;
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        let before = shop.lives("web").await;
        place.apply(&token("other-secret-value")).await;
        place
            .until("its reader is replaced", seconds(90), async || {
                let now = shop.lives("web").await;
                if now.iter().any(|life| before.contains(life)) {
                    Err(format!("{now:?}"))
                } else {
                    Ok(())
                }
            })
            .await;
        shop.until_ready().await;
        let after = shop.lives("web").await;
        // At most once in five minutes.
        place.apply(&token("third-secret-value")).await;
        place
            .never(
                "it is not replaced again at once",
                seconds(15),
                async || {
                    let now = shop.lives("web").await;
                    if now == after {
                        Ok(())
                    } else {
                        Err(format!("{after:?} became {now:?}"))
                    }
                },
            )
            .await;
        assert_eq!(
            shop.revisions().await.len(),
            1,
            "a Secret is no part of a revision"
        );
        let shown = format!("{:?}", shop.see().await.status);
        assert!(!shown.contains("secret-value"), "{shown}");
    });
}

#[test]
fn a_missing_secret_or_key_is_named() {
    together("missing", async |place| {
        let mut wanted = Wanted::light(place);
        wanted.component("web")["env"] =
            json!([{"name": "TOKEN", "secretRef": {"name": "token", "key": "value"}}]);
        let shop = place.make(&wanted).await;
        let message = shop
            .until(ConditionType::Configured, Reason::ReferenceMissing)
            .await;
        assert!(message.contains("Secret 'token' must exist"), "{message}");
        place.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"other": "x"}})).await;
        let message = shop
            .until(ConditionType::Configured, Reason::KeyMissing)
            .await;
        assert!(message.contains("must have the key 'value'"), "{message}");
        place.apply(&token("first-secret-value")).await;
        shop.until_ready().await;
        let tree = dump::tree(place).await;
        assert!(!tree.contains("first-secret-value"), "{tree}");
    });
}

fn token(value: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"value": value}})
}
