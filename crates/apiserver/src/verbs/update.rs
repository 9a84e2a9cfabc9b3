//! Update: replaces an object, or one of its parts through a subresource. Every way of
//! changing a stored object ends in [`decide`].

use std::future::ready;

use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_state::{Operation, Precondition, Transaction};

use super::{allocate, method_not_allowed, read, record_fields, revision, scale, store_object};
use crate::pipeline::decode::Sent;
use crate::pipeline::{self, Decision, Selectors, Work, decode};
use crate::{ApiServer, RequestContext, Target, Verb, metadata};

impl ApiServer {
    /// Replaces an object; with `metadata.resourceVersion` set, only that version of it.
    /// Through `status`, `scale`, `finalize` and `approval` only that part is taken from `object`.
    ///
    /// # Errors
    /// [`ApiError`]; `Conflict` when the object is another or another version.
    pub async fn update(
        &self,
        ctx: &RequestContext,
        target: &Target,
        object: Object,
    ) -> Result<Object, ApiError> {
        self.update_from(ctx, target, ready(Ok(object))).await
    }

    /// As [`ApiServer::update`], with a body that is waited for and decoded only for who may update.
    pub(crate) async fn update_from(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: impl Future<Output = Result<Object, ApiError>>,
    ) -> Result<Object, ApiError> {
        let body = async {
            target.check_scope(true)?;
            target.check_name()?;
            body.await
        };
        let work = move |mut object: Object| async move {
            check_body(ctx, &mut object, target, Sent::Whole)?;
            self.commit(ctx, |state| {
                let work = Work::new(self, ctx, target, state);
                let old = read(state, target)?;
                decide(&work, object.clone(), &old)
            })
            .await
        };
        self.run_on(ctx, Verb::Update, target, Selectors::default(), body, work).await
    }
}

/// Stage 4 for the body of an update.
pub(super) fn check_body(
    ctx: &RequestContext,
    object: &mut Object,
    target: &Target,
    sent: Sent,
) -> Result<(), ApiError> {
    match target.subresource.as_str() {
        "scale" => scale::check(object, target),
        "" | "status" | "finalize" | "approval" => decode::run(ctx, object, target, sent),
        _ => Err(method_not_allowed(target, "update")),
    }
}

/// What becomes of the stored object `old` when `request` is to replace it.
pub(super) fn decide(work: &Work<'_>, request: Object, old: &Object) -> Result<Decision<Object>, ApiError> {
    metadata::check_preconditions(work, &request, old)?;
    let mut new = match work.target.subresource.as_str() {
        "status" => metadata::with_part(old, &request, &["status"]),
        "finalize" => metadata::with_part(old, &request, &["spec", "finalizers"]),
        "approval" => metadata::with_part(old, &request, &["status", "conditions"]),
        "scale" => scale::apply(old, &request),
        _ => {
            let mut new = request;
            metadata::on_update(work, &mut new, old);
            new
        }
    };
    let whole = matches!(work.target.subresource.as_str(), "" | "scale");
    if whole {
        pipeline::admit(work, &mut new, Some(old))?;
    }
    let extra = if whole { allocate(work, Some(old), Some(&mut new))? } else { Default::default() };
    new.set(&["metadata", "resourceVersion"], old.resource_version());
    if new == *old {
        return Ok(Decision::nothing(answer(work, new)));
    }
    if whole {
        metadata::bump_generation(work, &mut new, old);
    }
    record_fields(work, &mut new, Some(old));
    let condition = Precondition::AtRevision(work.target.key(), revision(old));
    if metadata::is_released(&new) {
        return remove(work, new, condition, old);
    }
    let mut decision = store_object(work.target.key(), new, condition, extra);
    if work.target.subresource == "scale" {
        let inner = decision.finish;
        decision.finish = Box::new(move |revisions| scale::of(&inner(revisions)));
    }
    Ok(decision)
}

fn answer(work: &Work<'_>, object: Object) -> Object {
    if work.target.subresource == "scale" { scale::of(&object) } else { object }
}

/// The last finalizer went: so does the object.
fn remove(
    work: &Work<'_>,
    object: Object,
    condition: Precondition,
    old: &Object,
) -> Result<Decision<Object>, ApiError> {
    let mut operations = vec![Operation::Delete(work.target.key())];
    operations.extend(allocate(work, Some(old), None)?.operations);
    let transaction = Transaction { preconditions: vec![condition], operations, ..Transaction::default() };
    Ok(Decision { transaction, finish: Box::new(move |_| object) })
}
