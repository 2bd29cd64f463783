//! What the tests declare: the example app as its files say, and smaller ones made of it.

use serde_json::{Value, json};

use super::Place;

/// Where the images of the example app are.
pub const REPOSITORY: &str = "198.18.0.1:5000/shop";
const APP: &str = include_str!("../../../examples/shop/app.yaml");
const ENVIRONMENT: &str = include_str!("../../../examples/shop/environment.yaml");

/// An App and its Environment, as they are applied.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub app: Value,
    pub environment: Value,
}

impl Wanted {
    /// The example app: two web pods, a worker, a database, a migration, and a host.
    pub fn example(place: &Place) -> Self {
        let parse = |text| serde_saphyr::from_str(text).expect("YAML of the example");
        let (app, environment): (Value, Value) = (parse(APP), parse(ENVIRONMENT));
        let mut wanted = Self { app, environment };
        for object in [&mut wanted.app, &mut wanted.environment] {
            object["metadata"]["namespace"] = json!(place.namespace);
        }
        wanted.environment["spec"]["hosts"][0]["host"] = json!(place.host());
        // The example's deadline is for a person who watches; a busy machine may need longer to start a pod.
        wanted.environment["spec"]["strategy"]["progressDeadlineSeconds"] = json!(300);
        wanted
    }

    /// One web pod with a database and a migration; no host.
    pub fn with_database(place: &Place) -> Self {
        let mut wanted = Self::example(place);
        wanted.components().truncate(1);
        wanted.component("web")["replicas"] = json!(1);
        wanted.remove_hosts();
        wanted
    }

    /// One web pod: no database, no migration, no host.
    pub fn light(place: &Place) -> Self {
        let mut wanted = Self::with_database(place);
        let app = wanted.app["spec"].as_object_mut().expect("a spec");
        app.remove("database");
        app.remove("migration");
        // The shop starts without its database, but not without its address.
        app.insert(
            "env".to_owned(),
            json!([{"name": "DATABASE_URL", "value": "postgresql://nobody@127.0.0.1:1/none"}]),
        );
        let environment = wanted.environment["spec"].as_object_mut().expect("a spec");
        environment.remove("database");
        wanted
    }

    pub fn release(mut self, release: &str) -> Self {
        self.environment["spec"]["release"]["image"] = json!(image(release));
        self
    }

    /// How long a rollout may make no progress.
    pub fn deadline(mut self, seconds: u32) -> Self {
        self.environment["spec"]["strategy"]["progressDeadlineSeconds"] = json!(seconds);
        self
    }

    pub fn hosts(mut self, hosts: &[&str]) -> Self {
        let host =
            |host: &&str| json!({"host": host, "routes": [{"path": "/", "component": "web"}]});
        self.environment["spec"]["hosts"] = hosts.iter().map(host).collect();
        self
    }

    pub fn replicas(mut self, replicas: u32) -> Self {
        self.component("web")["replicas"] = json!(replicas);
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        self.environment["metadata"]["name"] = json!(name);
        self
    }

    fn remove_hosts(&mut self) {
        if let Some(spec) = self.environment["spec"].as_object_mut() {
            spec.remove("hosts");
        }
    }

    pub fn components(&mut self) -> &mut Vec<Value> {
        self.app["spec"]["components"]
            .as_array_mut()
            .expect("components")
    }

    pub fn component(&mut self, name: &str) -> &mut Value {
        let found = self
            .components()
            .iter_mut()
            .find(|known| known["name"] == name);
        found.expect("a component of this name")
    }
}

/// The image of a release.
pub fn image(release: &str) -> String {
    format!("{REPOSITORY}:{release}")
}
