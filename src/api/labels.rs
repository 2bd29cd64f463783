//! Labels and annotations that the controller writes and reads. Memory lives here and in revisions, never in status.

/// Names the Environment that an object belongs to; what the controller watches is selected by it.
pub const ENVIRONMENT: &str = "towpath.dev/environment";
/// Names the component of a workload, a Service or a volume.
pub const COMPONENT: &str = "towpath.dev/component";
/// The slot of a workload: `a` or `b`.
pub const SLOT: &str = "towpath.dev/slot";
/// On an object: the number of the revision it was rendered for. Never on a pod template.
pub const REVISION: &str = "towpath.dev/revision";
/// On pods: the hash of the stored template, so that pods of two templates can be told apart.
pub const TEMPLATE: &str = "towpath.dev/template";
/// Marks objects that hold data and outlive their Environment.
pub const DATA: &str = "towpath.dev/data";
/// What an object is for, where its kind does not say: `migration`, `database`, `config`, `record`.
pub const PURPOSE: &str = "towpath.dev/purpose";

/// The App, in the labels that Kubernetes recommends.
pub const NAME: &str = "app.kubernetes.io/name";
/// The component, in the labels that Kubernetes recommends.
pub const APP_COMPONENT: &str = "app.kubernetes.io/component";
/// The App again, in the labels that Kubernetes recommends.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// Who manages an object, in the labels that Kubernetes recommends.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], and the field manager of every write.
pub const MANAGER: &str = "towpath";

/// On a revision: hash of what was asked for; the same content is never tried twice by itself.
pub const CONTENT: &str = "towpath.dev/content";
/// On a revision: when all gates up to `Migrated` were open in one pass.
pub const ENTERED: &str = "towpath.dev/entered";
/// On a revision: when it was verified; the newest verified one serves.
pub const VERIFIED: &str = "towpath.dev/verified";
/// On a revision: the reason for which it was given up.
pub const GIVEN_UP: &str = "towpath.dev/given-up";
/// On a revision: when it was given up.
pub const GIVEN_UP_AT: &str = "towpath.dev/given-up-at";
/// On a revision: the sentence that goes with [`GIVEN_UP`].
pub const GIVEN_UP_MESSAGE: &str = "towpath.dev/given-up-message";
/// On a revision: the database identity on which its migration succeeded.
pub const MIGRATED: &str = "towpath.dev/migrated";
/// On a revision: the last tokens that were handled when it was made or after.
pub const HANDLED: &str = "towpath.dev/handled-tokens";

/// A person's trigger on an Environment: try the failed content again. Value: `<uid of the Environment>.<anything>`.
pub const RETRY: &str = "towpath.dev/retry";
/// A person's trigger on an Environment: the database behind it is accepted as its own. Value as for [`RETRY`].
pub const ACCEPT_DATABASE: &str = "towpath.dev/accept-database";
/// A person's trigger on an Environment: write this migration key into the record without running it. Value:
/// `<uid of the Environment>.<anything>.<key>`.
pub const MARK_APPLIED: &str = "towpath.dev/mark-applied";
/// A person's word on an Environment that is on its way out: its database on a shared server is left, and nobody waits for it.
/// On a Preview that is: nobody waits for its Git host. Value as for [`RETRY`].
pub const LET_GO: &str = "towpath.dev/let-go";
/// Finalizer of an Environment whose database on a shared server is dropped when it goes.
pub const FINALIZER: &str = "towpath.dev/database";
/// On an object of someone else: hands it to the Environment of this name.
pub const ADOPT: &str = "towpath.dev/adopt";

/// On a Preview: when its time to live was over. Value: `<uid of the Preview> <time>`.
pub const EXPIRED: &str = "towpath.dev/expired";
/// On a Preview: its release as it was pushed last, and when. Value: `<hash of the release> <time>`.
pub const PUSHED: &str = "towpath.dev/pushed";
/// A person's trigger on a Preview: its time to live is counted from now. Value: `<uid of the Preview>.<anything>`.
pub const EXTEND: &str = "towpath.dev/extend";
/// On a Preview: the last [`EXTEND`] that was handled, and when. Value: `<token> <time>`.
pub const EXTENDED: &str = "towpath.dev/extended";
/// A person's trigger on a Preview: its database is made anew, without its data. Value: `<uid of the Preview>.<anything>`.
pub const RESET: &str = "towpath.dev/reset";
/// A person's trigger on a Preview: it sleeps until it is asked for. Value as for [`EXTEND`].
pub const SLEEP: &str = "towpath.dev/sleep";
/// On a Preview: the last [`SLEEP`] that was handled, and when. Value as for [`EXTENDED`].
pub const SLEPT: &str = "towpath.dev/slept";
/// A person's trigger on a Preview: it wakes. Value as for [`EXTEND`].
pub const WAKE: &str = "towpath.dev/wake";
/// On a Preview: the last [`WAKE`] that was handled, and when. Value as for [`EXTENDED`].
pub const WOKEN: &str = "towpath.dev/woken";
/// On a Preview: what its Git host was told last, as JSON.
pub const ANNOUNCED: &str = "towpath.dev/announced";
/// Finalizer of a Preview that its Git host shows: it ends there when the Preview goes.
pub const ANNOUNCEMENT: &str = "towpath.dev/announcement";
/// A person's label on a Preview: with the value `true` it does not expire.
pub const KEEP: &str = "towpath.dev/keep";
/// On what belongs to a preview: the number of its pull request.
pub const PULL_REQUEST: &str = "towpath.dev/pull-request";

/// On a binding Secret or a record: who the database was when it was made or accepted.
pub const DATABASE_IDENTITY: &str = "towpath.dev/database-identity";
/// On the Secret of the passwords of a database on a shared server: the name that the database got.
pub const DATABASE: &str = "towpath.dev/database-name";
/// On a pod template: keyed hash of the Secret values that the pods read.
pub const SECRETS: &str = "towpath.dev/secrets";
/// On a Deployment: when a changed Secret last restarted it.
pub const SECRETS_RESTARTED: &str = "towpath.dev/secrets-restarted-at";
/// On an Ingress: the class that the configuration names. Where it names none the apiserver may write the cluster's default,
/// which only the absence of this tells from one that was named before.
pub const INGRESS_CLASS: &str = "towpath.dev/ingress-class";
/// On the database's StatefulSet: the rendering it was made with, so that a newer controller does not restart it.
pub const RENDERING: &str = "towpath.dev/rendering";
/// On a pod template: what `kubectl rollout restart` writes; it may stay.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
