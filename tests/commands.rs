//! The command line against a real apiserver: what it says, and with which code it ends.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;
#[path = "commands/world.rs"]
mod world;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use towpath::api::labels;

use world::{World, run, towpath};

#[tokio::test]
async fn get_shows_a_table_or_a_tree() {
    let Some(world) = World::new("get").await else {
        return;
    };
    let none = world.run("get").await;
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(
        none.err.contains("There is no Environment in namespace"),
        "{none:?}"
    );
    world.make("rolled-back").await;
    let table = world.run("get").await;
    assert_eq!(table.code, 0, "{table:?}");
    assert!(table.out.starts_with("NAME   APP    RELEASE"), "{table:?}");
    assert!(
        table.out.contains("shop   shop   shop:v3 (0a1b2c3)   "),
        "{table:?}"
    );
    let mut everywhere = towpath("get -A");
    everywhere.env("KUBECONFIG", &world.kubeconfig);
    let everywhere = run(everywhere).await;
    assert!(everywhere.out.contains(&world.namespace), "{everywhere:?}");
    let tree = world.run("get shop").await;
    assert_eq!((tree.code, tree.err.as_str()), (0, ""));
    for part in [
        "✗ RolledBack: Revision 4",
        "ImagePullBackOff",
        "revision 3 shop:v3 @0a1b2c3",
        "└─ http://www.shop.example.com",
    ] {
        assert!(tree.out.contains(part), "{part}: {}", tree.out);
    }
    let mut ascii = world.command("get shop");
    ascii.env("LC_ALL", "C");
    assert!(run(ascii).await.out.contains("x RolledBack"));
}

#[tokio::test]
async fn what_does_not_exist_or_may_not_be_read_is_said() {
    let Some(world) = World::new("missing").await else {
        return;
    };
    for command in [
        "get other",
        "status other",
        "history other",
        "retry other",
        "accept-database other",
        "migration mark-applied other k",
    ] {
        let ended = world.run(command).await;
        assert_eq!(ended.code, 3, "{command}: {ended:?}");
        let sentence = format!(
            "error: Environment 'other' does not exist in namespace '{}'",
            world.namespace
        );
        assert!(ended.err.contains(&sentence), "{command}: {ended:?}");
    }
    world.make("rolled-back").await;
    let nothing = world.kubeconfig_of("nobody", json!([])).await;
    let mut command = world.command("get shop");
    let ended = run({
        command.env("KUBECONFIG", nothing);
        command
    })
    .await;
    assert_eq!(ended.code, 3);
    assert!(
        ended.err.contains("the apiserver does not allow it"),
        "{ended:?}"
    );
    let rules =
        json!([{"apiGroups": ["towpath.dev"], "resources": ["environments"], "verbs": ["get"]}]);
    let little = world.kubeconfig_of("reader", rules).await;
    let mut command = world.command("get shop");
    let ended = run({
        command.env("KUBECONFIG", little);
        command
    })
    .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("✗ RolledOut"), "{ended:?}");
    assert!(
        ended.out.contains("Not shown: Pods: pods is forbidden"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_silent_apiserver_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let text = "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}], \
        clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: k, user: u}}]}";
    std::fs::write(&path, text).unwrap();
    let plan = concat!("plan -f ", env!("CARGO_MANIFEST_DIR"), "/examples/shop");
    for arguments in ["get", "status shop", "retry shop", plan] {
        let mut command = towpath(arguments);
        command.env("KUBECONFIG", &path);
        let ended = run(command).await;
        assert_eq!(ended.code, 3, "{arguments}: {ended:?}");
        assert!(
            ended
                .err
                .contains("error: the apiserver at http://127.0.0.1:1/ does not answer"),
            "{ended:?}"
        );
        let told = ended.err.contains("--offline plans without a cluster");
        assert_eq!(told, arguments == plan, "{ended:?}");
    }
    let ended = run(towpath("get --kubeconfig /nowhere")).await;
    assert_eq!(ended.code, 3, "{ended:?}");
}

#[tokio::test]
async fn status_ends_by_what_becomes_of_the_present_generation() {
    let Some(world) = World::new("status").await else {
        return;
    };
    world.make("new").await;
    world.app().await;
    let late = world.run("status shop --timeout 1").await;
    assert_eq!(late.code, 2, "{late:?}");
    assert_eq!(late.out, "… The controller has not seen generation 1 yet\n");
    assert!(
        late.err
            .contains("Not ready after 1 s. It stands at: The controller has not seen"),
        "{late:?}"
    );

    world
        .say(world.present(("True", "Ready"), false).await)
        .await;
    let ready = world.run("status shop --timeout 0").await;
    assert_eq!(
        (ready.code, ready.out.as_str()),
        (0, "✓ Ready: a sentence\n"),
        "{ready:?}"
    );

    World::edit(
        &world.apps(),
        json!({"components": [{"name": "web", "role": "Web", "port": 81}]}),
    )
    .await;
    let behind = world.run("status shop --timeout 1").await;
    assert_eq!(behind.code, 2, "an edited App is waited for: {behind:?}");

    world
        .say(world.present(("False", "RolledBack"), true).await)
        .await;
    let stalled = world.run("status shop").await;
    assert_eq!(
        (stalled.code, stalled.err.as_str()),
        (1, "RolledBack: a sentence\n")
    );

    // An edit makes all of that old; what is said of the new generation ends the wait.
    World::edit(
        &world.environments(),
        json!({"release": {"image": "registry.example.com/shop:v2"}}),
    )
    .await;
    let mut waiting = Follow::start(world.command("status shop --timeout 600"));
    waiting.until("generation 2").await;
    world
        .say(world.present(("False", "RollingOut"), false).await)
        .await;
    waiting.until("RollingOut").await;
    world
        .say(world.present(("True", "Ready"), false).await)
        .await;
    let (code, lines) = waiting.end().await;
    assert_eq!(code, Some(0), "{lines:?}");
    let expected = [
        "… The controller has not seen generation 2 yet",
        "… RollingOut: a sentence",
        "✓ Ready: a sentence",
    ];
    assert_eq!(lines, expected);

    World::edit(&world.environments(), json!({"suspend": true})).await;
    let mut waiting = Follow::start(world.command("status shop --timeout 600"));
    waiting.until("generation 3").await;
    world
        .environments()
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    let (code, lines) = waiting.end().await;
    assert_eq!(code, Some(3), "{lines:?}");
}

/// A command that runs on, and what it has written so far.
struct Follow {
    child: Child,
    lines: UnboundedReceiver<String>,
    seen: Vec<String>,
}

impl Follow {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut written = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = written.next() {
                let _ = send.send(line);
            }
        });
        let seen = Vec::new();
        Self { child, lines, seen }
    }

    /// Waits until it writes a line with this in it.
    async fn until(&mut self, part: &str) {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                self.seen.push(line);
                if self.seen.last().is_some_and(|line| line.contains(part)) {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(Duration::from_secs(120), found).await;
        assert_eq!(found, Ok(true), "no {part:?} in {:?}", self.seen);
    }

    /// How it ends, and all that it has written.
    async fn end(mut self) -> (Option<i32>, Vec<String>) {
        while let Some(line) = self.lines.recv().await {
            self.seen.push(line);
        }
        let ended = tokio::task::spawn_blocking(move || self.child.wait()).await;
        (ended.unwrap().unwrap().code(), self.seen)
    }
}

#[tokio::test]
async fn a_persons_word_is_an_annotation_for_this_object_alone() {
    let Some(world) = World::new("words").await else {
        return;
    };
    world.make("rolling-out").await;
    let uid = world.environment().await.uid().unwrap();
    let refused = world.run("retry shop").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("revision 2 is on its way"),
        "{refused:?}"
    );
    let refused = world.run("accept-database shop").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let refused = world.run("migration mark-applied shop 0004").await;
    assert!(refused.err.contains("must have a database"), "{refused:?}");
    assert!(world.environment().await.annotations().is_empty());

    let path = format!(
        "/apis/apps/v1/namespaces/{}/controllerrevisions/shop-2",
        world.namespace
    );
    world
        .send(
            "PATCH",
            &path,
            &json!({"metadata": {"annotations": {"towpath.dev/given-up": "Crashed"}}}),
        )
        .await;
    let retried = world.run("retry shop").await;
    assert_eq!(retried.code, 0, "{retried:?}");
    assert!(
        retried
            .out
            .starts_with("Revision 2 (shop:v2) was given up: Crashed.\n"),
        "{retried:?}"
    );
    let annotations = world.environment().await.annotations().clone();
    assert!(
        annotations[labels::RETRY].starts_with(&format!("{uid}.")),
        "{annotations:?}"
    );

    let database = json!({"provider": "External", "external": {"secretRef": {"name": "db"}}});
    World::edit(&world.environments(), json!({"database": database})).await;
    let marked = world.run("migration mark-applied shop sha256:0a.1").await;
    assert_eq!(marked.code, 0, "{marked:?}");
    assert!(
        marked
            .out
            .contains("stays held until: kubectl towpath retry shop"),
        "{marked:?}"
    );
    let annotations = world.environment().await.annotations().clone();
    let token: Vec<&str> = annotations[labels::MARK_APPLIED].splitn(3, '.').collect();
    assert_eq!((token[0], token[2]), (uid.as_str(), "sha256:0a.1"));

    let condition = json!({"type": "DatabaseReady", "status": "False", "reason": "DatabaseChanged",
        "message": "The database is another one than before", "lastTransitionTime": "2026-11-21T12:00:00Z"});
    world.say(json!({"conditions": [condition]})).await;
    let accepted = world.run("accept-database shop").await;
    assert_eq!(accepted.code, 0, "{accepted:?}");
    let annotations = world.environment().await.annotations().clone();
    assert!(
        annotations[labels::ACCEPT_DATABASE].starts_with(&format!("{uid}.")),
        "{annotations:?}"
    );
}

#[tokio::test]
async fn history_lists_what_is_kept() {
    let Some(world) = World::new("history").await else {
        return;
    };
    world.make("rolled-back").await;
    let ended = world.run("history shop").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(
        lines[1].starts_with("✗ 4") && lines[1].contains("given up: DeadlineExceeded"),
        "{ended:?}"
    );
    assert!(
        lines[2].starts_with("✓ 3") && lines[2].ends_with("serves"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_watch_on_a_pipe_appends_what_changes_and_ends_on_ctrl_c() {
    let Some(world) = World::new("watch").await else {
        return;
    };
    world.make("rolling-out").await;
    let mut watching = Follow::start(world.command("get shop --watch"));
    watching.until("… shop-web-a-new").await;
    let path = format!(
        "/api/v1/namespaces/{}/pods/shop-web-a-new/status",
        world.namespace
    );
    world
        .send(
            "PATCH",
            &path,
            &json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        )
        .await;
    watching.until("✓ shop-web-a-new").await;
    Command::new("kill")
        .args(["-INT", &watching.child.id().to_string()])
        .status()
        .unwrap();
    let (code, lines) = watching.end().await;
    assert_eq!(code, Some(0), "{lines:?}");
}

#[tokio::test]
async fn previews_are_shown_by_name_and_when_they_are_followed() {
    let Some(world) = World::new("previews").await else {
        return;
    };
    let path = format!(
        "/apis/towpath.dev/v1alpha1/namespaces/{}/previews",
        world.namespace
    );
    let preview = json!({
        "apiVersion": "towpath.dev/v1alpha1", "kind": "Preview", "metadata": {"name": "shop-pr-7"},
        "spec": {"appRef": {"name": "shop"}, "pullRequest": {"number": 7}, "release": {"image": "shop:1"}},
    });
    let says = |reason: &str, message: &str| {
        let ready = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        json!({"status": {"conditions": [ready]}})
    };
    let status = format!("{path}/shop-pr-7/status");
    world.send("POST", &path, &preview).await;
    let queued = says("Queued", "Place 1 in the queue");
    world.send("PATCH", &status, &queued).await;
    let one = world.run("get shop-pr-7").await;
    assert_eq!((one.code, one.err.as_str()), (0, ""), "{one:?}");
    assert!(one.out.starts_with("Previews of shop\n"), "{}", one.out);
    assert!(one.out.contains("Place 1 in the queue"), "{}", one.out);
    let missing = world.run("get shop-pr-8").await;
    assert!(
        missing.err.contains("'shop-pr-8' does not exist"),
        "{missing:?}"
    );
    for (arguments, reason) in [
        ("get --watch", "Deploying"),
        ("get shop-pr-7 -w", "Expired"),
    ] {
        let mut watching = Follow::start(world.command(arguments));
        watching.until("#7").await;
        world
            .send("PATCH", &status, &says(reason, "as it says"))
            .await;
        watching.until(reason).await;
        Command::new("kill")
            .args(["-INT", &watching.child.id().to_string()])
            .status()
            .unwrap();
        let (code, lines) = watching.end().await;
        assert_eq!(code, Some(0), "{lines:?}");
    }
}

#[tokio::test]
async fn offline_commands_need_no_cluster() {
    let version = run(towpath("version")).await;
    assert_eq!(
        (version.code, version.out),
        (0, format!("towpath {}\n", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(run(towpath("no-such-command")).await.code, 64);
    assert_eq!(run(towpath("status")).await.code, 64);
    assert_eq!(run(towpath("--help")).await.code, 0);

    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kubectl-towpath");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_towpath"), &link).unwrap();
    let mut plugin = Command::new(&link);
    plugin.args(["get", "--help"]);
    assert!(run(plugin).await.out.contains("Usage: kubectl towpath get"));

    let crds = folder.path().join("crds");
    let mut write = towpath("crds --directory");
    write.arg(&crds);
    assert_eq!(run(write).await.code, 0);
    assert!(crds.join("environments.towpath.dev.yaml").exists());
    let mut closed = towpath("crds");
    let child = closed
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map(|mut child| {
            drop(child.stdout.take());
            child
        });
    let ended = child.unwrap().wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), ended.stderr.as_slice()),
        (Some(0), &b""[..]),
        "nobody listens"
    );

    let lint = async |text: &[u8]| {
        let path = folder.path().join("lint.yaml");
        std::fs::write(&path, text).unwrap();
        let mut command = towpath("lint -f");
        command.arg(&path);
        run(command).await
    };
    let good = b"{apiVersion: towpath.dev/v1alpha1, kind: Environment, metadata: {name: a}, spec: {appRef: {name: a}, release: {image: 'a:1'}}}";
    assert_eq!(lint(good).await.code, 0);
    let bad = lint(&good[..good.len() - 7]).await;
    assert_eq!(bad.code, 2, "{bad:?}");
    let mut wrong = String::from_utf8(good.to_vec())
        .unwrap()
        .replace("appRef", "appref")
        .into_bytes();
    let found = lint(&wrong).await;
    assert_eq!(found.code, 1);
    assert!(
        found.out.contains(
            "lint.yaml:1: Environment a: spec.appref: must be a known field; did you mean appRef?"
        ),
        "{found:?}"
    );
    wrong[0] = 0xff;
    assert_eq!(lint(&wrong).await.code, 2);
    assert_eq!(lint(b"\x00\x01\x02").await.code, 2);
    let folder_of_both = run({
        let mut command = towpath("lint -f");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop"));
        command
    });
    let ended = folder_of_both.await;
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
}

/// The exit code and the words of a plan without a cluster.
#[tokio::test]
async fn a_plan_needs_no_cluster_and_begins_with_what_lint_says() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |arguments: &str| {
        let mut command = towpath(arguments);
        command.env_remove("KUBECONFIG").env("HOME", folder.path());
        command
    };
    let example = concat!("plan -f ", env!("CARGO_MANIFEST_DIR"), "/examples/shop");
    let mut offline = plan(example);
    offline.arg("--offline");
    let offline = run(offline).await;
    assert_eq!(offline.code, 0, "{offline:?}");
    assert_eq!(
        offline.err,
        "Namespace shop-staging is not part of the plan\n"
    );
    for part in [
        "Now           there is nothing yet",
        "create Job shop-migrate-1",
        "create Deployment shop-web-a: 2 pods start",
        "then revision 1 serves",
    ] {
        assert!(offline.out.contains(part), "{part}: {}", offline.out);
    }
    let unknown = run(plan(example)).await;
    assert_eq!((unknown.code, &unknown.out), (0, &offline.out));
    assert!(unknown.err.contains("No cluster is known"), "{unknown:?}");

    let path = folder.path().join("wrong.yaml");
    std::fs::write(&path, "{apiVersion: towpath.dev/v1alpha1, kind: Environment, metadata: {name: a}, spec: {appref: {name: a}}}").unwrap();
    let mut refused = plan("plan --offline -f");
    refused.arg(&path);
    let refused = run(refused).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("did you mean appRef?"), "{refused:?}");
    assert!(!refused.out.contains("What would happen"), "{refused:?}");
    let mut simulated = plan("simulate -f");
    let image = "198.18.0.1:5000/shop:v2";
    simulated.args([
        concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop"),
        "--release",
        image,
        "--failing-migration",
    ]);
    let simulated = run(simulated).await;
    assert_eq!(simulated.code, 0, "{simulated:?}");
    for part in [
        "names the release",
        "status       revision 1 serves: shop:v1",
        "Migrated=False MigrationFailed",
    ] {
        assert!(simulated.out.contains(part), "{part}: {}", simulated.out);
    }
    let mut untagged = plan("simulate --release registry.example.com/shop -f");
    untagged.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop"));
    let untagged = run(untagged).await;
    assert_eq!(untagged.code, 2, "{untagged:?}");
    assert!(
        untagged.err.contains("must name a tag or a digest"),
        "{untagged:?}"
    );
    let mut missing = plan("plan --offline -f");
    missing.arg(folder.path().join("nowhere.yaml"));
    assert_eq!(run(missing).await.code, 2);
}

#[tokio::test]
async fn a_plan_goes_on_from_what_is_in_the_cluster_and_writes_nothing() {
    let Some(world) = World::new("plan").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.yaml");
    let file = |image: &str, migration_key: &str| {
        let database = "{provider: Dedicated, dedicated: {version: '15', size: 1Gi}}";
        let component = "{name: web, role: Web, port: 80, replicas: 2, health: {path: /health}}";
        format!(
            "{{apiVersion: towpath.dev/v1alpha1, kind: App, metadata: {{name: shop}}, spec: {{components: [{component}], \
             database: {{engine: Postgres}}, migration: {{component: web, command: [/shop, migrate]}}}}}}\n---\n\
             {{apiVersion: towpath.dev/v1alpha1, kind: Environment, metadata: {{name: shop}}, spec: {{appRef: {{name: shop}}, \
             release: {{image: 'registry.example.com/shop:{image}', migrationKey: {migration_key}}}, database: {database}}}}}"
        )
    };
    let verbs = json!(["get", "list"]);
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}]);
    let reader = world.kubeconfig_of("planner", rules).await;
    let plan = async |text: String| {
        std::fs::write(&path, text).unwrap();
        let mut command = world.command("plan");
        command.arg("-f").arg(&path).env("KUBECONFIG", &reader);
        run(command).await
    };
    let new = plan(file("v1", "k1")).await;
    assert_eq!(new.code, 0, "{new:?}");
    assert!(new.out.contains("there is nothing yet"), "{new:?}");
    assert!(
        new.out
            .contains("no Environment of another namespace has one of the hosts"),
        "{new:?}"
    );

    world.release(&file("v1", "k1")).await;
    let same = plan(file("v1", "k1")).await;
    assert_eq!(same.code, 0, "{same:?}");
    assert!(
        same.out.ends_with("\nNothing would change.\n"),
        "{}",
        same.out
    );
    let update = plan(file("v2", "k2")).await;
    assert_eq!(update.code, 0, "{update:?}");
    for part in [
        "Now           ✓ Ready: shop:v1 runs",
        "migration key 'k1' -> 'k2'",
        "2 pods are replaced, at most 3 at a time, never fewer than 2 available",
        "image shop:v1 -> shop:v2",
        "then revision 2 serves",
    ] {
        assert!(update.out.contains(part), "{part}: {}", update.out);
    }
    let lacking = file("v2", "k2").replace(
        "spec: {components",
        "spec: {env: [{name: KEY, secretRef: {name: stripe, key: api}}], components",
    );
    let closed = plan(lacking).await;
    assert_eq!(closed.code, 1, "{closed:?}");
    assert!(
        closed.out.contains("Secret 'stripe' must exist"),
        "{closed:?}"
    );
    assert!(world.environment().await.metadata.generation == Some(1));
}
