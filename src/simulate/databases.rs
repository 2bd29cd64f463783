//! The database servers of the simulated cluster: those that are made there, whose data lives on their volume, those that exist
//! elsewhere, and shared ones.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;

use super::actors::is_ready;
use super::script::{Migrates, Script};
use super::shared::Shared;
use super::store::Store;
use crate::api::labels;
use crate::build::names;
use crate::postgres::{
    Access, Answer, Entry, Failure, Identifier, Identity, Question, SeenDatabase, Unwanted, Wanted,
};

/// Name of the first database.
const FIRST: &str = "app";

/// One database of a server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Who it is.
    pub identity: Identity,
    /// Whether its roles are made.
    pub roles: bool,
    /// The comment that it carries; where nobody knows it, it is the right one.
    pub comment: Option<String>,
    /// Its record.
    pub record: Vec<Entry>,
}

/// Every server.
#[derive(Clone, Debug, Default)]
pub struct Servers {
    /// By the uid of the volume, or by address; and by the name of the database.
    servers: BTreeMap<(String, String), Server>,
    /// The databases of shared servers.
    pub shared: Shared,
    /// Whether nobody gets an answer.
    pub silent: bool,
    /// Why everybody is refused.
    pub refuses: Option<String>,
    /// Why nobody may write.
    pub frozen: Option<String>,
    /// Statements that run on without their client: the Job's name, and until when.
    lingering: Vec<(String, Timestamp)>,
}

impl Servers {
    /// A server that exists elsewhere; one that is there already is replaced.
    pub fn put(&mut self, address: &str, oid: u32) {
        let server = fresh(address, FIRST, oid, true);
        self.servers
            .insert((address.to_owned(), FIRST.to_owned()), server);
    }

    /// A server that is there already: `at` is the uid of its volume, or its address.
    pub fn restore(&mut self, at: &str, identity: Identity, record: Vec<Entry>) {
        let server = Server {
            identity,
            roles: true,
            comment: None,
            record,
        };
        let database = server.identity.database.clone();
        self.servers.insert((at.to_owned(), database), server);
    }

    /// A database that is there already, on a shared server.
    pub fn resume(&mut self, name: &str, identity: Identity, record: Vec<Entry>) {
        self.share(name);
        if let Ok(admin) = self.admin(name) {
            let server = Server {
                identity,
                roles: true,
                comment: None,
                record,
            };
            self.shared.restore(&admin, server);
        }
    }

    /// Whether a server is there.
    #[must_use]
    pub fn has(&self, at: &str) -> bool {
        self.servers.keys().any(|(known, _)| known == at)
    }

    /// A shared server of that name.
    pub fn share(&mut self, name: &str) {
        self.shared.add(name);
    }

    /// How a shared server is reached by who may make databases.
    pub fn admin(&self, name: &str) -> Result<Access, Failure> {
        self.shared.admin(name)
    }

    /// The record of the only server there is, or of the first.
    pub fn record(&mut self) -> Option<&mut Vec<Entry>> {
        self.servers
            .values_mut()
            .chain(self.shared.all_mut())
            .next()
            .map(|server| &mut server.record)
    }

    /// Every server.
    pub fn all(&self) -> impl Iterator<Item = &Server> {
        self.servers.values().chain(self.shared.all())
    }

    /// Forgets everything that a dedicated server holds, as a lost volume does.
    pub fn lose(&mut self) {
        for server in self.servers.values_mut().chain(self.shared.all_mut()) {
            server.identity.oid += 1;
            server.roles = false;
            server.record.clear();
        }
    }

    /// Notices statements that outlive their pods.
    pub fn tick(&mut self, store: &Store, script: &Script) {
        for pod in store.pods.values().filter(|pod| is_migrating(pod)) {
            let image = pod
                .spec
                .as_ref()
                .and_then(|spec| spec.containers.first()?.image.clone());
            if let Migrates::Hangs(seconds) = script.of(&image.unwrap_or_default()).migrates {
                let until = store.now + SignedDuration::from_secs(seconds);
                self.lingering.retain(|(job, _)| *job != maker(pod));
                self.lingering.push((maker(pod), until));
            }
        }
    }

    /// Looks at a database.
    pub fn look(&mut self, store: &Store, at: &Access, question: &Question) -> Answer {
        if self.silent {
            return Answer::Silent("The database did not answer".to_owned());
        }
        if let Some(why) = &self.refuses {
            return Answer::Refused(why.clone());
        }
        let backends = self.backends(store);
        if self.shared.is_at(at) {
            return self.shared.look(at, question, backends);
        }
        let refused = || Answer::Refused(format!("the login of '{}' failed", at.user()));
        let place = match self.place(store, at) {
            Err(silence) => return Answer::Silent(silence),
            Ok(place) => place,
        };
        match self.servers.get(&place) {
            Some(server) if server.roles => {
                let mut seen = server.seen(question, backends);
                seen.others = others(&self.servers, &place, question);
                Answer::Found(seen)
            }
            _ => refused(),
        }
    }

    /// Makes the roles, and on a shared server the database.
    pub fn provide(&mut self, store: &Store, at: &Access, want: &Wanted) -> Result<(), Failure> {
        self.writable()?;
        if self.shared.is_at(at) {
            return self.shared.provide(at, want);
        }
        let mut place = self.place(store, at).map_err(Failure::Silent)?;
        place.1 = want.database.as_str().to_owned();
        let server = self.servers.entry(place).or_insert_with_key(|(at, name)| {
            let number = names::nth_of(FIRST, '_', name).unwrap_or_default();
            fresh(
                at,
                name,
                16384 + u32::try_from(number).unwrap_or_default(),
                false,
            )
        });
        server.roles = true;
        server.comment = Some(want.comment.clone());
        Ok(())
    }

    /// Drops what carries the comment.
    pub fn remove(
        &mut self,
        store: &Store,
        at: &Access,
        unwanted: &Unwanted,
    ) -> Result<(), Failure> {
        self.writable()?;
        if self.shared.is_at(at) {
            return self.shared.remove(at, unwanted);
        }
        let (volume, _) = self.place(store, at).map_err(Failure::Silent)?;
        let goes = |name: &str, server: &Server| {
            server.carries(&unwanted.comment) && is_meant(unwanted, name)
        };
        self.servers
            .retain(|(at, name), server| *at != volume || !goes(name, server));
        Ok(())
    }

    /// Writes a row into the record; the same row twice is one row.
    pub fn enter(&mut self, store: &Store, at: &Access, entry: &Entry) -> Result<(), Failure> {
        self.writable()?;
        if self.shared.is_at(at) {
            return self.shared.enter(at, entry);
        }
        let place = self.place(store, at).map_err(Failure::Silent)?;
        let missing = || Failure::Refused("the database does not exist".to_owned());
        let server = self.servers.get_mut(&place).ok_or_else(missing)?;
        if !server.record.contains(entry) {
            server.record.push(entry.clone());
        }
        Ok(())
    }

    fn writable(&self) -> Result<(), Failure> {
        match &self.frozen {
            _ if self.silent => Err(silence()),
            Some(why) => Err(Failure::Refused(why.clone())),
            None => Ok(()),
        }
    }

    fn backends(&self, store: &Store) -> Vec<String> {
        let running = store
            .pods
            .values()
            .filter(|pod| is_migrating(pod))
            .map(|pod| maker(pod));
        let lingering = self
            .lingering
            .iter()
            .filter(|(_, until)| *until > store.now);
        let mut backends: Vec<_> = running
            .chain(lingering.map(|(job, _)| job.clone()))
            .collect();
        backends.sort();
        backends.dedup();
        backends
    }

    /// Where a database is.
    fn place(&self, store: &Store, at: &Access) -> Result<(String, String), String> {
        let address = at.address();
        if let Some(elsewhere) = self.servers.keys().find(|(known, _)| *known == address) {
            return Ok(elsewhere.clone());
        }
        let silence = || format!("Nothing answers at {address}");
        let volume = volume_behind(store, &address).ok_or_else(silence)?;
        Ok((volume, at.database().to_owned()))
    }
}

/// The other databases of the same server that carry the comment which is asked for.
pub(super) fn others(
    servers: &BTreeMap<(String, String), Server>,
    place: &(String, String),
    question: &Question,
) -> Vec<Identifier> {
    let comment = question.roles.as_ref().map(|roles| &roles.comment);
    let others = servers.iter().filter(|(known, server)| {
        let carries = comment.is_some_and(|comment| server.carries(comment));
        known.0 == place.0 && known.1 != place.1 && carries
    });
    others
        .filter_map(|((_, name), _)| Identifier::new(name).ok())
        .collect()
}

/// Whether a database is one of those that shall go.
pub(super) fn is_meant(unwanted: &Unwanted, name: &str) -> bool {
    let mut only = unwanted.only.iter().flatten();
    unwanted.only.is_none() || only.any(|known| known.as_str() == name)
}

impl Server {
    /// What it tells who asks.
    pub(super) fn seen(&self, question: &Question, backends: Vec<String>) -> SeenDatabase {
        let record = if question.record {
            self.record.clone()
        } else {
            Vec::new()
        };
        let asked = question.roles.as_ref();
        let commented = asked.is_none_or(|roles| self.carries(&roles.comment));
        SeenDatabase {
            identity: self.identity.clone(),
            record,
            backends,
            others: Vec::new(),
            roles_ready: self.roles && commented,
        }
    }

    /// Whether it carries a comment.
    pub(super) fn carries(&self, comment: &str) -> bool {
        let mut known = self.comment.iter();
        known.all(|known| known == comment)
    }
}

fn silence() -> Failure {
    Failure::Silent("The database did not answer".to_owned())
}

fn fresh(server: &str, database: &str, oid: u32, roles: bool) -> Server {
    Server {
        identity: Identity {
            server: server.to_owned(),
            database: database.to_owned(),
            oid,
        },
        roles,
        comment: None,
        record: Vec::new(),
    }
}

/// The uid of the volume whose database answers behind a Service's address.
fn volume_behind(store: &Store, address: &str) -> Option<String> {
    let at = |service: &&std::sync::Arc<Service>| {
        let ip = service
            .spec
            .as_ref()
            .and_then(|spec| spec.cluster_ip.clone());
        ip.is_some_and(|ip| address.starts_with(&format!("{ip}:")))
    };
    let name = store.services.values().find(at)?.name_any();
    let pod = store.pods.get(&format!("{name}-0"))?;
    let volume = store.get::<PersistentVolumeClaim>(&name)?;
    is_ready(pod).then(|| volume.uid())?
}

fn is_migrating(pod: &Pod) -> bool {
    let migrates = pod
        .labels()
        .get(labels::PURPOSE)
        .is_some_and(|purpose| matches!(purpose.as_str(), "migration" | "seed"));
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    migrates && phase == Some("Running")
}

fn maker(pod: &Pod) -> String {
    let environment = pod
        .labels()
        .get(labels::ENVIRONMENT)
        .cloned()
        .unwrap_or_default();
    let owner = pod
        .owner_references()
        .first()
        .map(|owner| owner.name.clone());
    owner.unwrap_or_else(|| names::migration_prefix(&environment))
}
