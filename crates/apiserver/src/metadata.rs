//! The behaviour of metadata that is the same for every kind: what the server sets on
//! create, what an update cannot touch, when the generation moves, and what is left of
//! an object when its last finalizer goes.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::name::generated;
use xebec_api::object::Object;
use xebec_api::time::rfc3339;

use crate::Target;
use crate::clock::suffix;
use crate::pipeline::Work;

/// Set by the server, kept from the stored object on every update.
const KEPT: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "generateName",
];

/// How many names are drawn for one `generateName`.
const MOST_DRAWS: usize = 8;

/// Completes the metadata of a new object.
pub(crate) fn on_create(work: &Work<'_>, object: &mut Object) -> Result<(), ApiError> {
    if !object.resource_version().is_empty() {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    for field in
        ["selfLink", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"]
    {
        object.remove(&["metadata", field]);
    }
    if object.name().is_empty() && !object.text(&["metadata", "generateName"]).is_empty() {
        let name = draw_name(work, object.text(&["metadata", "generateName"]));
        object.set(&["metadata", "name"], name);
    }
    object.set(&["metadata", "uid"], work.settings().ids.uid());
    object.set(&["metadata", "creationTimestamp"], rfc3339(work.now));
    object.set(&["metadata", "generation"], 1);
    // An agent registers its node with its status; every other status is its server's to write.
    if work.target.row.has_subresource("status") && work.target.row.storage_name() != "nodes" {
        object.remove(&["status"]);
    }
    Ok(())
}

/// A name that is free in this state; after a few draws the last one, which is refused as taken.
fn draw_name(work: &Work<'_>, base: &str) -> String {
    let mut name = String::new();
    for _ in 0..MOST_DRAWS {
        name = generated(base, &suffix(work.settings().ids.random()));
        let target = Target::object(work.target.row, &work.target.namespace, &name);
        if work.state.get(&target.key()).is_none() {
            break;
        }
    }
    name
}

/// Keeps what an update of the object itself cannot change.
pub(crate) fn on_update(work: &Work<'_>, new: &mut Object, old: &Object) {
    keep_system_fields(new, old);
    if work.target.row.has_subresource("status") {
        copy(new, old, &["status"]);
    }
}

/// The stored object with one part of another: what an update of a subresource makes.
pub(crate) fn with_part(old: &Object, new: &Object, part: &[&str]) -> Object {
    let mut merged = old.clone();
    copy(&mut merged, new, part);
    merged
}

fn keep_system_fields(new: &mut Object, old: &Object) {
    for field in KEPT {
        copy(new, old, &["metadata", field]);
    }
    new.remove(&["metadata", "selfLink"]);
}

fn copy(to: &mut Object, from: &Object, path: &[&str]) {
    match from.get(path) {
        Some(value) => to.set(path, value.clone()),
        None => {
            to.remove(path);
        }
    }
}

/// Moves the generation when a field changed that a controller must react to.
pub(crate) fn bump_generation(work: &Work<'_>, new: &mut Object, old: &Object) {
    let counts = |field: &String| work.target.row.strategy.counts_for_generation(field);
    let (before, after) = (old.as_map(), new.as_map());
    let changed =
        before.keys().chain(after.keys()).filter(|f| counts(f)).any(|f| before.get(f) != after.get(f));
    if changed {
        new.set(&["metadata", "generation"], old.generation() + 1);
    }
}

/// Whether an update of a terminating object leaves nothing that it waits for.
pub(crate) fn is_released(object: &Object) -> bool {
    let some =
        |path: &[&str]| object.get(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let grace = object.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    object.is_terminating()
        && grace.unwrap_or(0) == 0
        && !some(&["metadata", "finalizers"])
        && !(object.kind() == "Namespace" && some(&["spec", "finalizers"]))
}

/// Refuses a write that was decided on another version of the object.
pub(crate) fn check_preconditions(work: &Work<'_>, request: &Object, old: &Object) -> Result<(), ApiError> {
    let version = request.resource_version();
    check_version(work, (!version.is_empty() && version != "0").then_some(version), old)?;
    check_uid(work, Some(request.uid()).filter(|uid| !uid.is_empty()), old)
}

pub(crate) fn check_version(work: &Work<'_>, wanted: Option<&str>, old: &Object) -> Result<(), ApiError> {
    let Some(wanted) = wanted else { return Ok(()) };
    if wanted.parse::<u64>().is_err() {
        let message = format!("metadata.resourceVersion: {wanted:?} is no resource version");
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    if wanted == old.resource_version() {
        return Ok(());
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(work.target.conflict(why))
}

pub(crate) fn check_uid(work: &Work<'_>, wanted: Option<&str>, old: &Object) -> Result<(), ApiError> {
    match wanted {
        Some(wanted) if wanted != old.uid() => Err(work.target.conflict(&format!(
            "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
            old.uid()
        ))),
        _ => Ok(()),
    }
}
