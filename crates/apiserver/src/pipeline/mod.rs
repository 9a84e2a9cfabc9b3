//! The way of every request, in its final order; one stage, one file. Authentication
//! happens in the face (`grpc/`), since it needs the connection; it makes the
//! [`RequestContext`] without which nothing here can be called.

pub(crate) mod audit;
mod authentication;
mod authorization;
pub(crate) mod decode;
mod defaulting;
mod flow_control;
mod ingress_class;
mod limits;
mod memory_toleration;
mod mutating_admission;
mod pod_security;
mod priority;
mod propose;
mod pull_secrets;
pub(crate) mod quota;
mod requestor;
mod validation;

use std::future::ready;
use std::sync::Arc;

use jiff::Timestamp;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;
use xebec_state::State;

pub(crate) use authorization::Selectors;
pub(crate) use flow_control::FlowControl;
pub(crate) use propose::Decision;

use crate::{ApiServer, RequestContext, Settings, Target, Verb};

/// What the stages of one decision share. A decision that is taken again after a
/// conflict gets a fresh one.
pub(crate) struct Work<'a> {
    pub(crate) server: &'a ApiServer,
    pub(crate) ctx: &'a RequestContext,
    pub(crate) target: &'a Target,
    pub(crate) state: &'a Arc<State>,
    pub(crate) now: Timestamp,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        server: &'a ApiServer,
        ctx: &'a RequestContext,
        target: &'a Target,
        state: &'a Arc<State>,
    ) -> Self {
        let now = server.settings().clock.now();
        Self { server, ctx, target, state, now }
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.server.settings()
    }
}

/// The stages between decode and propose, on an object whose metadata is complete.
pub(crate) fn admit(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    mutating_admission::run(work, new, old)?;
    pull_secrets::copy(work, new, old)?;
    requestor::record(work, new, old);
    ingress_class::give_default(work, new, old)?;
    defaulting::run(work, new);
    limits::give_defaults(work, new, old)?;
    validation::run(work, new, old)?;
    pod_security::check(work, new, old)?;
    limits::check(work, new, old)
}

/// What admission refuses, in Kubernetes' words.
fn forbidden(row: &Resource, name: &str, why: &str) -> ApiError {
    let dot = if row.group.is_empty() { "" } else { "." };
    let message = format!("{}{dot}{} {name:?} is forbidden: {why}", row.plural, row.group);
    let mut error = ApiError::new(Reason::Forbidden, message);
    for (key, value) in [("name", name), ("group", row.group), ("kind", row.plural)] {
        if !value.is_empty() {
            error.details.insert(key.into(), value.into());
        }
    }
    error
}

impl ApiServer {
    /// Takes a request through authorisation and flow control to its verb, within its
    /// timeout, and records how it ended.
    pub(crate) async fn run<T>(
        &self,
        ctx: &RequestContext,
        verb: Verb,
        target: &Target,
        selectors: Selectors<'_>,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        self.run_on(ctx, verb, target, selectors, ready(Ok(())), |()| work).await
    }

    /// As [`ApiServer::run`], for work on a body: that is waited for and decoded only for who
    /// may send it, and holds no place of what is in work until it is there.
    pub(crate) async fn run_on<B, T, W>(
        &self,
        ctx: &RequestContext,
        verb: Verb,
        target: &Target,
        selectors: Selectors<'_>,
        body: impl Future<Output = Result<B, ApiError>>,
        work: impl FnOnce(B) -> W,
    ) -> Result<T, ApiError>
    where
        W: Future<Output = Result<T, ApiError>>,
    {
        let request = async {
            if table::is_review(target.row) && verb != Verb::Create {
                return Err(only_asked(target, verb));
            }
            self.authorize_request(ctx, verb, target, selectors).await?;
            let on_its_way = self.flow().receive(ctx, verb).await?;
            let body = body.await?;
            let _in_work = self.flow().enter(ctx, verb).await?;
            drop(on_its_way);
            work(body).await
        };
        let outcome = match tokio::time::timeout(ctx.timeout, request).await {
            Ok(outcome) => outcome,
            Err(_) => Err(too_late(verb)),
        };
        audit::record(ctx, verb, target, outcome.as_ref().err());
        outcome
    }
}

/// There is nothing to read or change of a kind that is never stored.
fn only_asked(target: &Target, verb: Verb) -> ApiError {
    let message = format!("{} is not supported on {}: create one", verb.as_str(), target.qualified());
    ApiError::new(Reason::MethodNotAllowed, message)
}

fn too_late(verb: Verb) -> ApiError {
    let what =
        if verb.is_read() { "" } else { "; the write may have happened: read again before you repeat it" };
    ApiError::new(Reason::Timeout, format!("the request did not end within its deadline{what}"))
}
