//! One object, linearizable.

use xebec_api::error::ApiError;
use xebec_api::object::Object;

use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::versioned;

impl ApiServer {
    /// Reads one object.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, or what the store says.
    pub async fn get(&self, context: &RequestContext, target: &Target) -> Result<Object, ApiError> {
        target.named()?;
        self.authorize(context, "get", target)?;
        self.store.barrier().await?;
        let object = self.read(target)?.ok_or_else(|| target.not_found())?;
        if target.subresource == "scale" {
            return Ok(super::scale::of(&object));
        }
        Ok(object)
    }

    /// The object in the applied state.
    pub(crate) fn read(&self, target: &Target) -> Result<Option<Object>, ApiError> {
        self.store.state().get(&target.key()).map(versioned::to_object).transpose()
    }

    /// The object in the applied state, or behind a barrier when it is not there yet.
    pub(crate) async fn read_current(&self, target: &Target) -> Result<Object, ApiError> {
        if let Some(object) = self.read(target)? {
            return Ok(object);
        }
        self.store.barrier().await?;
        self.read(target)?.ok_or_else(|| target.not_found())
    }
}
