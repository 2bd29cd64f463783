//! Every rule and bound of the CRDs on a real apiserver; and `towpath lint` says the same of the same objects.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "admission/cases.rs"]
mod cases;
#[path = "admission/mutations.rs"]
mod mutations;
mod support;
#[path = "admission/verdict.rs"]
mod verdict;

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use cases::{CHANGES, RULES};
use support::apiserver::Apiserver;
use verdict::{Verdict, apiserver, base, lint, with};

#[tokio::test]
async fn each_rule_refuses_in_its_own_words_and_lint_says_them_too() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let (client, namespace) = (server.client(), server.namespace("rules").await);
    let mut said = BTreeSet::new();
    for (kind, pointer, value, sentence) in RULES {
        let text = serde_json::to_string(&with(base(kind), pointer, value)).unwrap();
        let (there, here) = (
            apiserver(&client, &namespace, kind, &text).await,
            lint(&text),
        );
        let case = format!("{kind} {pointer} = {value}");
        match *sentence {
            "" => {
                assert_eq!(there, Verdict::default(), "the apiserver, {case}");
                assert_eq!(here, Verdict::default(), "lint, {case}");
            }
            sentence => {
                assert!(there.says(sentence), "the apiserver, {case}: {there:?}");
                assert!(here.says(sentence), "lint, {case}: {here:?}");
                said.insert((*sentence).to_owned());
            }
        }
    }
    let missing: Vec<String> = messages(false).difference(&said).cloned().collect();
    assert_eq!(missing, Vec::<String>::new(), "rules without a case");
}

#[tokio::test]
async fn what_must_not_change_cannot_be_changed() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let (client, namespace) = (server.client(), server.namespace("changes").await);
    let mut said = BTreeSet::new();
    for (at, (kind, pointer, before, after, sentence)) in CHANGES.iter().enumerate() {
        let old = with(base(kind), "/metadata/name", &format!("\"case-{at}\""));
        let old = with(old, pointer, before);
        let new = with(old.clone(), pointer, after);
        let made = verdict::create(&client, &namespace, kind, &old).await;
        assert_eq!(made, Verdict::default(), "{kind} {pointer} = {before}");
        let changed = verdict::replace(&client, &namespace, kind, &new).await;
        let case = format!("{kind} {pointer}: {before} -> {after}");
        match *sentence {
            "" => assert_eq!(changed, Verdict::default(), "{case}"),
            sentence => {
                assert!(changed.says(sentence), "{case}: {changed:?}");
                said.insert(sentence.to_owned());
            }
        }
    }
    // There is one engine, so none can be changed to.
    said.insert("engine must not change: it is immutable".to_owned());
    let missing: Vec<String> = messages(true).difference(&said).cloned().collect();
    assert_eq!(missing, Vec::<String>::new(), "rules without a case");
}

#[tokio::test]
async fn lint_and_the_apiserver_agree_on_every_mutation() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let (client, namespace) = (server.client(), server.namespace("mutations").await);
    let (mut compared, mut refused, mut differ) = (0, 0, Vec::new());
    for kind in ["App", "Environment", "Preview"] {
        let (client, namespace) = (&client, &namespace);
        let mutations = mutations::of(&base(kind), &schema(kind)).into_iter();
        let mut answers = stream::iter(mutations.map(async |(name, text)| {
            let there = apiserver(client, namespace, kind, &text).await;
            (name, lint(&text), there)
        }))
        .buffered(8);
        while let Some((name, here, there)) = answers.next().await {
            compared += 1;
            refused += usize::from(!there.is_empty());
            if !there.agrees(&here) {
                differ.push(format!(
                    "{kind} {name}\n  apiserver {there:?}\n  lint      {here:?}"
                ));
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {compared} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
    assert!(
        compared > 800 && refused > 400,
        "{refused} of {compared} were refused"
    );
    println!("{compared} compared, {refused} refused");
}

/// The messages of all rules, of those that compare with the old object or of the others.
fn messages(transitions: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in ["App", "Environment", "Preview"] {
        collect(&schema(kind), &mut |schema| {
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                if rule.rule.contains("oldSelf") == transitions {
                    found.insert(rule.message.clone().unwrap_or_default());
                }
            }
        });
    }
    found
}

fn schema(kind: &str) -> JSONSchemaProps {
    let crds = towpath::api::crds();
    let crd = crds
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind)
        .unwrap();
    let version = crd.spec.versions.into_iter().next().unwrap();
    version.schema.unwrap().open_api_v3_schema.unwrap()
}

fn collect(schema: &JSONSchemaProps, found: &mut impl FnMut(&JSONSchemaProps)) {
    found(schema);
    for property in schema.properties.iter().flatten() {
        collect(property.1, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        collect(values, found);
    }
}

#[test]
fn the_bases_say_everything_that_can_be_said() {
    fn covered(path: &str, schema: &JSONSchemaProps, value: &Value, missing: &mut Vec<String>) {
        for (name, property) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            match value.get(name) {
                Some(value) => covered(&path, property, value, missing),
                None => missing.push(path),
            }
        }
        if let (Some(JSONSchemaPropsOrArray::Schema(items)), Some(values)) =
            (&schema.items, value.as_array())
        {
            let one = values.first().expect("every list has an entry");
            // What one entry cannot say, because it says something else, another one may.
            let mut lists: Vec<Vec<String>> = Vec::new();
            for value in values.iter().chain([one]) {
                let mut lacking = Vec::new();
                covered(path, items, value, &mut lacking);
                lists.push(lacking);
            }
            let first = lists.first().cloned().unwrap_or_default();
            missing.extend(
                first
                    .into_iter()
                    .filter(|name| lists.iter().all(|list| list.contains(name))),
            );
        }
    }
    for kind in ["App", "Environment", "Preview"] {
        let (mut missing, schema) = (Vec::new(), schema(kind));
        let spec = &schema.properties.as_ref().unwrap()["spec"];
        covered("spec", spec, &base(kind)["spec"], &mut missing);
        // Members of a union exclude each other; the cases have them.
        let members = ["database.external", "database.server"];
        missing.retain(|path| !members.iter().any(|member| path.ends_with(member)));
        missing.retain(|path| !path.contains(".env.") && !path.contains(".envFrom."));
        assert_eq!(missing, Vec::<String>::new(), "{kind}");
    }
}
