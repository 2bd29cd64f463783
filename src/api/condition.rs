//! Every condition and every reason, documented. The reference in the guide lists them; a test compares the two.

/// The stages in their order, then the summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The App exists, the release names an image for every component, limits hold, hosts are nobody else's.
    Accepted,
    /// Every image is a digest.
    Resolved,
    /// Every ConfigMap and Secret that is named exists with its keys.
    Configured,
    /// The database and its roles answer, and its identity is the known one.
    DatabaseReady,
    /// The migration of this key on this database has succeeded.
    Migrated,
    /// Every component runs the revision and is available.
    RolledOut,
    /// The gateway accepts the routes. Reports only.
    Routed,
    /// The checks after the rollout hold.
    Verified,
    /// Something serves.
    Available,
    /// All of it, at this generation.
    Ready,
    /// Work is going on. Present only when True.
    Reconciling,
    /// A person must change something. Present only when True.
    Stalled,
}

impl ConditionType {
    /// The stages, in the order in which a release passes them.
    pub const STAGES: [Self; 8] = [
        Self::Accepted,
        Self::Resolved,
        Self::Configured,
        Self::DatabaseReady,
        Self::Migrated,
        Self::RolledOut,
        Self::Routed,
        Self::Verified,
    ];

    /// The name as it stands in status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Resolved => "Resolved",
            Self::Configured => "Configured",
            Self::DatabaseReady => "DatabaseReady",
            Self::Migrated => "Migrated",
            Self::RolledOut => "RolledOut",
            Self::Routed => "Routed",
            Self::Verified => "Verified",
            Self::Available => "Available",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// How a reason weighs: what follows for `Reconciling` and `Stalled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Well.
    Open,
    /// Ends by itself.
    Waiting,
    /// A person must change something: the answer was no.
    Refused,
    /// It was tried, and failed.
    Failed,
    /// No answer.
    Unknown,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $class:ident,)+) => {
        /// Why a condition says what it says. Reasons are API: they are not renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, with its class and its meaning, for the reference.
            pub const ALL: &'static [(Reason, Class, &'static str)] =
                &[$((Reason::$name, Class::$class, concat!($($doc),+)),)+];

            /// The name as it stands in status.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// How it weighs.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }
        }
    };
}

reasons! {
    /// The App and the release are complete.
    Accepted: Open,
    /// Every image is a digest.
    Resolved: Open,
    /// Everything that is named is there.
    Configured: Open,
    /// The database answers.
    DatabaseReady: Open,
    /// The App asks for nothing here.
    NotConfigured: Open,
    /// The migration succeeded.
    Succeeded: Open,
    /// Every component runs the revision.
    RolledOut: Open,
    /// The gateway serves the routes.
    Routed: Open,
    /// The checks hold.
    Verified: Open,
    /// The deadline passed without an answer to the checks, neither yes nor no.
    Unchecked: Open,
    /// All of it runs.
    Ready: Open,
    /// Something serves.
    Available: Open,
    /// The App does not exist yet.
    AppMissing: Waiting,
    /// A ConfigMap or a Secret does not exist yet.
    ReferenceMissing: Waiting,
    /// The registry does not have the image yet.
    WaitingForImage: Waiting,
    /// The database is being made, or starts.
    DatabaseStarting: Waiting,
    /// The migration runs.
    MigrationRunning: Waiting,
    /// The migration of another revision runs; it is never cancelled.
    OtherMigrationRunning: Waiting,
    /// The last migration has ended, its connections have not.
    BackendsLeft: Waiting,
    /// Pods are being replaced.
    RollingOut: Waiting,
    /// The gateway has not said yet that it serves the routes.
    RoutePending: Waiting,
    /// The checks are being made.
    Verifying: Waiting,
    /// An object of this name is on its way out.
    Terminating: Waiting,
    /// The Environment is on its way out.
    Deleting: Waiting,
    /// A stage before this one is closed.
    Pending: Waiting,
    /// Nothing serves yet.
    NothingServes: Waiting,
    /// What a release names is wrong: an image is missing, or comes from elsewhere.
    ReleaseInvalid: Refused,
    /// What the App and the Environment say does not fit together.
    SpecInvalid: Refused,
    /// An older Environment has the host.
    HostTaken: Refused,
    /// Another Environment has the database.
    DatabaseShared: Refused,
    /// The registry refused the image.
    ImageRefused: Refused,
    /// A ConfigMap or a Secret lacks a key.
    KeyMissing: Refused,
    /// The database refused the login, or what was asked of it.
    DatabaseRefused: Refused,
    /// The database behind the Environment is another one than before.
    DatabaseChanged: Refused,
    /// The database's record lacks what this revision had applied.
    RecordLost: Refused,
    /// The apiserver refused an object, by a quota or a policy.
    ObjectRefused: Refused,
    /// An object of this name belongs to someone else.
    NameTaken: Refused,
    /// The gateway refused the routes.
    RouteRefused: Refused,
    /// There is no gateway to route by.
    NoGateway: Refused,
    /// The revision would be larger than 256 KiB.
    RevisionTooLarge: Refused,
    /// A person stopped the controller here.
    Suspended: Refused,
    /// The migration failed.
    MigrationFailed: Failed,
    /// The rollout made no progress before its deadline.
    DeadlineExceeded: Failed,
    /// A new pod crashed, or failed after it was available.
    Crashed: Failed,
    /// The checks after the rollout said no.
    VerificationFailed: Failed,
    /// The revision failed, and the last good one is back.
    RolledBack: Failed,
    /// The registry did not answer.
    RegistrySilent: Unknown,
    /// A ConfigMap or a Secret could not be read.
    ReferenceUnknown: Unknown,
    /// The database did not answer.
    DatabaseSilent: Unknown,
    /// The apiserver did not answer.
    NoAnswer: Unknown,
    /// The controller failed at this object; it is its fault, not the object's.
    InternalError: Unknown,
}
