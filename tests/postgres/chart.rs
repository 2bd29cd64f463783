//! The first start of the server that the chart runs: killed at any moment and begun anew, its data are whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{PASSWORD, Server, own, programs, unprivileged};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/charts/towpath/resources/postgres/initialize.sh"
);
/// The programs that the script runs, in their order.
const STEPS: [&str; 7] = ["rm", "initdb", "pg_ctl", "psql", "pg_ctl", "mv", "sync"];

/// A volume, with the Secret and the scripts that the pod has.
struct Volume {
    directory: TempDir,
}

impl Volume {
    fn new() -> Self {
        let directory = TempDir::new_in("/var/tmp").expect("a directory");
        let at = directory.path();
        for (file, text) in [("admin", PASSWORD), ("provisioner", "Pr0visioner-S3cret")] {
            fs::write(at.join(file), text).expect("a password");
        }
        for folder in ["scripts", "stops", "tmp"] {
            fs::create_dir(at.join(folder)).expect("a folder");
        }
        let sql = SCRIPT.replace("initialize.sh", "provisioner.sql");
        for file in [SCRIPT, &sql] {
            let name = Path::new(file).file_name().expect("a name");
            fs::copy(file, at.join("scripts").join(name)).expect("it can be copied");
        }
        for step in STEPS {
            stop_before(&at.join("stops").join(step), step);
        }
        own(&at.join("stops"));
        own(at);
        Self { directory }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// The container that makes the data; all of its processes end with it. It stands still before its n-th program.
    fn container(&self, stops_at: Option<usize>) -> Child {
        let mut path = format!("{}:/usr/bin:/bin", programs().display());
        if let Some(step) = stops_at {
            path = format!("{}:{path}", self.path("stops").display());
            fs::write(self.path("tmp/steps"), step.to_string()).expect("a number");
            own(&self.path("tmp"));
        }
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount", "--"]);
        command.args(["sh", "-c", "mount --bind \"$0\" /tmp && exec \"$@\""]);
        command.arg(self.path("tmp"));
        let (user, group) =
            unprivileged().expect("this test must run as root: it makes containers");
        command.args([
            "setpriv",
            &format!("--reuid={user}"),
            &format!("--regid={group}"),
        ]);
        command.args(["--clear-groups", "--pdeathsig=KILL", "sh"]);
        command
            .arg(self.path("scripts/initialize.sh"))
            .env_clear()
            .env("PATH", path)
            .env("PGDATA", self.path("data"))
            .env("CREDENTIALS", self.directory.path())
            .current_dir("/")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("unshare runs")
    }
}

impl Volume {
    /// Runs the container to its end.
    fn initialize(&self) -> Output {
        let ended = self.container(None).wait_with_output();
        ended.expect("it can be waited for")
    }

    fn initialized(&self) {
        let ended = self.initialize();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
    }

    /// Kills the container before its n-th program.
    fn killed_before(&self, step: usize) {
        let container = self.container(Some(step));
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.path("tmp/stopped").exists() {
            assert!(Instant::now() < deadline, "it gets to program {step}");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill(container);
    }

    /// Nothing but the data is there, with the role that makes databases.
    fn is_whole(&self, case: &str) {
        assert!(!self.path("data.new").exists(), "{case}");
        let (user, group) = unprivileged().expect("root");
        let mut alone = Command::new("setpriv");
        alone
            .args([&format!("--reuid={user}"), &format!("--regid={group}")])
            .args(["--clear-groups", "sh", "-c"])
            .arg("echo \"$0\" | postgres --single -D \"$PGDATA\" postgres")
            .arg("SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_authid WHERE oid >= 16384")
            .env("PATH", format!("{}:/usr/bin:/bin", programs().display()))
            .env("PGDATA", self.path("data"));
        let told = alone.output().expect("it runs");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        for word in [
            "rolname = \"towpath\"",
            "rolsuper = \"f\"",
            "rolcreatedb = \"t\"",
            "rolcreaterole = \"t\"",
        ] {
            assert!(told.contains(word), "{case}: {told}");
        }
    }
}

fn kill(mut container: Child) {
    container.kill().expect("it can be killed");
    // Its output ends when all of its processes have.
    container.wait_with_output().expect("it ends");
}

/// A program that lets so many programs of the script run, and stands still then.
fn stop_before(path: &Path, program: &str) {
    let script = format!(
        "#!/bin/sh\nleft=$(cat /tmp/steps)\n\
         if [ \"$left\" = 0 ]; then touch /tmp/stopped; exec sleep 600; fi\n\
         echo $((left - 1)) >/tmp/steps\nPATH=${{PATH#*:}}\nexec {program} \"$@\"\n"
    );
    fs::write(path, script).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be run");
}

#[test]
fn a_first_start_can_be_killed_at_any_moment_and_begun_anew() {
    for (step, program) in STEPS.iter().enumerate() {
        let volume = Volume::new();
        volume.killed_before(step);
        volume.initialized();
        volume.is_whole(&format!("killed before {program}"));
    }
    for milliseconds in [100, 400] {
        let volume = Volume::new();
        let container = volume.container(None);
        std::thread::sleep(Duration::from_millis(milliseconds));
        kill(container);
        volume.initialized();
        volume.is_whole(&format!("killed after {milliseconds} ms"));
    }
}

#[tokio::test]
async fn the_server_takes_the_passwords_of_the_secret() {
    let volume = Volume::new();
    fs::create_dir(volume.path("data")).expect("an empty folder is in the way");
    own(volume.directory.path());
    volume.initialized();
    let server = Server::start_in(volume.directory).await;
    for (user, password) in [("postgres", PASSWORD), ("towpath", "Pr0visioner-S3cret")] {
        let login = server.connect(user, password, "postgres").await;
        login.expect("it may log in");
        let wrong = server.connect(user, "wrong", "postgres").await;
        assert!(wrong.is_err(), "{user}");
    }
}

#[test]
fn data_that_are_there_are_not_touched() {
    let volume = Volume::new();
    volume.initialized();
    fs::remove_file(volume.path("data/postmaster.opts")).expect("the server makes it anew");
    fs::remove_file(volume.path("scripts/provisioner.sql")).expect("nobody reads it any more");
    volume.initialized();
    assert!(!volume.path("data/postmaster.opts").exists());

    let volume = Volume::new();
    fs::create_dir(volume.path("data")).expect("a folder");
    fs::write(volume.path("data/somebodys"), "").expect("a file");
    own(volume.directory.path());
    let refused = volume.initialize();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains("must be empty, or hold a database"), "{said}");
    assert!(volume.path("data/somebodys").exists());
}
