//! A real etcd and a real kube-apiserver, one for each test binary; they end with it.
#![allow(clippy::expect_used)]

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};

/// The token of a member of `system:masters`.
const TOKEN: &str = "administrator";

/// A running apiserver.
#[derive(Clone, Debug)]
pub struct Apiserver {
    /// Its address.
    pub url: String,
    /// Where it keeps its files; a kubeconfig is among them.
    pub directory: PathBuf,
}

impl Apiserver {
    /// The apiserver of this test binary, started when it is asked for first, with our CRDs in it.
    ///
    /// The binaries are those of the local cluster. Where they are missing the test fails, unless
    /// `TOWPATH_WITHOUT_APISERVER` is set: then it is `None`, and the test says that it proves nothing.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Apiserver>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cluster/bin");
        if !bin.join("kube-apiserver").exists() {
            let sentence = "there is no .cluster/bin/kube-apiserver: run `make cluster`";
            assert!(
                std::env::var_os("TOWPATH_WITHOUT_APISERVER").is_some(),
                "{sentence}"
            );
            eprintln!("SKIPPED: {sentence}");
            return None;
        }
        let (send, receive) = std::sync::mpsc::channel();
        // The processes end with the thread that started them, so that thread lives as long as this one does.
        thread::spawn(move || {
            let started = launch(&bin);
            let _ = send.send(started.map(|(server, children)| {
                std::mem::forget(children);
                server
            }));
            loop {
                thread::park();
            }
        });
        let server = receive
            .recv()
            .expect("the thread answers")
            .expect("etcd and kube-apiserver start");
        server.install_crds();
        Some(server)
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        self.client_as(None)
    }

    /// A client that is this user, or one that may do everything.
    pub fn client_as(&self, user: Option<&str>) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::new(self.url.parse().expect("a URL"));
        config.accept_invalid_certs = true;
        config.auth_info.token = Some(TOKEN.to_owned().into());
        config.auth_info.impersonate = user.map(str::to_owned);
        Client::try_from(config).expect("a client")
    }

    /// Makes a namespace of its own for a test.
    pub async fn namespace(&self, prefix: &str) -> String {
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{prefix}-"));
        let made = Api::all(self.client())
            .create(&PostParams::default(), &namespace)
            .await;
        made.expect("a namespace").name_any()
    }

    fn install_crds(&self) {
        let install = async {
            let api: Api<CustomResourceDefinition> = Api::all(self.client());
            for crd in towpath::api::crds() {
                let name = crd.name_any();
                let apply = PatchParams::apply("tests");
                let applied = api.patch(&name, &apply, &Patch::Apply(&crd)).await;
                applied.unwrap_or_else(|error| panic!("the apiserver refuses {name}: {error}"));
                let established =
                    await_condition(api.clone(), &name, conditions::is_crd_established());
                tokio::time::timeout(Duration::from_secs(120), established)
                    .await
                    .expect("established in time")
                    .expect("established");
            }
        };
        // The caller may be inside a runtime; this one needs a thread of its own.
        thread::scope(|scope| {
            let outcome = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.expect("a runtime").block_on(install);
            });
            outcome.join().expect("the CRDs are installed");
        });
    }
}

/// Starts both processes and waits until the apiserver is ready.
fn launch(bin: &Path) -> io::Result<(Apiserver, [Child; 2])> {
    let directory = directory()?;
    let [etcd_port, peer_port, port] = [free_port()?, free_port()?, free_port()?];
    let etcd_url = format!("http://127.0.0.1:{etcd_port}");
    let peer_url = format!("http://127.0.0.1:{peer_port}");
    let data = directory.join("etcd");
    let etcd = spawn(
        &directory,
        &bin.join("etcd"),
        &[
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={etcd_url}"),
            format!("--advertise-client-urls={etcd_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ],
    )?;
    let key = directory.join("service-account.key");
    run(Command::new("openssl")
        .args([
            "ecparam",
            "-name",
            "prime256v1",
            "-genkey",
            "-noout",
            "-out",
        ])
        .arg(&key))?;
    let tokens = directory.join("tokens.csv");
    fs::write(
        &tokens,
        format!("{TOKEN},administrator,administrator,system:masters\n"),
    )?;
    let server = spawn(
        &directory,
        &bin.join("kube-apiserver"),
        &[
            format!("--etcd-servers={etcd_url}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", directory.join("certificates").display()),
            "--service-cluster-ip-range=198.19.0.0/16".to_owned(),
            format!("--token-auth-file={}", tokens.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", key.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            "--authorization-mode=RBAC".to_owned(),
            // Nothing makes the ServiceAccount `default` here, and pods are made by hand.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ],
    )?;
    let started = Apiserver {
        url: format!("https://127.0.0.1:{port}"),
        directory,
    };
    started.write_kubeconfig()?;
    started.wait_until_ready(Duration::from_secs(300))?;
    Ok((started, [etcd, server]))
}

impl Apiserver {
    fn write_kubeconfig(&self) -> io::Result<()> {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: '{}', insecure-skip-tls-verify: true}}}}]\n\
             users: [{{name: test, user: {{token: {TOKEN}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n",
            self.url
        );
        fs::write(self.directory.join("kubeconfig"), text)
    }

    fn wait_until_ready(&self, most: Duration) -> io::Result<()> {
        let deadline = Instant::now() + most;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let client = self.client();
            while Instant::now() < deadline {
                let request = http::Request::get("/readyz")
                    .body(Vec::new())
                    .map_err(io::Error::other)?;
                let answer =
                    tokio::time::timeout(Duration::from_secs(10), client.request_text(request))
                        .await;
                if matches!(answer, Ok(Ok(text)) if text == "ok") {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let log = self.directory.join("kube-apiserver.log");
            Err(io::Error::other(format!(
                "not ready in {most:?}; see {}",
                log.display()
            )))
        })
    }
}

/// A directory of this process; those of processes that are gone are removed.
fn directory() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in fs::read_dir(root)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let gone = name
            .strip_prefix("apiserver-")
            .is_some_and(|process| !Path::new("/proc").join(process).exists());
        if gone {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let mine = root.join(format!("apiserver-{}", std::process::id()));
    fs::create_dir_all(&mine)?;
    Ok(mine)
}

/// Starts a process that gets SIGKILL when the thread that started it ends, and logs into a file of its name.
fn spawn(directory: &Path, program: &Path, arguments: &[String]) -> io::Result<Child> {
    let name = program
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let log = File::create(directory.join(format!("{name}.log")))?;
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
