//! Every condition and every reason, documented. `docs/reference.md` is made of these sentences.

/// The stages in their order, then the summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The App exists, the release names an image for every component, limits hold, hosts and database are nobody else's.
    Accepted,
    /// Every image is a digest: a tag is asked for once, and what it was is what runs.
    Resolved,
    /// Every ConfigMap and Secret that is named exists with its keys.
    Configured,
    /// The database and its roles answer, and its identity is the known one.
    DatabaseReady,
    /// The migration of this key on this database has succeeded.
    Migrated,
    /// Every component runs the revision and is available.
    RolledOut,
    /// The gateway accepts the routes. It reports only: it neither holds a release up nor gives it up.
    Routed,
    /// Each Web component has answered, through its Service and its hosts.
    Verified,
    /// The Environment of the preview is Ready: the pull request answers on its hosts.
    Deployed,
    /// The pull requests of the App's source are known, and get previews.
    Sourced,
    /// The Git host shows how the preview is. It reports only: `Ready` does not wait for it.
    Announced,
    /// Something serves: every component of what holds the slots has an available pod.
    Available,
    /// All of it runs, at this generation; else it says what the first closed stage says.
    Ready,
    /// It is waited for what ends by itself. Present only when True.
    Reconciling,
    /// A person must change something. Present only when True.
    Stalled,
}

impl ConditionType {
    /// The stage of an App.
    pub const APP_STAGES: [Self; 1] = [Self::Sourced];

    /// The stages of a Preview, in their order.
    pub const PREVIEW_STAGES: [Self; 3] = [Self::Accepted, Self::Deployed, Self::Announced];

    /// The stages of an Environment, in the order in which a release passes them.
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

    /// Whether `Ready` waits for it.
    #[must_use]
    pub fn counts(self) -> bool {
        self != Self::Announced
    }

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
            Self::Deployed => "Deployed",
            Self::Sourced => "Sourced",
            Self::Announced => "Announced",
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
    /// Well: the condition is True.
    Open,
    /// Ends by itself, or when what is missing comes: the condition is False, and `Reconciling` is True.
    Waiting,
    /// The answer was no, and a person must change something: the condition is False, and `Stalled` is True.
    Refused,
    /// It was tried, and failed; it is not tried again by itself: the condition is False, and `Stalled` is True.
    Failed,
    /// There was no answer, neither yes nor no, and it is asked again: the condition is Unknown, and `Reconciling` is True.
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
    /// The App or the Environment asks for nothing here.
    NotConfigured: Open,
    /// The migration succeeded, now or before.
    Succeeded: Open,
    /// Every component runs the revision.
    RolledOut: Open,
    /// The gateway serves the routes.
    Routed: Open,
    /// The checks hold.
    Verified: Open,
    /// Nobody has asked for the preview for as long as its App says, or a person sent it to sleep: none of its pods runs, and
    /// its data stays. The first request wakes it, and so do a push and `kubectl towpath preview wake`.
    Asleep: Open,
    /// The deadline passed without an answer to the checks, neither yes nor no, and the release counts as verified. Find out
    /// why the controller cannot reach the Service or the host.
    Unchecked: Open,
    /// The preview answers on its hosts.
    Deployed: Open,
    /// Pull requests of the source get previews.
    Sourced: Open,
    /// The Git host shows how the preview is.
    Announced: Open,
    /// The preview expires soon: `kubectl towpath preview extend`, a push, or the label `towpath.dev/keep=true` lets it live on.
    ExpiresSoon: Open,
    /// All of it runs.
    Ready: Open,
    /// Something serves.
    Available: Open,
    /// The App does not exist yet. Create it in the same namespace.
    AppMissing: Waiting,
    /// A ConfigMap or a Secret does not exist yet. Create it, or take its name out.
    ReferenceMissing: Waiting,
    /// The registry does not have the image yet. Push it: it is asked for again after ten seconds, then ever later, after
    /// five minutes at most; for a preview after five seconds, and after a minute at most.
    WaitingForImage: Waiting,
    /// The database is being made, or starts. When it lasts, look at the database's pod and volume: `kubectl towpath get`.
    DatabaseStarting: Waiting,
    /// The template that the database is a copy of is in use. It is copied when it is not; when it lasts, look who is connected
    /// to it.
    DatabaseBusy: Waiting,
    /// The migration runs. It ends by itself, or at its `timeoutSeconds`.
    MigrationRunning: Waiting,
    /// The command that fills a new database runs. It ends by itself, or at the `timeoutSeconds` of the migration.
    SeedRunning: Waiting,
    /// The migration of another revision runs; it is never cancelled. It ends by itself, or at its `timeoutSeconds`.
    OtherMigrationRunning: Waiting,
    /// The last migration has ended, its connections to the database have not. They end by themselves, or when somebody ends
    /// them in the database.
    BackendsLeft: Waiting,
    /// Pods are being replaced. The message says what holds them up; at the deadline the revision is given up.
    RollingOut: Waiting,
    /// The gateway has not said yet that it serves the routes. When it lasts, look whether the gateway's controller runs.
    RoutePending: Waiting,
    /// The checks are being made.
    Verifying: Waiting,
    /// An object of this name, or the namespace, is on its way out. When it lasts, look what holds it: its finalizers.
    Terminating: Waiting,
    /// The Environment is on its way out.
    Deleting: Waiting,
    /// As many previews are live as may be. It is made when another one goes; the message says its place.
    Queued: Waiting,
    /// The Environment of the preview is on its way: see there.
    Deploying: Waiting,
    /// The Git host takes no more requests of this token now. It is told when it does.
    GitHostBusy: Waiting,
    /// A stage before this one is closed: see there.
    Pending: Waiting,
    /// Nothing serves: no release was ever verified, or a component has no pod that is available.
    NothingServes: Waiting,
    /// What the release names is wrong: an image is missing, or comes from another repository than the App's. Mend
    /// `spec.release`.
    ReleaseInvalid: Refused,
    /// What the App and the Environment say does not fit together, or this version of the controller cannot read it. Mend
    /// what the message names.
    SpecInvalid: Refused,
    /// The time to live of the preview is over; its Environment and database are gone. A push or `kubectl towpath preview extend` makes
    /// them anew.
    Expired: Refused,
    /// The pull request comes from a fork, and the App's `preview.forks` lets none in.
    ForkDenied: Refused,
    /// The Git host said no, or the configuration has no such host. Mend the App's `preview.source`, its token, or `git.hosts`.
    SourceRefused: Refused,
    /// An older Preview shows the same pull request. Delete one of the two.
    PullRequestTaken: Refused,
    /// The App lets previews sleep, and nobody could wake them. Set the chart's value `activator.enabled`, or take
    /// `sleepAfterSeconds` out.
    NoActivator: Refused,
    /// What a preview asks for is above what the controller's configuration allows. Ask for less in `preview.components`.
    TooLarge: Refused,
    /// The Environment of the preview waits for a person, or its release failed: see there.
    NotDeployed: Refused,
    /// The Git host refused what it was told. The preview works all the same. Mend what the message names; it is told again
    /// when that changes, and every five minutes.
    GitHostRefused: Refused,
    /// The Preview went, and its Git host was not told: what it shows of it stays as it was. Mend it there by hand.
    NotTold: Refused,
    /// Another Environment publishes the host, or is older and names it. Name another one, or take it out there.
    HostTaken: Refused,
    /// An older Environment has the database. Give each one of its own.
    DatabaseShared: Refused,
    /// The registry refused the image. Give the App a pull Secret or the controller a login, or name a digest.
    ImageRefused: Refused,
    /// A ConfigMap or a Secret lacks a key. Add it, or name another one.
    KeyMissing: Refused,
    /// The database refused the login, or what was asked of it. Mend its Secret or the rights of its roles; it is asked
    /// again every ten seconds.
    DatabaseRefused: Refused,
    /// The database behind the Environment is another one than before. Mend its address, or say `accept-database` when the
    /// new one is right.
    DatabaseChanged: Refused,
    /// The passwords or the volume of a dedicated database are gone, and nobody can make them again. Restore them, or delete
    /// what is left of the database to begin anew.
    DatabaseLost: Refused,
    /// The database's record lacks what this revision had applied, as after a restored backup. Say `retry` to migrate again,
    /// or `migration mark-applied` when it is applied.
    RecordLost: Refused,
    /// The apiserver refused an object, by a quota or a policy. Mend what its sentence names; it is tried again after ten
    /// seconds, then ever later, after two minutes at most, and when anything happens to the Environment.
    ObjectRefused: Refused,
    /// An object of this name belongs to someone else. Delete it, rename the Environment, or hand it over by the annotation
    /// `towpath.dev/adopt`; it is looked at again as after `ObjectRefused`.
    NameTaken: Refused,
    /// The gateway refused the routes. Its listener must allow routes of this namespace and this host.
    RouteRefused: Refused,
    /// There is no gateway to route by. Set `routing` in the controller's configuration, or install what it names.
    NoGateway: Refused,
    /// The revision would be larger than 256 KiB. Move large values into ConfigMaps.
    RevisionTooLarge: Refused,
    /// A person stopped the controller here. Set `spec.suspend` to false.
    Suspended: Refused,
    /// The migration failed; no pod of the release has started. Release a fix, or say `retry`.
    MigrationFailed: Failed,
    /// The command that fills a new database failed; no pod of the release has started. Release a fix, or say `retry`.
    SeedFailed: Failed,
    /// The rollout made no progress before its deadline, and there is nothing to go back to. Release a fix, or say `retry`.
    DeadlineExceeded: Failed,
    /// A new pod crashed, or failed after it was available, and there is nothing to go back to. Release a fix, or say
    /// `retry`.
    Crashed: Failed,
    /// The checks after the rollout said no, and there is nothing to go back to. Release a fix, or say `retry`.
    VerificationFailed: Failed,
    /// The revision failed, and the last good one is back. Release a fix, or say `retry`.
    RolledBack: Failed,
    /// The registry did not answer. It is asked again after ten seconds, then ever later, after five minutes at most; a
    /// release by digest needs no registry.
    RegistrySilent: Unknown,
    /// The Git host did not answer, or takes no more requests for a while. No preview goes for it; it is asked again.
    SourceSilent: Unknown,
    /// A ConfigMap or a Secret could not be read. The message says why; it is read again by itself.
    ReferenceUnknown: Unknown,
    /// The database did not answer. It is asked again after five seconds, then ever later, after 80 seconds at most.
    DatabaseSilent: Unknown,
    /// The Git host did not answer. It is told again after five seconds, then ever later, after five minutes at most. The preview
    /// works all the same.
    GitHostSilent: Unknown,
    /// The apiserver did not answer, or this version of the controller cannot read the App: the message tells which. It is
    /// tried again.
    NoAnswer: Unknown,
    /// The controller failed at this object; it is its fault, not the object's. It is tried again, after five minutes at
    /// most; its log tells more.
    InternalError: Unknown,
}
