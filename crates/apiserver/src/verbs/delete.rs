//! An object's end: at once, or after its grace and its finalizers.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::{Operation, Precondition, Refusal, Reply, Transaction};

use crate::clock::rfc3339;
use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::verbs::create::fenced;
use crate::versioned;

const MOST_ATTEMPTS: usize = 16;
/// What a pod gets when neither the request nor its spec says, in seconds.
const POD_GRACE: u64 = 30;

/// What becomes of an object's dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// The terms of a delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds; `None` for the object's own.
    pub grace_seconds: Option<u64>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object at this revision.
    pub resource_version: Option<String>,
    /// What becomes of its dependents.
    pub propagation: Propagation,
}

/// What a delete does to the object as it is.
enum Step {
    Remove,
    Mark(Box<Object>),
    Nothing,
}

impl ApiServer {
    /// Deletes an object, or marks it as on its way out; gives it as it was last.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when a precondition fails, `Forbidden`.
    pub async fn delete(
        &self,
        context: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Object, ApiError> {
        target.named()?;
        self.authorize(context, "delete", target)?;
        if target.row.kind == "Namespace"
            && matches!(target.name.as_str(), "default" | "kube-system" | "kube-public")
        {
            let message =
                format!("namespaces {:?} is forbidden: this namespace may not be deleted", target.name);
            return Err(ApiError::new(Reason::Forbidden, message));
        }
        self.remove(context, target, options).await
    }

    /// An eviction is a delete that asks first; budgets are not kept yet.
    pub(crate) async fn evict(&self, context: &RequestContext, target: &Target) -> Result<Object, ApiError> {
        let pod = Target { subresource: String::new(), ..target.clone() };
        self.remove(context, &pod, &DeleteOptions::default()).await
    }

    async fn remove(
        &self,
        context: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Object, ApiError> {
        for _ in 0..MOST_ATTEMPTS {
            let old = self.read_current(target).await?;
            check_preconditions(target, &old, options)?;
            let revision = versioned::parse_revision(old.resource_version())?.unwrap_or_default();
            let mut transaction = Transaction {
                preconditions: vec![Precondition::AtRevision(target.key(), revision)],
                fence: context.fence,
                ..Transaction::default()
            };
            let new = match self.step(&old, options) {
                Step::Nothing => return Ok(old),
                Step::Remove => {
                    transaction.operations.push(Operation::Delete(target.key()));
                    self.release(&old, &mut transaction);
                    old
                }
                Step::Mark(new) => {
                    transaction.operations.push(Operation::Put(target.key(), versioned::to_value(&new)));
                    *new
                }
            };
            if context.dry_run {
                return Ok(new);
            }
            match self.propose(context, transaction).await? {
                Reply::Applied { revisions } => {
                    return versioned::from_parts(&versioned::to_value(&new), revisions[0]);
                }
                Reply::Refused(Refusal::Precondition { .. }) => self.store.barrier().await?,
                Reply::Refused(Refusal::Fenced { term }) => return Err(fenced(term)),
            }
        }
        Err(target.conflict())
    }

    fn step(&self, old: &Object, options: &DeleteOptions) -> Step {
        let mut new = old.clone();
        let grace = grace_seconds(old, options);
        add_propagation(&mut new, options.propagation);
        let finalizers =
            new.get(&["metadata", "finalizers"]).and_then(Value::as_array).is_some_and(|f| !f.is_empty());
        let namespace = old.kind() == "Namespace"
            && old.get(&["spec", "finalizers"]).and_then(Value::as_array).is_some_and(|f| !f.is_empty());
        if grace == 0 && !finalizers && !namespace {
            return Step::Remove;
        }
        let known = old.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64);
        if old.is_terminating() && known.is_none_or(|known| known <= grace) && new == *old {
            return Step::Nothing;
        }
        if !old.is_terminating() {
            let now = self.settings.clock.now();
            let seconds = i64::try_from(grace).unwrap_or(i64::MAX / 2);
            let end = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
            new.set(&["metadata", "deletionTimestamp"], rfc3339(end));
            if old.generation() > 0 {
                new.set(&["metadata", "generation"], old.generation() + 1);
            }
        }
        let grace = known.map_or(grace, |known| known.min(grace));
        new.set(&["metadata", "deletionGracePeriodSeconds"], grace);
        if namespace {
            new.set(&["status", "phase"], "Terminating");
        }
        Step::Mark(Box::new(new))
    }
}

fn check_preconditions(target: &Target, old: &Object, options: &DeleteOptions) -> Result<(), ApiError> {
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != old.uid()) {
        let message =
            format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", old.uid());
        return Err(ApiError::new(Reason::Conflict, message));
    }
    if options.resource_version.as_deref().is_some_and(|version| version != old.resource_version()) {
        return Err(target.conflict());
    }
    Ok(())
}

/// A pod on a node is stopped first; one that never got there, or has ended, is not.
fn grace_seconds(object: &Object, options: &DeleteOptions) -> u64 {
    if object.kind() != "Pod" || object.text(&["spec", "nodeName"]).is_empty() {
        return 0;
    }
    if matches!(object.text(&["status", "phase"]), "Succeeded" | "Failed") {
        return options.grace_seconds.unwrap_or(0);
    }
    let own = object.get(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_u64);
    options.grace_seconds.or(own).unwrap_or(POD_GRACE)
}

fn add_propagation(object: &mut Object, propagation: Propagation) {
    let finalizer = match propagation {
        Propagation::Background => return,
        Propagation::Foreground => "foregroundDeletion",
        Propagation::Orphan => "orphan",
    };
    let mut finalizers =
        object.get(&["metadata", "finalizers"]).and_then(Value::as_array).cloned().unwrap_or_default();
    if !finalizers.contains(&json!(finalizer)) {
        finalizers.push(json!(finalizer));
        object.set(&["metadata", "finalizers"], finalizers);
    }
}
