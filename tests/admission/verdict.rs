//! What the apiserver and what lint say of an object.

use kube::Client;
use serde_json::Value;
use towpath::cli::yaml;

/// Where something is refused, and in which words. Empty: accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict(pub Vec<(String, String)>);

impl Verdict {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn says(&self, sentence: &str) -> bool {
        self.0.iter().any(|(_, said)| said.contains(sentence))
    }

    /// Both accept, or both refuse and name one place in common.
    pub fn agrees(&self, other: &Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return self.is_empty() == other.is_empty();
        }
        self.0
            .iter()
            .any(|(place, said)| other.0.iter().any(|(path, _)| near(place, said, path)))
    }
}

/// Whether the apiserver's place is the path that lint names. What it cannot decode it names in its sentence, or not at
/// all.
fn near(place: &str, said: &str, path: &str) -> bool {
    let plain = path.replace("[\"", ".").replace("\"]", "");
    let field = path.rsplit(['.', '"']).next().unwrap_or_default();
    let heads = place.is_empty() && !path.contains('.');
    heads
        || place == plain
        || place.starts_with(&plain)
        || plain.starts_with(place) && said.contains(field)
}

/// An object that says everything and is accepted.
pub fn base(kind: &str) -> Value {
    let text = match kind {
        "App" => include_str!("app.yaml"),
        "Preview" => include_str!("preview.yaml"),
        _ => include_str!("environment.yaml"),
    };
    let (documents, problems) = yaml::documents(text);
    assert_eq!(problems, []);
    documents.first().expect("a document").json()
}

/// The object with a value at a JSON pointer; the empty word removes what is there, `-` at the end appends.
pub fn with(mut object: Value, pointer: &str, value: &str) -> Value {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let parent = object
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{pointer} has a parent"));
    let value: Option<Value> =
        (!value.is_empty()).then(|| serde_json::from_str(value).expect("JSON"));
    match (parent, value) {
        (Value::Object(entries), Some(value)) => {
            entries.insert(last.replace("~1", "/"), value);
        }
        (Value::Object(entries), None) => {
            entries.remove(last);
        }
        (Value::Array(items), Some(value)) if last == "-" => items.push(value),
        (Value::Array(items), Some(value)) => {
            items[last.parse::<usize>().expect("an index")] = value
        }
        (Value::Array(items), None) => {
            items.remove(last.parse::<usize>().expect("an index"));
        }
        _ => panic!("{pointer} leads into a scalar"),
    }
    object
}

/// What lint says of a text.
pub fn lint(text: &str) -> Verdict {
    let report = towpath::cli::lint::check(&[("it".to_owned(), text.to_owned())]);
    let unreadable = report
        .unreadable
        .into_iter()
        .map(|sentence| (String::new(), sentence));
    let found = report
        .findings
        .into_iter()
        .map(|finding| (finding.path, finding.sentence));
    Verdict(unreadable.chain(found).collect())
}

/// What the apiserver says of a text that is to be an object, as strictly as `kubectl apply` asks; nothing is stored.
pub async fn apiserver(client: &Client, namespace: &str, kind: &str, text: &str) -> Verdict {
    let path = format!(
        "{}?dryRun=All&fieldValidation=Strict",
        collection(namespace, kind)
    );
    send(client, "POST", &path, text).await
}

/// Makes an object.
pub async fn create(client: &Client, namespace: &str, kind: &str, object: &Value) -> Verdict {
    send(
        client,
        "POST",
        &collection(namespace, kind),
        &object.to_string(),
    )
    .await
}

/// Writes a new spec over an object's.
pub async fn replace(client: &Client, namespace: &str, kind: &str, object: &Value) -> Verdict {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let path = format!("{}/{name}", collection(namespace, kind));
    let request = http::Request::get(&path)
        .body(Vec::new())
        .expect("a request");
    let mut live: Value = client.request(request).await.expect("it is there");
    live["spec"] = object["spec"].clone();
    send(client, "PUT", &path, &live.to_string()).await
}

fn collection(namespace: &str, kind: &str) -> String {
    let plural = match kind {
        "App" => "towpathapps",
        "Preview" => "previews",
        _ => "environments",
    };
    format!("/apis/towpath.dev/v1alpha1/namespaces/{namespace}/{plural}")
}

async fn send(client: &Client, method: &str, path: &str, text: &str) -> Verdict {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/yaml")
        .body(text.as_bytes().to_vec())
        .expect("a request");
    let status = match client.request_text(request).await {
        Ok(_) => return Verdict::default(),
        Err(kube::Error::Api(status)) => status,
        Err(error) => panic!("{method} {path}: {error}"),
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut said: Vec<(String, String)> = causes
        .map(|cause| (cause.field.clone(), cause.message.clone()))
        .collect();
    if said.is_empty() {
        said.push((String::new(), status.message.clone()));
    }
    Verdict(said)
}
