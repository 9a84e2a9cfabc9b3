//! May this user do this? Refusals are logged.

use xebec_api::error::{ApiError, Reason};
use xebec_api::field_selector::FieldSelector;

use crate::authorizer::Attributes;
use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;

impl ApiServer {
    /// # Errors
    /// `Forbidden`, in Kubernetes' words.
    pub fn authorize(&self, context: &RequestContext, verb: &str, target: &Target) -> Result<(), ApiError> {
        self.authorize_selected(context, verb, target, &FieldSelector::default())
    }

    /// As [`ApiServer::authorize`], for a collection that is narrowed by fields: a node
    /// may list its own pods.
    ///
    /// # Errors
    /// `Forbidden`, in Kubernetes' words.
    pub fn authorize_selected(
        &self,
        context: &RequestContext,
        verb: &str,
        target: &Target,
        fields: &FieldSelector,
    ) -> Result<(), ApiError> {
        let attributes = Attributes {
            user: &context.user,
            verb,
            group: target.row.group,
            resource: target.row.plural,
            subresource: &target.subresource,
            namespace: &target.namespace,
            name: &target.name,
            fields,
        };
        if self.authorizer.allows(&attributes, &self.store.state()) {
            return Ok(());
        }
        let error = forbidden(&attributes);
        tracing::warn!(user = context.user.name, verb, audit_id = context.audit_id, "refused: {error}");
        Err(error)
    }
}

fn forbidden(asked: &Attributes<'_>) -> ApiError {
    let sub = if asked.subresource.is_empty() { String::new() } else { format!("/{}", asked.subresource) };
    let scope = match asked.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let name = if asked.name.is_empty() { String::new() } else { format!(" {:?}", asked.name) };
    let dot = if asked.group.is_empty() { "" } else { "." };
    let (resource, group) = (asked.resource, asked.group);
    let message = format!(
        "{resource}{dot}{group}{name} is forbidden: User {:?} cannot {} resource \"{resource}{sub}\" in API group {group:?} {scope}",
        asked.user.name, asked.verb
    );
    ApiError::new(Reason::Forbidden, message)
}
