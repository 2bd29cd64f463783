//! Reads what is given.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use serde::Deserialize;
use serde_json::{Value, json};
use towpath::api::{App, Environment};
use towpath::config::Template;
use towpath::registry::Answer;
use towpath::seen::Routing;
use towpath::simulate::actors::Answers;
use towpath::simulate::merge;
use towpath::simulate::store::Stored;
use towpath::simulate::{Build, Migrates, Runs, World};

/// The name of App and Environment.
pub const NAME: &str = "shop";
/// The world rests when nothing happened for so many seconds.
const QUIET: i64 = 40;

/// A world, and what was said of it.
pub struct Given {
    pub world: World,
}

/// What is outside of the apiserver.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Cluster {
    kind: String,
    /// What registries say.
    images: Vec<Image>,
    /// The dedicated database does not answer.
    database_silent: bool,
    /// The database refuses.
    database_refuses: Option<String>,
    /// The dedicated database is a new one.
    database_new: bool,
    /// The record holds these keys only.
    record: Option<Vec<String>>,
    /// A server elsewhere, and the oid of its database.
    external: Option<(String, u32)>,
    /// Shared servers.
    servers: Vec<String>,
    /// The golden databases on all of them that each namespace may copy.
    templates: Option<Vec<Template>>,
    /// A shared server whose admin's Secret is not there.
    admin_gone: Option<String>,
    /// What the comments of databases on shared servers say.
    comment: Option<String>,
    /// The next copy of a template waits.
    template_busy: bool,
    /// The configuration names no shared server any more.
    no_servers: bool,
    /// Passes that are made.
    passes: usize,
    /// The Environment is deleted.
    deleted: bool,
    /// There is no way in.
    no_gateway: Option<String>,
    /// Ingresses are the way in.
    ingress: bool,
    /// The gateway refuses routes.
    gateway_refuses: Option<String>,
    /// The gateway says nothing.
    gateway_silent: bool,
    /// The apiserver refuses objects of this kind.
    refuses: Option<(String, String)>,
    /// The apiserver takes no more pods.
    quota: Option<String>,
    /// An object that cannot be read, and why.
    unreadable: Option<(String, String)>,
    /// An Environment of another namespace.
    neighbour: Option<Value>,
    /// Objects to delete, by kind and name.
    gone: Vec<(String, String)>,
    /// Seconds that go by.
    wait: i64,
    /// Steps of the other actors that happen.
    steps: usize,
}

/// What a registry says of an image, and what the image does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    image: String,
    key: Option<String>,
    missing: Option<String>,
    refused: Option<String>,
    silent: Option<String>,
    migrates: Option<String>,
    runs: Option<String>,
}

impl Default for Given {
    fn default() -> Self {
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        Self {
            world: World::new("shop-staging", now),
        }
    }
}

impl Given {
    /// Reads documents.
    pub fn read(&mut self, text: &str) {
        let (documents, problems) = towpath::cli::yaml::documents(text);
        assert!(
            problems.is_empty(),
            "{:?}",
            problems.iter().map(|it| &it.sentence).collect::<Vec<_>>()
        );
        for document in documents {
            self.take(document.json());
        }
    }

    fn take(&mut self, document: Value) {
        match document["kind"].as_str().expect("a kind") {
            "Cluster" => self.outside(serde_json::from_value(document).expect("a Cluster")),
            "Rest" => assert!(
                self.world.settle(QUIET, &mut |_, _| {}),
                "the world comes to rest"
            ),
            "App" => self.declare::<App>(document),
            "Environment" => self.declare::<Environment>(document),
            "ConfigMap" => self.declare::<ConfigMap>(document),
            "Secret" => self.declare::<Secret>(secret(document)),
            "Service" => self.declare::<Service>(document),
            "Deployment" => self.declare::<Deployment>(document),
            kind => panic!("{kind} is not known here"),
        }
    }

    /// Merges a document into what is there.
    fn declare<K: Stored>(&mut self, document: Value) {
        let name = document["metadata"]["name"]
            .as_str()
            .unwrap_or(NAME)
            .to_owned();
        let live = self.world.store.get::<K>(&name);
        let live = live.map_or(json!({}), |live| serde_json::to_value(&*live).unwrap());
        let mut merged = merge::patch(live, &document);
        // A token names the uid of its Environment, which a fixture cannot know.
        let uid = merged
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Some(annotations) = merged
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut)
        {
            for value in annotations.values_mut() {
                *value = json!(value.as_str().unwrap().replace("UID", &uid));
            }
        }
        merged["metadata"]["name"] = json!(name);
        let object: K = serde_json::from_value(merged).expect("an object of its kind");
        self.world
            .store
            .declare(object)
            .expect("a name that is free");
    }

    fn outside(&mut self, cluster: Cluster) {
        assert_eq!(cluster.kind, "Cluster");
        let world = &mut self.world;
        for image in &cluster.images {
            push(world, image);
        }
        world.databases.silent = cluster.database_silent;
        world.databases.refuses = cluster.database_refuses;
        if cluster.database_new {
            world.databases.lose();
        }
        if let Some(keys) = cluster.record {
            world
                .databases
                .record()
                .unwrap()
                .retain(|entry| keys.contains(&entry.key));
        }
        if let Some((address, oid)) = cluster.external {
            world.databases.put(&address, oid);
        }
        for server in &cluster.servers {
            world.share(server);
        }
        if cluster.templates.is_some() {
            let mut config = towpath::config::Config::clone(&world.config);
            for server in &mut config.postgres.servers {
                server.templates.clone_from(&cluster.templates);
            }
            world.config = Arc::new(config);
        }
        if let Some(server) = cluster.admin_gone {
            world.databases.shared.forget_admin(&server);
        }
        if let Some(comment) = cluster.comment {
            world.databases.shared.comment(&comment);
        }
        if cluster.template_busy {
            world.databases.shared.busy = Some("The template is in use".to_owned());
        }
        if cluster.no_servers {
            let mut config = towpath::config::Config::clone(&world.config);
            config.postgres.servers.clear();
            world.config = Arc::new(config);
        }
        if cluster.deleted {
            let environment = world.environment(NAME).expect("an Environment");
            let uid = environment.metadata.uid.clone().expect("a uid");
            world.store.delete::<Environment>(NAME, &uid);
        }
        for _ in 0..cluster.passes {
            world.pass(NAME);
        }
        if let Some(why) = cluster.no_gateway {
            world.routing = Routing::Nothing(why);
        }
        if cluster.ingress {
            world.routing = Routing::Ingress(None);
        }
        if let Some(why) = cluster.gateway_refuses {
            world.gateway = Answers::Refuses(why);
        }
        if cluster.gateway_silent {
            world.gateway = Answers::Silent;
        }
        world.refuses.extend(
            cluster
                .refuses
                .map(|(kind, why)| (kind, String::new(), why)),
        );
        world.script.quota = cluster.quota;
        world.unreadable.extend(cluster.unreadable);
        world.neighbours.extend(
            cluster
                .neighbour
                .map(|it| Arc::new(serde_json::from_value(it).unwrap())),
        );
        for (kind, name) in cluster.gone {
            let known = world.store.everything();
            let known = known
                .iter()
                .find(|known| known.kind == kind && known.name == name)
                .expect("it is there");
            world.store.delete_any(&kind, &name, &known.uid);
        }
        for _ in 0..cluster.steps {
            let effect = world
                .possible()
                .first()
                .cloned()
                .expect("something happens");
            world.happen(&effect);
        }
        world.wait(cluster.wait);
        world.forget();
    }
}

fn push(world: &mut World, image: &Image) {
    let answer = match (&image.missing, &image.refused, &image.silent) {
        (Some(why), ..) => Some(Answer::Missing(why.clone())),
        (_, Some(why), _) => Some(Answer::Refused(why.clone())),
        (.., Some(why)) => Some(Answer::Silent(why.clone())),
        _ => None,
    };
    if let Some(answer) = answer {
        world.registry.insert(image.image.clone(), answer);
        return;
    }
    let migrates = match image.migrates.as_deref() {
        Some("Fails") => Migrates::Fails,
        Some("Hangs") => Migrates::Hangs(30),
        Some("Slowly") => Migrates::Within(3600),
        _ => Migrates::default(),
    };
    let runs = match image.runs.as_deref() {
        Some("NeverReady") => Runs::NeverReady,
        Some("Crashes") => Runs::Crashes,
        Some("NotPulled") => Runs::NotPulled,
        Some("AnswersErrors") => Runs::AnswersErrors,
        Some("SaysNothing") => Runs::SaysNothing,
        _ => Runs::Well,
    };
    let build = Build {
        runs,
        migrates,
        ..Build::default()
    };
    world.push_image(&image.image, build, image.key.as_deref());
}

/// `stringData` as the apiserver keeps it.
fn secret(mut document: Value) -> Value {
    if let Some(Value::Object(texts)) = document.as_object_mut().unwrap().remove("stringData") {
        use base64::Engine as _;
        let encode =
            |text: &Value| base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap());
        let data = texts
            .iter()
            .map(|(key, text)| (key.clone(), json!(encode(text))))
            .collect();
        document["data"] = Value::Object(data);
    }
    document
}
