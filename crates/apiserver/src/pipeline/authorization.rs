//! Stage 2: may this user do this. Decided from the applied state, which may be behind:
//! so a refusal is decided a second time behind a barrier. That costs a question to the
//! leader, and comes before flow control: so these have a bound of their own, of which each
//! user has a share, and what is over it ends with 429 instead of 403.

use xebec_api::error::{ApiError, Reason};

use crate::{ApiServer, Attributes, RequestContext, Target, Verb};

/// What a list or watch restricts itself to; a node agent may read only its own pods.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selectors<'a> {
    pub(crate) field: &'a str,
}

impl ApiServer {
    pub(crate) async fn authorize_request(
        &self,
        ctx: &RequestContext,
        verb: Verb,
        target: &Target,
        selectors: Selectors<'_>,
    ) -> Result<(), ApiError> {
        let resource = target.resource();
        let namespace = target.rights_namespace(verb.as_str());
        let mut attributes =
            Attributes::new(verb.as_str(), target.row.group, &resource, namespace, &target.name);
        attributes.field_selector = selectors.field;
        self.check_access(ctx, &attributes).await
    }

    /// Refuses what the user may not do, by this master's own state. For services beside
    /// Resources (logs, exec).
    ///
    /// # Errors
    /// `Forbidden`, logged, in Kubernetes' words.
    pub fn authorize(&self, ctx: &RequestContext, verb: &str, target: &Target) -> Result<(), ApiError> {
        let resource = target.resource();
        let namespace = target.rights_namespace(verb);
        let attributes = Attributes::new(verb, target.row.group, &resource, namespace, &target.name);
        if self.authorizer().allows(&self.state(), &ctx.user, &attributes) {
            return Ok(());
        }
        Err(refused(ctx, &attributes))
    }

    /// Refuses a path that is no resource's to whom no role gives it.
    ///
    /// # Errors
    /// `Forbidden`, logged, in Kubernetes' words.
    pub async fn authorize_path(&self, ctx: &RequestContext, verb: &str, path: &str) -> Result<(), ApiError> {
        self.check_access(ctx, &Attributes::of_path(verb, path)).await
    }

    /// As [`ApiServer::authorize`], but a refusal is decided again behind a barrier.
    ///
    /// # Errors
    /// `Forbidden`, logged, in Kubernetes' words; `TooManyRequests` while too many others of
    /// this user are being decided again.
    pub async fn check_access(
        &self,
        ctx: &RequestContext,
        attributes: &Attributes<'_>,
    ) -> Result<(), ApiError> {
        if self.authorizer().allows(&self.state(), &ctx.user, attributes) {
            return Ok(());
        }
        let _place = self.flow().reconsider(ctx).await?;
        self.barrier().await?;
        if self.authorizer().allows(&self.state(), &ctx.user, attributes) {
            return Ok(());
        }
        Err(refused(ctx, attributes))
    }
}

fn refused(ctx: &RequestContext, attributes: &Attributes<'_>) -> ApiError {
    let message = attributes.refusal(&ctx.user);
    tracing::warn!(audit_id = ctx.audit_id, user = ctx.user.name, message, "refused: not authorised");
    let mut error = ApiError::new(Reason::Forbidden, message);
    for (key, value) in
        [("name", attributes.name), ("group", attributes.group), ("kind", attributes.resource)]
    {
        if !value.is_empty() {
            error.details.insert(key.into(), value.into());
        }
    }
    error
}
