//! A disk of its own for a server, so that it can be full, and what is said of a copy for which it is.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use towpath::postgres::{Access, Databases, Failure, Servers};

use crate::provision::assert_provided;
use crate::server::Server;
use crate::shared::{from_template, golden, left, provisioner};

const MIB: u64 = 1 << 20;
const UID: &str = "0b51e9b2-5d6c-4c0e-9f0a-3f6e0c2b7a11";

/// A small file system in memory. It goes when it is dropped, also when the test panics.
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    pub fn mount(path: &Path, bytes: u64) -> Self {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={bytes},mode=0700"))
            .arg("tmpfs")
            .arg(path)
            .output()
            .expect("mount runs");
        assert!(
            mounted.status.success(),
            "this test must mount a tmpfs, as root in a machine or container that may mount: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        let path = path.to_owned();
        Self { path }
    }

    /// How many bytes fit.
    fn room(&self) -> u64 {
        let asked = Command::new("df")
            .args(["--output=avail", "--block-size=1"])
            .arg(&self.path)
            .output()
            .expect("df runs");
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let number = text.lines().last().map(str::trim);
        number
            .and_then(|number| number.parse().ok())
            .expect("df says a number")
    }

    /// Fills it, so that this many bytes fit.
    fn fill(&self, room: u64) {
        let mut file = File::create(self.filler()).expect("a file");
        let zeros = vec![0; usize::try_from(MIB).expect("few")];
        while self.room() > room + MIB {
            file.write_all(&zeros).expect("it fits");
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// The folders of databases.
    fn folders(&self) -> usize {
        let folders = std::fs::read_dir(self.path.join("base"));
        folders.expect("folders").count()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever was killed may still have files open.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(&self.path)
            .status();
    }
}

/// A server with a golden database of this size, and room for half of it.
async fn crowded(size: u64) -> (Server, Access) {
    let server = Server::start_on_disk(size * 3 + 64 * MIB).await;
    let admin = provisioner(&server).await;
    golden(&server, size).await;
    let superuser = server.superuser("postgres").await;
    superuser
        .batch_execute("CHECKPOINT")
        .await
        .expect("all is written");
    server.disk().fill(size / 2);
    (server, admin)
}

/// It is refused with this word, twice, and no connection is lost.
async fn does_not_fit(server: &Server, admin: &Access, word: &str) {
    let held = server.superuser("postgres").await;
    for _ in 0..2 {
        match Servers.provide(admin, &from_template(UID)).await {
            Err(Failure::Refused(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(left(server).await.len(), 2, "roles, and no database");
    }
    let alive = held.batch_execute("SELECT 1").await;
    alive.expect("the server lives");
}

/// With room it is copied, the whole of it.
async fn fits(server: &Server, admin: &Access, size: u64) {
    server.disk().empty();
    let want = from_template(UID);
    let identity = Servers.provide(admin, &want).await.expect("provided");
    assert_provided(server, &want, &identity).await;
    let copied = server.superuser(want.database.as_str()).await;
    let sum = "SELECT sum(length(name))::bigint FROM goods";
    let copied: i64 = copied.query_one(sum, &[]).await.expect("a sum").get(0);
    assert!(u64::try_from(copied).expect("a size") > size);
}

#[tokio::test]
async fn a_template_that_does_not_fit_is_copied_by_files_once_it_does() {
    let size = 80 * MIB;
    let (server, admin) = crowded(size).await;
    let (folders, room) = (server.disk().folders(), server.disk().room());
    does_not_fit(&server, &admin, "has no room left (53100)").await;
    assert!(server.log().contains("STRATEGY file_copy"));
    assert_eq!(server.disk().folders(), folders, "no half copy");
    assert!(server.disk().room() + MIB > room, "what was copied is gone");
    fits(&server, &admin, size).await;
}

/// The server leaves what it had copied where it is, in a folder that is no database's.
#[tokio::test]
async fn a_template_that_does_not_fit_is_copied_through_the_log_once_it_does() {
    let size = 32 * MIB;
    let (server, admin) = crowded(size).await;
    let folders = server.disk().folders();
    // First the server stumbles in clearing up; then nothing is left that could be filled.
    does_not_fit(&server, &admin, "room").await;
    assert!(server.log().contains("STRATEGY wal_log"));
    assert_eq!(server.disk().folders(), folders + 1, "not one each time");
    fits(&server, &admin, size).await;
}
