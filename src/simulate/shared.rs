//! Shared servers of the simulated cluster, with the databases that were made on them.

use std::collections::BTreeMap;

use super::databases::{Server, is_meant, others};
use crate::build::{names, shared as build};
use crate::postgres::{
    Access, Answer, Entry, Failure, Identity, Ownership, Question, SeenDatabase, Unwanted, Wanted,
};

/// Every shared server.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// How each is reached by who may make databases, by its name.
    admins: BTreeMap<String, Access>,
    /// By address and name.
    databases: BTreeMap<(String, String), Server>,
    /// Why the next copy of a template waits.
    pub busy: Option<String>,
    made: u32,
}

impl Shared {
    /// A server of that name.
    pub(super) fn add(&mut self, name: &str) {
        let url = format!("postgres://provisioner:admin@{name}.example.com:5432/postgres");
        if let Ok(access) = Access::parse(&url) {
            self.admins.insert(name.to_owned(), access);
        }
    }

    /// Its admin's access is not there any more.
    pub fn forget_admin(&mut self, name: &str) {
        self.admins.remove(name);
    }

    pub(super) fn admin(&self, name: &str) -> Result<Access, Failure> {
        let missing = || Failure::Refused(format!("The Secret of server '{name}' must exist"));
        self.admins.get(name).cloned().ok_or_else(missing)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Server> {
        self.databases.values()
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        self.databases.values_mut()
    }

    /// The comment of each database, by its name.
    #[must_use]
    pub fn comments(&self) -> Vec<(String, String)> {
        let each = self.databases.iter();
        each.map(|((_, name), server)| (name.clone(), server.comment.clone().unwrap_or_default()))
            .collect()
    }

    /// Somebody else gets the databases that are there.
    pub fn comment(&mut self, comment: &str) {
        for server in self.databases.values_mut() {
            server.comment = Some(comment.to_owned());
        }
    }

    /// A database that is there already.
    pub(super) fn restore(&mut self, at: &Access, server: Server) {
        let name = server.identity.database.clone();
        self.databases.insert((at.address(), name), server);
    }

    pub(super) fn is_at(&self, at: &Access) -> bool {
        self.admins
            .values()
            .any(|admin| admin.address() == at.address())
    }

    fn database(&mut self, at: &Access) -> Option<&mut Server> {
        let name = at.database().to_owned();
        let known = self.databases.get_mut(&(at.address(), name))?;
        // Roles are named after the first database of their family.
        let user = at.user();
        let suffixes = [build::owner(""), build::app("")];
        let families = suffixes
            .iter()
            .filter_map(|known| user.strip_suffix(known.as_str()));
        let mut families =
            families.filter(|family| names::nth_of(family, '_', at.database()).is_some());
        families.next().map(|_| known)
    }

    pub(super) fn look(
        &mut self,
        at: &Access,
        question: &Question,
        backends: Vec<String>,
    ) -> Answer {
        let place = (at.address(), at.database().to_owned());
        let others = others(&self.databases, &place, question);
        match self.database(at) {
            Some(known) => Answer::Found(SeenDatabase {
                others,
                ..known.seen(question, backends)
            }),
            None => Answer::Refused(format!("the login of '{}' failed", at.user())),
        }
    }

    pub(super) fn provide(&mut self, at: &Access, want: &Wanted) -> Result<(), Failure> {
        let name = want.database.as_str().to_owned();
        let key = (at.address(), name.clone());
        let Some(known) = self.databases.get_mut(&key) else {
            if let Some(why) = self.busy.take_if(|_| want.template.is_some()) {
                return Err(Failure::Busy(why));
            }
            self.made += 1;
            let identity = Identity {
                server: at.address(),
                database: name,
                oid: 16384 + self.made,
            };
            let server = Server {
                identity,
                roles: true,
                comment: Some(want.comment.clone()),
                record: Vec::new(),
            };
            self.databases.insert(key, server);
            return Ok(());
        };
        let carried = known.comment.clone().unwrap_or_default();
        if !is_successor(&carried, &want.comment) {
            return Err(Failure::Refused(format!(
                "the database {name} belongs to another"
            )));
        }
        known.comment = Some(want.comment.clone());
        known.roles = true;
        Ok(())
    }

    pub(super) fn enter(&mut self, at: &Access, entry: &Entry) -> Result<(), Failure> {
        let user = at.user().to_owned();
        let refused = || Failure::Refused(format!("the login of '{user}' failed"));
        let known = self.database(at).ok_or_else(refused)?;
        if !known.record.contains(entry) {
            known.record.push(entry.clone());
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, at: &Access, unwanted: &Unwanted) -> Result<(), Failure> {
        let own = (at.address(), unwanted.family.as_str().to_owned());
        let foreign = |server: &Server| !server.carries(&unwanted.comment);
        let is_first = is_meant(unwanted, &own.1);
        if is_first && self.databases.get(&own).is_some_and(foreign) {
            return Err(Failure::Refused(format!(
                "the database {} is not dropped: it must carry the comment of this Environment",
                own.1
            )));
        }
        self.databases
            .retain(|(_, name), server| foreign(server) || !is_meant(unwanted, name));
        Ok(())
    }
}

/// Whether who writes the second comment may take over what carries the first.
fn is_successor(carried: &str, comment: &str) -> bool {
    let place = |text: &str| {
        let parsed: Ownership = text.parse().ok()?;
        Some(Ownership {
            uid: String::new(),
            ..parsed
        })
    };
    carried == comment || place(carried).is_some_and(|known| Some(known) == place(comment))
}
