//! A real PostgreSQL for one test, and a wire to it that breaks where it is told to.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};
use towpath::postgres::Access;

use crate::disk::Disk;

/// The superuser's password; no log may show it.
pub const PASSWORD: &str = "Sup3r-S3cret";

/// A PostgreSQL on a port of its own. It ends with the test.
pub struct Server {
    pub port: u16,
    child: Child,
    // It goes before the directory that it is mounted in.
    disk: Option<Disk>,
    directory: TempDir,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with more settings, such as `ssl=on`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::launch(settings, None).await
    }

    /// Starts with its data, but not its log of changes, on a disk of so many bytes.
    pub async fn start_on_disk(bytes: u64) -> Self {
        Self::launch(&["autovacuum=off"], Some(bytes)).await
    }

    async fn launch(settings: &[&str], disk: Option<u64>) -> Self {
        let directory = TempDir::new_in("/tmp").expect("a directory");
        let data = directory.path().join("data");
        std::fs::create_dir(&data).expect("a directory for the data");
        let disk = disk.map(|bytes| Disk::mount(&data, bytes));
        std::fs::write(directory.path().join("password"), PASSWORD)
            .expect("a file for the password");
        certificate(directory.path());
        own(directory.path());
        let mut initdb = command("initdb");
        initdb.args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
            "--auth-host=scram-sha-256",
            "--auth-local=trust",
        ]);
        initdb
            .arg("--pgdata")
            .arg(&data)
            .arg("--pwfile")
            .arg(directory.path().join("password"));
        if disk.is_some() {
            initdb.arg("--waldir").arg(directory.path().join("wal"));
        }
        let made = initdb.output().expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let server = Self::run(directory, disk, settings);
        server.until_ready().await;
        server
    }

    /// Starts with the data that are in the folder `data` of this one.
    pub async fn start_in(directory: TempDir) -> Self {
        let server = Self::run(directory, None, &[]);
        server.until_ready().await;
        server
    }

    fn run(directory: TempDir, disk: Option<Disk>, settings: &[&str]) -> Self {
        let data = directory.path().join("data");
        let port = free_port();
        let log = std::fs::File::create(directory.path().join("log")).expect("a file for the log");
        let mut postgres = command("postgres");
        postgres
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory.path())
            .args(["-p", &port.to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "log_statement=all",
            "log_connections=on",
            "log_min_messages=debug1",
        ]
        .iter()
        .chain(settings);
        settings.for_each(|setting| _ = postgres.args(["-c", setting]));
        let child = postgres
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        Self {
            port,
            child,
            disk,
            directory,
        }
    }

    async fn until_ready(&self) {
        // Two minutes: a machine that is busy starts it late.
        for _ in 0..1200 {
            if tokio_postgres::connect(&self.url("postgres", PASSWORD, "postgres"), NoTls)
                .await
                .is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Access of the superuser.
    pub fn admin(&self) -> Access {
        Access::parse(&self.url("postgres", PASSWORD, "postgres")).expect("a URL")
    }

    /// A program of this server's version, as the user who runs the server.
    pub fn program(&self, program: &str) -> Command {
        let mut command = command(program);
        command.env("PATH", format!("{}:/bin", programs().display()));
        command
    }

    /// A connection of the test's own.
    pub async fn connect(
        &self,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(user)
            .password(password)
            .dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A connection of the superuser.
    pub async fn superuser(&self, database: &str) -> Client {
        self.connect("postgres", PASSWORD, database)
            .await
            .expect("the superuser connects")
    }

    /// All that the server has logged, every statement among it.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).expect("a log")
    }

    /// The disk that its data are on.
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("it was started on a disk")
    }

    /// A wire to this server that breaks at the given statement, counted over all its connections.
    pub async fn wire(&self, breaks_at: usize, cut: Cut) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let statements = Arc::new(AtomicUsize::new(0));
        let (server, counted) = (self.port, statements.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, counted.clone(), breaks_at, cut));
            }
        });
        Wire {
            port,
            statements,
            breaks_at,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Whether the wire breaks before the server has got the statement, or before the client has got the answer.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Statement,
    Answer,
}

/// A wire that breaks.
pub struct Wire {
    pub port: u16,
    statements: Arc<AtomicUsize>,
    breaks_at: usize,
}

impl Wire {
    /// Whether it got as far as where it breaks.
    pub fn is_broken(&self) -> bool {
        self.statements.load(Ordering::SeqCst) > self.breaks_at
    }

    /// Access of the superuser over this wire.
    pub fn admin(&self) -> Access {
        Access::parse(&format!(
            "postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        ))
        .expect("a URL")
    }
}

async fn relay(
    client: TcpStream,
    server: u16,
    statements: Arc<AtomicUsize>,
    breaks_at: usize,
    cut: Cut,
) {
    let server = TcpStream::connect(("127.0.0.1", server))
        .await
        .expect("the server listens");
    let ((from_client, mut to_client), (mut from_server, to_server)) =
        (client.into_split(), server.into_split());
    let asked = async {
        // When the answer is to be lost the server must have given it: the answers are relayed until then.
        requests(from_client, to_server, &statements, breaks_at, cut).await;
    };
    let answered = async {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let lost = statements.load(Ordering::SeqCst) > breaks_at;
            if lost || to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    match cut {
        Cut::Statement => tokio::select! { () = asked => {}, () = answered => {} },
        Cut::Answer => _ = tokio::join!(asked, answered),
    }
}

/// Relays the client's messages, counting those that end a statement: Query and Sync.
async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    statements: &AtomicUsize,
    breaks_at: usize,
    cut: Cut,
) {
    let mut started = false;
    loop {
        // The first message of a connection has no kind, only a length.
        let kind = if started {
            client.read_u8().await.ok()
        } else {
            Some(0)
        };
        let (Some(kind), Ok(length)) = (kind, client.read_u32().await) else {
            return;
        };
        let mut body = vec![0; length as usize - 4];
        if client.read_exact(&mut body).await.is_err() {
            return;
        }
        let number = if matches!(kind, b'Q' | b'S') {
            statements.fetch_add(1, Ordering::SeqCst)
        } else {
            0
        };
        let breaks = number >= breaks_at && matches!(kind, b'Q' | b'S');
        if breaks && matches!(cut, Cut::Statement) {
            return;
        }
        let head = if started { vec![kind] } else { Vec::new() };
        let message = [head, length.to_be_bytes().to_vec(), body].concat();
        if server.write_all(&message).await.is_err() || breaks {
            return;
        }
        started = true;
    }
}

/// Where Debian puts a version's programs.
pub fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("postgres").exists())
        .max();
    newest.expect("these tests need a PostgreSQL of their own: apt-get install -y postgresql-15")
}

/// A program of PostgreSQL, as a user that it accepts: it refuses to run as root.
fn command(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    command.current_dir("/tmp").env_clear();
    command
}

/// The ids of the user `postgres`, if this runs as root.
pub fn unprivileged() -> Option<(u32, u32)> {
    let root = std::fs::metadata("/proc/self").expect("procfs").uid() == 0;
    let id = |option: &str| {
        let output = Command::new("id")
            .args([option, "postgres"])
            .output()
            .expect("id runs");
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .expect("the user postgres exists")
    };
    root.then(|| (id("-u"), id("-g")))
}

/// Gives a folder and what is in it to that user.
pub fn own(directory: &Path) {
    let Some((user, group)) = unprivileged() else {
        return;
    };
    let files = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    for path in files.chain([directory.to_path_buf()]) {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("it can be given away");
    }
}

/// A certificate that nobody has signed, for servers with TLS.
fn certificate(directory: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(directory)
        .output()
        .expect("openssl runs");
    assert!(
        made.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|port| port.local_addr())
        .expect("a port")
        .port()
}
