//! Get: one object, linearizable.

use xebec_api::error::ApiError;
use xebec_api::object::Object;

use super::{method_not_allowed, read, scale};
use crate::pipeline::Selectors;
use crate::{ApiServer, RequestContext, Target, Verb};

impl ApiServer {
    /// Reads one object, or its subresource `status` (the whole object) or `scale`.
    ///
    /// # Errors
    /// [`ApiError`]; `NotFound` when it is not there.
    pub async fn get(&self, ctx: &RequestContext, target: &Target) -> Result<Object, ApiError> {
        let work = async {
            target.check_scope(true)?;
            target.check_name()?;
            self.barrier().await?;
            let object = read(&self.state(), target)?;
            match target.subresource.as_str() {
                "" | "status" | "approval" => Ok(object),
                "scale" => Ok(scale::of(&object)),
                _ => Err(method_not_allowed(target, "get")),
            }
        };
        self.run(ctx, Verb::Get, target, Selectors::default(), work).await
    }
}
