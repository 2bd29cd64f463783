//! One run: a namespace, a controller that may die, a cluster that ticks, people who act, until nothing changes any more.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use towpath::api::{App, Environment, Preview};
use towpath::caches::{self, Caches, Kept, NameOf, Named, Place, Scope, Shelf};
use towpath::config::{ActivatorRef, Config, Git, GitProvider, PostgresServer, RegistryConfig};
use towpath::context::{Context, Failures, HashKey, Memories, Silences, Subject};
use towpath::git::webhook::Hint;
use towpath::git::{Hints, Repository};
use towpath::hints::Leading;
use towpath::lease::Held;
use towpath::managed::Managed;
use towpath::metrics::Metrics;
use towpath::reconcile;
use towpath::registry::Registry;
use towpath::seen::Seen;
use towpath::simulate::script::Script;
use towpath::simulate::{Effect, Hosted};

use crate::database::{self, Data};
use crate::host;
use crate::oracle;
use crate::scenario::{self, ACTIVATOR, Act, Scenario, When};
use crate::shown::Shown;
use crate::store::{self, Key, Kind, Target, noted, text};
use crate::ticks;
use crate::wire::{self, Mode};

/// More rounds than any run needs.
const ROUNDS: usize = 600;
/// How long no process begins after one that died, if nobody hurries.
const AWAY: SignedDuration = SignedDuration::from_secs(30);
/// Whoever waits longer than this waits for nothing in particular: the longest pause is ten minutes, and some of it may be over.
const REST: SignedDuration = SignedDuration::from_mins(8);

thread_local! {
    /// The time of the run on this thread: a run has one to itself.
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::UNIX_EPOCH) };
}

fn now() -> Timestamp {
    NOW.get()
}

/// What goes wrong, and at which request.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// At the n-th request, from 1.
    pub at: usize,
    /// What.
    pub mode: Mode,
}

/// What the parts of a run share.
pub struct Run {
    /// Its namespace.
    pub namespace: String,
    /// Told when the process is to die.
    pub died: Notify,
    /// A server that says that it wrote into the record, and did not.
    pub forgets_the_record: bool,
    fault: Option<Fault>,
    inner: Mutex<Inner>,
}

/// What changes during a run.
#[derive(Default)]
pub struct Inner {
    /// The objects.
    pub store: store::Store,
    /// The database.
    pub data: Data,
    /// What the Git host shows.
    pub shown: Shown,
    /// The repository on the Git host.
    pub hosted: Hosted,
    /// The requests since the controller was watched.
    pub requests: Vec<String>,
    counting: bool,
    /// What watches still must tell the controller of its own writes.
    untold: BTreeSet<Key>,
    broken: Vec<String>,
}

impl Run {
    /// Its changing part.
    pub fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The controller asks for something. What goes wrong with it.
    pub fn asked(&self, what: &str) -> Option<Mode> {
        let mut inner = self.locked();
        if !inner.counting {
            return None;
        }
        inner.requests.push(what.to_owned());
        let fault = self.fault.filter(|fault| fault.at == inner.requests.len());
        fault.map(|fault| fault.mode)
    }

    /// The apiserver answered the controller.
    pub fn controller_was_answered(
        &self,
        target: &Target,
        status: StatusCode,
        body: &[u8],
        lost: bool,
    ) {
        let mut inner = self.locked();
        let changed = inner.store.answered(target, status, body);
        // Own deletes, and own writes of a status, concern nobody when the watch tells of them.
        let concerns_a_preview = target.key.0 == "Environment" && {
            let environment = inner.store.get("Environment", &target.key.1);
            environment.is_some_and(|it| text(it, "/metadata/ownerReferences/0/kind") == "Preview")
        };
        let declared = matches!(target.key.0, "App" | "Environment" | "Preview");
        let silent =
            target.method == Method::DELETE || declared && target.status && !concerns_a_preview;
        inner.untold.extend(changed.filter(|_| lost || !silent));
    }
}

/// What a run came to.
pub struct Outcome {
    /// Everything that must be the same in every run.
    pub end: String,
    /// Requests of the controller, from when it was watched.
    pub requests: Vec<String>,
    /// What must never be.
    pub broken: Vec<String>,
    /// How long it took to come to rest.
    pub took: SignedDuration,
}

/// Runs a scenario, with a fault or without.
pub async fn run(
    client: &Client,
    scenario: &Scenario,
    namespace: String,
    fault: Option<Fault>,
    probes: &reqwest::Client,
) -> Outcome {
    let run = Arc::new(Run {
        namespace,
        died: Notify::new(),
        forgets_the_record: scenario.forgets_the_record,
        fault,
        inner: Mutex::default(),
    });
    let mut stage = Stage {
        client: client.clone(),
        probes: probes.clone(),
        run: run.clone(),
        process: None,
        away: None,
        script: ticks::script(scenario::digest),
        quiet: None,
    };
    stage.set_time("2026-01-01T00:00:00Z".parse().expect("a time"));
    run.locked().data.servers.put("db.example.com:5432", 4711);
    run.locked().data.servers.share("previews");
    for (kind, object) in (scenario.before)() {
        stage.make(kind, object).await;
    }
    if scenario.from_rest {
        stage.rest(VecDeque::new()).await;
    }
    run.locked().counting = true;
    let begun = now();
    let start = run.locked().store.clone();
    stage.rest((scenario.acts)().into()).await;
    run.locked().counting = false;
    let took = now().duration_since(begun);
    stage.look_once_more().await;
    stage.check_store().await;
    let inner = run.locked();
    Outcome {
        end: oracle::end(&run.namespace, &start, &inner),
        requests: inner.requests.clone(),
        broken: inner.broken.clone(),
        took,
    }
}

/// A controller's process.
struct Process {
    ctx: Arc<Context>,
    environments: UnboundedReceiver<ObjectRef<NameOf<Environment>>>,
    previews: UnboundedReceiver<ObjectRef<NameOf<Preview>>>,
    apps: UnboundedReceiver<ObjectRef<NameOf<App>>>,
    hints: Leading,
    queued: BTreeSet<Subject>,
    /// When to look although nothing happened.
    due: BTreeMap<Subject, Timestamp>,
    _watches: JoinSet<()>,
}

impl Process {
    async fn start(run: &Arc<Run>, client: &Client, probes: &reqwest::Client) -> Self {
        let metrics = Metrics::new();
        let caches = Arc::new(Caches::new(metrics.clone()));
        let scope = Scope::Namespaces(BTreeSet::from([run.namespace.clone()]));
        let mut watches = caches::watch(&caches, client, &scope);
        let has_activator = run.locked().store.get("EndpointSlice", ACTIVATOR).is_some();
        if has_activator {
            watches.spawn(caches::watch_activator(
                &caches,
                client.clone(),
                &run.namespace,
                ACTIVATOR,
            ));
        }
        let ready = tokio::time::timeout(Duration::from_secs(60), caches.ready()).await;
        ready.expect("the caches are synced");
        let mut config = Config {
            cluster_id: Some("test".to_owned()),
            activator: has_activator.then(|| ActivatorRef {
                service: ACTIVATOR.to_owned(),
            }),
            ..Config::default()
        };
        let server = PostgresServer::for_all("previews", "previews-admin");
        config.postgres.servers.push(server);
        config.registries.push(registry());
        config.git = git();
        let reporter = Reporter {
            controller: "towpath".to_owned(),
            instance: None,
        };
        let ctx = Context {
            registry: Registry::new(&config, &BTreeMap::new()).expect("no registries"),
            namespace: run.namespace.clone(),
            config: Arc::new(config),
            client: wire::client(client.clone(), run.clone()),
            named: Named::new(client.clone(), caches.clone()),
            databases: Arc::new(database::Client { run: run.clone() }),
            git: Arc::new(host::Client { run: run.clone() }),
            probes: probes.clone(),
            // Events are told to nobody: they decide nothing.
            recorder: Recorder::new(deaf(), reporter),
            clock: now,
            hash_key: HashKey::new(b"test"),
            held: Held::always(),
            metrics,
            memories: Memories::default(),
            failures: Failures::default(),
            silences: Silences::default(),
            caches,
        };
        let ctx = Arc::new(ctx);
        let hints = Leading::default();
        hints.lead(ctx.clone());
        Self {
            environments: ctx.caches.triggers.open(),
            previews: ctx.caches.preview_triggers.open(),
            apps: ctx.caches.app_triggers.open(),
            hints,
            ctx,
            queued: BTreeSet::new(),
            due: BTreeMap::new(),
            _watches: watches,
        }
    }

    /// What to look at now, if anything.
    fn wanted(&mut self) -> Option<Subject> {
        while let Ok(object) = self.environments.try_recv() {
            self.queued.insert(subject(object));
        }
        while let Ok(object) = self.previews.try_recv() {
            self.queued.insert(subject(object));
        }
        while let Ok(object) = self.apps.try_recv() {
            self.queued.insert(subject(object));
        }
        let late = self.due.iter().filter(|(_, at)| **at <= now());
        self.queued.extend(late.map(|(subject, _)| subject.clone()));
        self.queued.pop_first()
    }

    /// One pass, as the queue of a controller runs it.
    async fn pass(&mut self, subject: &Subject) {
        match subject.0 {
            Environment::NAME => self.pass_over::<Environment>(subject).await,
            App::NAME => self.pass_over::<App>(subject).await,
            _ => self.pass_over::<Preview>(subject).await,
        }
    }

    async fn pass_over<K: Managed>(&mut self, subject: &Subject) {
        self.due.remove(subject);
        let place = &subject.1;
        let name = ObjectRef::new(&place.name).within(&place.namespace);
        if K::triggers(&self.ctx.caches).names().get(&name).is_none() {
            reconcile::forget::<K>(place, &self.ctx);
            return;
        }
        let wait = match reconcile::look::<K>(place, &self.ctx).await {
            Ok(wait) => wait,
            Err(_) => Some(self.ctx.failures.next_delay(subject)),
        };
        if let Some(wait) = wait {
            self.due.insert(subject.clone(), now() + wait);
        }
    }

    /// The next thing that a watch tells of.
    async fn told(&mut self) -> Option<Subject> {
        tokio::select! {
            told = self.environments.recv() => told.map(subject),
            told = self.previews.recv() => told.map(subject),
            told = self.apps.recv() => told.map(subject),
        }
    }
}

fn subject<K: Managed>(object: ObjectRef<NameOf<K>>) -> Subject {
    let namespace = object.namespace.unwrap_or_default();
    (K::NAME, Place::new(namespace, object.name))
}

/// The host of the pull requests: it is asked rarely, and else tells by webhooks.
fn git() -> Git {
    let text = "git: {pollSeconds: 3600, hosts: [{provider: Forgejo, url: 'http://127.0.0.1:1'}]}";
    Config::parse(text).expect("a configuration").git
}

/// A registry that has every image: what a tag begins with is what its digest is made of.
fn registry() -> RegistryConfig {
    RegistryConfig {
        prefix: "registry.example.com".to_owned(),
        endpoint: Some(crate::registry().to_owned()),
        plain_http: true,
        ca_secret: None,
        auth_secret: None,
    }
}

fn deaf() -> Client {
    let nobody = |_: Request<Body>| async {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        Ok::<_, std::convert::Infallible>(response)
    };
    Client::new(tower::service_fn(nobody), "default")
}

/// Where a run happens.
struct Stage {
    client: Client,
    probes: reqwest::Client,
    run: Arc<Run>,
    process: Option<Process>,
    /// Until when no process begins.
    away: Option<Timestamp>,
    script: Script,
    /// The version of the store for which the cluster has nothing left to do.
    quiet: Option<u64>,
}

impl Stage {
    /// Lets everybody act until nobody does any more.
    async fn rest(&mut self, mut acts: VecDeque<(When, Act)>) {
        for _ in 0..ROUNDS {
            if self.look().await || self.act(&mut acts).await || self.tick().await {
                continue;
            }
            let due = self.process.iter().flat_map(|process| process.due.values());
            let due: Vec<Timestamp> = due.copied().collect();
            let next = due.into_iter().chain(self.away).chain(self.cluster()).min();
            match next.filter(|next| *next < now() + REST) {
                Some(next) => self.set_time(whole(next)),
                None if self.act_at_rest(&mut acts).await => {}
                None => {
                    assert!(acts.is_empty(), "somebody still waits to act");
                    return;
                }
            }
        }
        let requests = self.run.locked().requests.clone();
        panic!("it never comes to rest: {requests:#?}");
    }

    fn set_time(&self, now: Timestamp) {
        NOW.set(now);
        self.run.locked().store.seen.now = now;
    }

    /// When the cluster does something next.
    fn cluster(&mut self) -> Option<Timestamp> {
        let seen = &mut self.run.locked().store.seen;
        if self.quiet == Some(seen.version) {
            return None;
        }
        let next = ticks::next(seen, &self.script);
        if next.is_none() {
            self.quiet = Some(seen.version);
        }
        next
    }

    /// Runs a pass if one is due, in a process that lives.
    async fn look(&mut self) -> bool {
        if self.away.is_some_and(|until| until > now()) {
            return false;
        }
        self.away = None;
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(&self.run, &self.client, &self.probes).await),
        };
        let Some(subject) = process.wanted() else {
            return false;
        };
        let died = tokio::select! {
            biased;
            () = self.run.died.notified() => true,
            () = process.pass(&subject) => false,
        };
        if died {
            self.die();
        } else {
            self.hear_of_own_writes().await;
        }
        true
    }

    /// The process is gone, with everything it knew.
    fn die(&mut self) {
        self.process = None;
        self.run.locked().untold.clear();
        let long = |fault: Fault| fault.mode == Mode::DieLong;
        if self.run.fault.is_some_and(long) {
            self.away = Some(now() + AWAY);
        }
    }

    /// Watches tell of own writes a moment later, and each time somebody looks.
    async fn hear_of_own_writes(&mut self) {
        let untold = std::mem::take(&mut self.run.locked().untold);
        let Some(process) = &mut self.process else {
            return;
        };
        for _ in &untold {
            let told = tokio::time::timeout(Duration::from_millis(500), process.told());
            if let Ok(Some(subject)) = told.await {
                process.queued.insert(subject);
            }
        }
    }

    /// Lets the next person act, if it is time.
    async fn act(&mut self, acts: &mut VecDeque<(When, Act)>) -> bool {
        let due = acts.front().is_some_and(|(when, _)| {
            let inner = self.run.locked();
            match when {
                When::Now => true,
                When::Asleep(..) => false,
                When::Exists(kind, name) => inner.store.get(kind, name).is_some(),
                When::Ready(kind, name) => inner
                    .store
                    .get(kind, name)
                    .is_some_and(|object| says(object, "status", "True")),
            }
        });
        let act = acts.pop_front_if(|_| due);
        self.do_next(act).await
    }

    /// Lets the next person act, if that is who waits until something sleeps and nobody else does anything.
    async fn act_at_rest(&mut self, acts: &mut VecDeque<(When, Act)>) -> bool {
        let due = acts.front().is_some_and(|(when, _)| {
            let When::Asleep(kind, name) = when else {
                return false;
            };
            let inner = self.run.locked();
            (inner.store.get(kind, name)).is_some_and(|object| says(object, "reason", "Asleep"))
        });
        let act = acts.pop_front_if(|_| due);
        self.do_next(act).await
    }

    async fn do_next(&mut self, act: Option<(When, Act)>) -> bool {
        let Some((_, act)) = act else {
            return false;
        };
        match act {
            Act::Wait(time) => self.set_time(now() + time),
            Act::Ask(lease) => {
                let renewed = json!({"spec": {"renewTime": format!("{:.6}", now())}});
                self.change("Lease", lease, renewed).await;
            }
            Act::Make(kind, object) => self.make(kind, object).await,
            Act::Delete(kind, name) => {
                self.send(ticks::delete(kind, name, json!({}))).await;
            }
            Act::Host(happens) => self.at_host(happens),
            Act::Change(kind, name, patch) => self.change(kind, name, patch).await,
        }
        true
    }

    async fn change(&self, kind: &str, name: &str, patch: Value) {
        let change = ticks::Request {
            method: Method::PATCH,
            kind: Kind::of(kind),
            rest: format!("/{name}"),
            body: patch,
        };
        self.send(change).await;
    }

    /// Something happens to the pull request, and the host sends a webhook to whoever hears it.
    fn at_host(&self, happens: fn(&mut Hosted)) {
        happens(&mut self.run.locked().hosted);
        let repository = Repository::parse(GitProvider::Forgejo, "acme/shop");
        let hint = Hint {
            host: "forgejo".to_owned(),
            provider: GitProvider::Forgejo,
            repository: repository.expect("a name"),
            number: 7,
        };
        if let Some(process) = &self.process {
            assert!(process.hints.take(hint), "hints are taken");
        }
    }

    async fn make(&self, kind: &'static str, object: Value) {
        let kind = Kind::of(kind);
        let made = ticks::Request {
            method: Method::POST,
            kind,
            rest: String::new(),
            body: kind.typed(object),
        };
        self.send(made).await;
    }

    /// Lets the cluster do what it can do now.
    async fn tick(&mut self) -> bool {
        let effects = ticks::possible(&self.run.locked().store.seen, &self.script);
        let mut some = false;
        for effect in effects {
            let there = |(kind, name): Key| self.run.locked().store.get(kind, &name).is_some();
            if !ticks::about(&effect).is_none_or(there) {
                continue;
            }
            self.ran(&effect);
            let request = ticks::request(&effect, &self.run.locked().store.seen);
            some |= self.send(request).await;
        }
        self.check();
        some
    }

    /// Somebody else than the controller writes; the controller's caches hear of it. Whether it was done.
    async fn send(&self, request: ticks::Request) -> bool {
        let method = request.method;
        let path = request.kind.path(&self.run.namespace) + &request.rest;
        let target = Target::of(&method, &path).expect("a path of a known kind");
        let content = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(Body::from(request.body.to_string().into_bytes()))
            .expect("a request");
        let answer = self.client.send(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect_bytes().await.expect("a whole answer");
        // The name is still taken, by what is on its way out.
        if head.status == StatusCode::CONFLICT {
            return false;
        }
        let said = String::from_utf8_lossy(&body);
        assert!(head.status.is_success(), "{target}: {said}");
        let changed = {
            let store = &mut self.run.locked().store;
            store.answered(&target, head.status, &body)
        };
        let some = changed.is_some();
        if let Some(key) = changed {
            self.told(&key).await;
        }
        some
    }

    /// Waits until the controller's caches know of an object as it is.
    async fn told(&self, key: &Key) {
        let Some(process) = &self.process else { return };
        let (uid, version, watched) = {
            let inner = self.run.locked();
            let object = inner.store.get(key.0, &key.1);
            let text_of = |pointer| object.map(|object| text(object, pointer).to_owned());
            let labelled = object.is_none_or(|object| {
                !noted(object, "/metadata/labels", "towpath.dev/environment").is_empty()
            });
            (
                text_of("/metadata/uid"),
                text_of("/metadata/resourceVersion"),
                labelled,
            )
        };
        let place = Place::new(&self.run.namespace, &key.1);
        let deadline = std::time::Instant::now() + Duration::from_secs(120);
        while std::time::Instant::now() < deadline {
            let known = cached(&process.ctx, key.0, &place, watched);
            let same = match (&known, &uid) {
                (Cached::Unwatched, _) => true,
                (Cached::Missing, None) => true,
                (Cached::Found(known_uid, known_version), Some(uid)) => {
                    known_uid == uid && (Some(known_version) == version.as_ref())
                }
                _ => false,
            };
            if same {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the watch of {key:?} tells nothing");
    }

    /// A migration ends: what it did to the data stays.
    fn ran(&self, effect: &Effect) {
        let Effect::Pod(pod, _) = effect else { return };
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        if phase != Some("Succeeded") {
            return;
        }
        let mut inner = self.run.locked();
        let job = &pod.owner_references()[0].name;
        let job = inner.store.get("Job", job).expect("a Job of the pod");
        // Each new database is filled, by a Job of its own.
        let brings = match noted(job, "/metadata/labels", "towpath.dev/purpose") {
            "seed" => text(job, "/metadata/name").to_owned(),
            _ => noted(job, "/metadata/annotations", "towpath.dev/migration-key").to_owned(),
        };
        if inner.data.schema.contains(&brings) {
            let sentence = format!("the migration '{brings}' ran again");
            inner.broken.push(sentence);
        }
        inner.data.schema.push(brings);
    }

    /// What must never be, at no moment.
    fn check(&self) {
        let mut inner = self.run.locked();
        let broken = oracle::broken(&inner.store, &inner.data);
        for sentence in broken {
            if !inner.broken.contains(&sentence) {
                inner.broken.push(sentence);
            }
        }
    }

    /// At rest a look writes nothing.
    async fn look_once_more(&mut self) {
        let before = self.run.locked().store.seen.version;
        if let Some(process) = &mut self.process {
            NOW.set(now() + REST + REST);
            let places: Vec<Subject> = process.due.keys().cloned().collect();
            for place in places {
                process.pass(&place).await;
            }
        }
        let mut inner = self.run.locked();
        if before != inner.store.seen.version {
            let sentence = format!(
                "a look at rest writes something: {:#?}",
                inner.requests.iter().rev().take(4).collect::<Vec<_>>()
            );
            inner.broken.push(sentence);
        }
    }

    /// The store is what its answers said.
    async fn check_store(&self) {
        for kind in store::KINDS {
            let request = Request::get(kind.path(&self.run.namespace)).body(Vec::new());
            let listed = self.client.request(request.expect("a request")).await;
            let listed: Value = listed.expect("a list");
            let there = store::list(&listed, "/items").iter().map(store::version);
            let there: BTreeMap<String, String> = there.collect();
            let mut inner = self.run.locked();
            let known = inner.store.versions(kind.name);
            if known != there {
                let kind = kind.name;
                let sentence = format!("{kind}: {there:?} is stored, {known:?} was answered");
                inner.broken.push(sentence);
            }
        }
    }
}

/// Whether an object's Ready says this.
fn says(object: &Value, field: &str, word: &str) -> bool {
    let conditions = store::list(object, "/status/conditions").iter();
    let mut ready = conditions.filter(|known| text(known, "/type") == "Ready");
    ready.any(|known| known[field] == word)
}

/// Kubernetes knows whole seconds only, and so does a run.
fn whole(at: Timestamp) -> Timestamp {
    let second = Timestamp::from_second(at.as_second()).expect("a time");
    if second < at {
        second + SignedDuration::from_secs(1)
    } else {
        second
    }
}

/// An object in the controller's caches.
enum Cached {
    Found(String, String),
    Missing,
    Unwatched,
}

fn cached(ctx: &Context, kind: &str, place: &Place, labelled: bool) -> Cached {
    fn of<K: Kept>(shelf: &Shelf<K>, place: &Place) -> Cached {
        shelf
            .get(place)
            .map_or(Cached::Missing, |object| found(&*object))
    }
    fn found<K: Kept>(object: &K) -> Cached {
        Cached::Found(
            object.uid().unwrap_or_default(),
            object.resource_version().unwrap_or_default(),
        )
    }
    fn named<K: Kept>(seen: Seen<Arc<K>>) -> Cached {
        match seen {
            Seen::Found(object) => found(&*object),
            Seen::Missing => Cached::Missing,
            Seen::Unknown(_) => Cached::Unwatched,
        }
    }
    let caches = &ctx.caches;
    let (namespace, name) = (&place.namespace, &place.name);
    match kind {
        "App" => of(&caches.apps, place),
        "Environment" => of(&caches.environments, place),
        "Preview" => of(&caches.previews, place),
        "EndpointSlice" => of(&caches.endpoint_slices, place),
        "Lease" => of(&caches.leases, place),
        "NetworkPolicy" => of(&caches.network_policies, place),
        "ConfigMap" if !labelled => named(ctx.named.config_map(namespace, name)),
        "Secret" if !labelled => named(ctx.named.secret(namespace, name)),
        "ControllerRevision" => of(&caches.revisions, place),
        "Deployment" => of(&caches.deployments, place),
        "StatefulSet" => of(&caches.stateful_sets, place),
        "Job" => of(&caches.jobs, place),
        "Pod" => of(&caches.pods, place),
        "Service" => of(&caches.services, place),
        "ConfigMap" => of(&caches.config_maps, place),
        "Secret" => of(&caches.secrets, place),
        "PersistentVolumeClaim" => of(&caches.volumes, place),
        "PodDisruptionBudget" => of(&caches.budgets, place),
        "Ingress" => of(&caches.ingresses, place),
        _ => Cached::Unwatched,
    }
}
