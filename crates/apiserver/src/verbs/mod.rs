//! The verbs, one file each, and the subresources that are more than a part of their
//! object. Each is a method of [`crate::ApiServer`].

mod bind;
mod create;
mod delete;
mod delete_collection;
mod eviction;
mod get;
mod list;
mod patch;
mod review;
mod scale;
mod service_token;
mod update;
mod watch;
mod watch_events;

use std::sync::Arc;

use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::time::rfc3339;
use xebec_state::{Key, Precondition, State, Transaction};

use crate::allocation::{self, Allocation};
use crate::managed_fields::{self, Writer};
use crate::pipeline::{Decision, Work, quota};
use crate::{Target, stored};

/// The stored object of a target.
fn read(state: &State, target: &Target) -> Result<Object, ApiError> {
    let entry = state.get(&target.key()).ok_or_else(|| target.not_found())?;
    stored::decode(entry)
}

/// The revision of an object that came from [`read`].
fn revision(object: &Object) -> u64 {
    object.resource_version().parse().expect("a stored object carries its revision")
}

/// Records who wrote what.
fn record_fields(work: &Work<'_>, new: &mut Object, old: Option<&Object>) {
    let time = rfc3339(work.now);
    let writer =
        Writer { manager: &work.ctx.field_manager, subresource: &work.target.subresource, time: &time };
    managed_fields::record(new, old, writer);
}

/// What is taken and given back beside the write of an object: the addresses and ports of a Service, and what the
/// namespace's quotas have left.
fn allocate(
    work: &Work<'_>,
    old: Option<&Object>,
    mut new: Option<&mut Object>,
) -> Result<Allocation, ApiError> {
    let mut allocation = Allocation::default();
    if work.target.row.storage_name() == "services" {
        let seed = work.settings().ids.random();
        allocation = allocation::plan(work.state, work.settings(), old, new.as_deref_mut(), seed)?;
    }
    if let Some(new) = new {
        let charged = quota::charge(work, new, old)?;
        allocation.preconditions.extend(charged.preconditions);
        allocation.operations.extend(charged.operations);
    }
    Ok(allocation)
}

/// A transaction that stores `new`, and its answer.
fn store_object(key: Key, object: Object, condition: Precondition, extra: Allocation) -> Decision<Object> {
    let mut preconditions = vec![condition];
    preconditions.extend(extra.preconditions);
    let mut operations = vec![stored::put(key, &object)];
    operations.extend(extra.operations);
    let transaction = Transaction { preconditions, operations, ..Transaction::default() };
    let finish = move |revisions: &[u64]| {
        let mut object = object;
        if let Some(revision) = revisions.first() {
            stored::set_revision(&mut object, *revision);
        }
        object
    };
    Decision { transaction, finish: Box::new(finish) }
}

/// The namespace to create into: there, and not on its way out.
fn open_namespace(state: &Arc<State>, target: &Target) -> Result<Option<Precondition>, ApiError> {
    if !target.row.namespaced {
        return Ok(None);
    }
    let key = Key::new("namespaces", "", &target.namespace);
    let entry = state.get(&key).ok_or_else(|| ApiError::not_found("", "namespaces", &target.namespace))?;
    let namespace = stored::decode(entry)?;
    if namespace.is_terminating() {
        let message = format!(
            "{} {:?} is forbidden: unable to create new content in namespace {} because it is being terminated",
            target.qualified(),
            target.name,
            target.namespace
        );
        let mut error = ApiError::new(Reason::Forbidden, message);
        // By this clients know that it is of no use to try again.
        let why = format!("namespace {} is being terminated", target.namespace);
        error.causes.push(FieldError::new("NamespaceTerminating", "metadata.namespace", why));
        return Err(error);
    }
    Ok(Some(Precondition::AtRevision(key, entry.revision)))
}

fn method_not_allowed(target: &Target, verb: &str) -> ApiError {
    let message = format!("{verb} is not supported on resources of kind {:?}", target.qualified());
    ApiError::new(Reason::MethodNotAllowed, message)
}
