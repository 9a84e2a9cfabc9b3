//! Delete: at once, or marked and waited for. A grace period (pods), finalizers and the
//! propagation's own finalizers hold an object; whoever takes the last hold away removes it.

use std::future::ready;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::time::rfc3339;
use xebec_state::{Operation, Precondition, Transaction};

use super::{allocate, method_not_allowed, read, revision, store_object};
use crate::pipeline::{Decision, Selectors, Work};
use crate::{ApiServer, DeleteOptions, Propagation, RequestContext, Target, Verb, metadata};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Namespaces that the cluster cannot do without.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

impl ApiServer {
    /// Removes an object, or begins to. Answers with it as it was or is.
    ///
    /// # Errors
    /// [`ApiError`]; `Conflict` when a precondition does not hold.
    pub async fn delete(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Object, ApiError> {
        self.delete_from(ctx, target, ready(Ok((options.clone(), ctx.dry_run)))).await
    }

    /// As [`ApiServer::delete`], with options, and whether it is tried out only, that are waited for
    /// and decoded only for who may delete.
    pub(crate) async fn delete_from(
        &self,
        ctx: &RequestContext,
        target: &Target,
        asked: impl Future<Output = Result<(DeleteOptions, bool), ApiError>>,
    ) -> Result<Object, ApiError> {
        let work = move |(options, dry_run): (DeleteOptions, bool)| async move {
            let ctx = RequestContext { dry_run, ..ctx.clone() };
            self.delete_object(&ctx, target, &options).await
        };
        self.run_on(ctx, Verb::Delete, target, Selectors::default(), asked, work).await
    }

    /// As [`ApiServer::delete`], for who was already let through.
    pub(super) async fn delete_object(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Object, ApiError> {
        target.check_scope(true)?;
        target.check_name()?;
        if !target.subresource.is_empty() {
            return Err(method_not_allowed(target, "delete"));
        }
        self.commit(ctx, |state| {
            let work = Work::new(self, ctx, target, state);
            let old = read(state, target)?;
            decide(&work, &old, options)
        })
        .await
    }
}

/// What becomes of the stored object `old` when it is to be deleted.
pub(super) fn decide(
    work: &Work<'_>,
    old: &Object,
    options: &DeleteOptions,
) -> Result<Decision<Object>, ApiError> {
    metadata::check_uid(work, options.uid.as_deref(), old)?;
    metadata::check_version(work, options.resource_version.as_deref(), old)?;
    refuse_immortal(work, old)?;
    let mut new = old.clone();
    set_propagation(&mut new, options.propagation, old.is_terminating());
    mark(work, &mut new, old, options);
    let condition = Precondition::AtRevision(work.target.key(), revision(old));
    if metadata::is_released(&new) {
        let mut operations = vec![Operation::Delete(work.target.key())];
        operations.extend(allocate(work, Some(old), None)?.operations);
        let transaction =
            Transaction { preconditions: vec![condition], operations, ..Transaction::default() };
        let gone = old.clone();
        return Ok(Decision { transaction, finish: Box::new(move |_| gone) });
    }
    if new == *old {
        return Ok(Decision::nothing(new));
    }
    Ok(store_object(work.target.key(), new, condition, Default::default()))
}

fn refuse_immortal(work: &Work<'_>, old: &Object) -> Result<(), ApiError> {
    if work.target.row.storage_name() == "namespaces" && IMMORTAL.contains(&old.name()) {
        let message = format!("namespaces {:?} is forbidden: this namespace may not be deleted", old.name());
        return Err(ApiError::new(Reason::Forbidden, message));
    }
    Ok(())
}

/// The finalizer that makes the garbage collector act before the object goes. A repeated
/// delete without a wish of its own leaves what the first one asked for.
fn set_propagation(new: &mut Object, propagation: Propagation, again: bool) {
    let wanted = match propagation {
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Background if again => return,
        Propagation::Background => None,
    };
    let found = new.get(&["metadata", "finalizers"]).and_then(Value::as_array).cloned();
    let mut finalizers = found.unwrap_or_default();
    finalizers.retain(|finalizer| *finalizer != FOREGROUND && *finalizer != ORPHAN);
    finalizers.extend(wanted.map(Value::from));
    if finalizers.is_empty() {
        new.remove(&["metadata", "finalizers"]);
    } else {
        new.set(&["metadata", "finalizers"], finalizers);
    }
}

/// Says when the object is to go; a later delete may only bring that forward.
fn mark(work: &Work<'_>, new: &mut Object, old: &Object, options: &DeleteOptions) {
    let grace = grace_seconds(work, old, options.grace_seconds);
    if let Some(at) = old.get(&["metadata", "deletionTimestamp"]).and_then(Value::as_str) {
        let before =
            old.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64).unwrap_or(0);
        let shorter = options.grace_seconds.is_some() && grace < before;
        if shorter {
            let began = at.parse::<Timestamp>().ok().and_then(|at| at.checked_sub(seconds(before)).ok());
            let at = began.and_then(|began| began.checked_add(seconds(grace)).ok());
            new.set(&["metadata", "deletionTimestamp"], rfc3339(at.unwrap_or(work.now)));
            new.set(&["metadata", "deletionGracePeriodSeconds"], grace);
        }
        return;
    }
    let at = work.now.checked_add(seconds(grace)).unwrap_or(work.now);
    new.set(&["metadata", "deletionTimestamp"], rfc3339(at));
    new.set(&["metadata", "deletionGracePeriodSeconds"], grace);
    new.set(&["metadata", "generation"], old.generation() + 1);
    if work.target.row.storage_name() == "namespaces" {
        new.set(&["status", "phase"], json!("Terminating"));
    }
}

fn seconds(count: u64) -> SignedDuration {
    SignedDuration::try_from(Duration::from_secs(count)).unwrap_or(SignedDuration::ZERO)
}

/// Only a pod that a node may be running is given time.
fn grace_seconds(work: &Work<'_>, object: &Object, asked: Option<u64>) -> u64 {
    let row = work.target.row;
    if row.storage_name() != "pods" {
        return row
            .strategy
            .default_grace_seconds(object)
            .map_or(0, |default| asked.unwrap_or(u64::from(default)));
    }
    let terminal = matches!(object.text(&["status", "phase"]), "Succeeded" | "Failed");
    if terminal || object.text(&["spec", "nodeName"]).is_empty() {
        return 0;
    }
    let own = object.get(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_u64);
    asked.unwrap_or_else(|| own.unwrap_or(30))
}
