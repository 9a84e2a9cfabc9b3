//! Create: a new object under a name that is free, in a namespace that is open.

use std::future::ready;
use std::sync::Arc;

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_state::{Precondition, State};

use super::{allocate, method_not_allowed, open_namespace, record_fields, store_object};
use crate::pipeline::{self, Decision, Selectors, Work, decode};
use crate::{ApiServer, RequestContext, Target, Verb, metadata};

impl ApiServer {
    /// Makes an object in a collection (`target.name` may be empty), or creates through
    /// the subresources `binding`, `eviction` and `token`.
    ///
    /// # Errors
    /// [`ApiError`]; `AlreadyExists` when the name is taken.
    pub async fn create(
        &self,
        ctx: &RequestContext,
        target: &Target,
        object: Object,
    ) -> Result<Object, ApiError> {
        self.create_from(ctx, target, ready(Ok(object))).await
    }

    /// As [`ApiServer::create`], with a body that is waited for and decoded only for who may create.
    pub(crate) async fn create_from(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: impl Future<Output = Result<Object, ApiError>>,
    ) -> Result<Object, ApiError> {
        let body = async {
            target.check_scope(true)?;
            body.await
        };
        let work = move |mut object: Object| async move {
            check_part(ctx, target, &mut object)?;
            match target.subresource.as_str() {
                "" if table::is_review(target.row) => self.review(ctx, target, object).await,
                "" => self.create_object(ctx, target.clone(), object).await,
                "binding" => self.create_binding(ctx, target, &object).await,
                "eviction" => self.create_eviction(ctx, target, &object).await,
                "token" => self.create_token(ctx, target, &object).await,
                _ => Err(method_not_allowed(target, "create")),
            }
        };
        // RBAC's resourceNames do not see the names in bodies, as in Kubernetes.
        self.run_on(ctx, Verb::Create, target, Selectors::default(), body, work).await
    }

    async fn create_object(
        &self,
        ctx: &RequestContext,
        mut target: Target,
        mut object: Object,
    ) -> Result<Object, ApiError> {
        decode::run(ctx, &mut object, &target, decode::Sent::Whole)?;
        object.name().clone_into(&mut target.name);
        self.commit(ctx, |state| {
            let work = Work::new(self, ctx, &target, state);
            decide(&work, object.clone())
        })
        .await
    }
}

/// Stage 4 for what is created through a subresource.
fn check_part(ctx: &RequestContext, target: &Target, body: &mut Object) -> Result<(), ApiError> {
    let Some(row) = table::body_of(&target.subresource) else { return Ok(()) };
    // The same kind; Kubernetes takes it for good.
    if body.api_version() == "policy/v1beta1" && row.kind == "Eviction" {
        body.set(&["apiVersion"], row.api_version());
    }
    // A status is the answer's: what a client sends of it (client-go an empty one) is not read.
    body.remove(&["status"]);
    let own = Target { row, ..target.clone() }.subresource("");
    decode::run(ctx, body, &own, decode::Sent::Whole)
}

/// The new object and what must hold for it.
fn decide(work: &Work<'_>, mut object: Object) -> Result<Decision<Object>, ApiError> {
    let namespace = open_namespace(work.state, work.target)?;
    metadata::on_create(work, &mut object)?;
    pipeline::admit(work, &mut object, None)?;
    let row = work.target.row;
    let target = Target::object(row, &work.target.namespace, object.name());
    refuse_taken(work.state, &target)?;
    let mut extra = allocate(work, None, Some(&mut object))?;
    extra.preconditions.extend(namespace);
    record_fields(work, &mut object, None);
    Ok(store_object(target.key(), object, Precondition::Absent(target.key()), extra))
}

fn refuse_taken(state: &Arc<State>, target: &Target) -> Result<(), ApiError> {
    match state.get(&target.key()) {
        Some(_) => Err(ApiError::already_exists(target.row.group, target.row.plural, &target.name)),
        None => Ok(()),
    }
}

impl ApiServer {
    /// Creates an object unless something has its name already: what a master does with
    /// [`crate::system_objects::all`] at bootstrap.
    ///
    /// # Errors
    /// [`ApiError`], but never `AlreadyExists`.
    pub async fn apply_missing(&self, ctx: &RequestContext, object: Object) -> Result<(), ApiError> {
        let target = Target::of(&object)?;
        match self.create(ctx, &target, object).await {
            Err(error) if error.reason != Reason::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}
