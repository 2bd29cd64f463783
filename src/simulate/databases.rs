//! The database servers of the simulated cluster: those that are made there, whose data lives on their volume, and those that
//! exist elsewhere.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;

use super::actors::is_ready;
use super::script::{Migrates, Script};
use super::store::Store;
use crate::api::labels;
use crate::build::names;
use crate::postgres::{Access, Answer, Entry, Failure, Identity, Question, SeenDatabase};

/// One server with one database.
#[derive(Clone, Debug)]
pub struct Server {
    /// Who it is.
    pub identity: Identity,
    /// Whether its roles are made.
    pub roles: bool,
    /// Its record.
    pub record: Vec<Entry>,
}

/// Every server.
#[derive(Clone, Debug, Default)]
pub struct Servers {
    /// By the uid of the volume, or by address.
    servers: BTreeMap<String, Server>,
    /// Whether nobody gets an answer.
    pub silent: bool,
    /// Why everybody is refused.
    pub refuses: Option<String>,
    /// Statements that run on without their client: the Job's name, and until when.
    lingering: Vec<(String, Timestamp)>,
}

impl Servers {
    /// A server that exists elsewhere; one that is there already is replaced.
    pub fn put(&mut self, address: &str, oid: u32) {
        let server = fresh(address, oid, true);
        self.servers.insert(address.to_owned(), server);
    }

    /// A server that is there already: `at` is the uid of its volume, or its address.
    pub fn restore(&mut self, at: &str, identity: Identity, record: Vec<Entry>) {
        let server = Server {
            identity,
            roles: true,
            record,
        };
        self.servers.insert(at.to_owned(), server);
    }

    /// Whether a server is there.
    #[must_use]
    pub fn has(&self, at: &str) -> bool {
        self.servers.contains_key(at)
    }

    /// The record of the only server there is, or of the first.
    pub fn record(&mut self) -> Option<&mut Vec<Entry>> {
        self.servers
            .values_mut()
            .next()
            .map(|server| &mut server.record)
    }

    /// Every server.
    pub fn all(&self) -> impl Iterator<Item = &Server> {
        self.servers.values()
    }

    /// Forgets everything that a dedicated server holds, as a lost volume does.
    pub fn lose(&mut self) {
        for server in self.servers.values_mut() {
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
        match self.server(store, at) {
            Err(silence) => Answer::Silent(silence),
            Ok(server) if !server.roles && at.user() != "postgres" => {
                Answer::Refused(format!("the login of '{}' failed", at.user()))
            }
            Ok(server) => Answer::Found(SeenDatabase {
                identity: server.identity.clone(),
                record: if question.record {
                    server.record.clone()
                } else {
                    Vec::new()
                },
                backends,
                roles_ready: server.roles,
            }),
        }
    }

    /// Makes the roles.
    pub fn provide(&mut self, store: &Store, at: &Access) -> Result<(), Failure> {
        if self.silent {
            return Err(Failure::Silent("The database did not answer".to_owned()));
        }
        let server = self.server(store, at).map_err(Failure::Silent)?;
        server.roles = true;
        Ok(())
    }

    /// Writes a row into the record; the same row twice is one row.
    pub fn enter(&mut self, store: &Store, at: &Access, entry: &Entry) -> Result<(), Failure> {
        if self.silent {
            return Err(Failure::Silent("The database did not answer".to_owned()));
        }
        let server = self.server(store, at).map_err(Failure::Silent)?;
        if !server.record.contains(entry) {
            server.record.push(entry.clone());
        }
        Ok(())
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

    fn server(&mut self, store: &Store, at: &Access) -> Result<&mut Server, String> {
        let address = at.address();
        if self.servers.contains_key(&address) {
            return self.servers.get_mut(&address).ok_or(address);
        }
        let silence = || format!("Nothing answers at {address}");
        let volume = volume_behind(store, &address).ok_or_else(silence)?;
        let oid = 16384;
        Ok(self
            .servers
            .entry(volume.clone())
            .or_insert_with(|| fresh(&volume, oid, false)))
    }
}

fn fresh(server: &str, oid: u32, roles: bool) -> Server {
    Server {
        identity: Identity {
            server: server.to_owned(),
            database: "app".to_owned(),
            oid,
        },
        roles,
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
        .is_some_and(|purpose| purpose == "migration");
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
