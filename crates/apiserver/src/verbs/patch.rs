//! A change given as a difference.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::context::RequestContext;
use crate::pipeline::decode;
use crate::server::ApiServer;
use crate::verbs::Target;

/// A difference.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902.
    Json(Value),
}

impl ApiServer {
    /// Changes an object, or a part of it by subresource; gives it as it is stored.
    ///
    /// # Errors
    /// `BadRequest` for a patch that cannot be read, `Invalid` for one that does not
    /// apply or gives a broken object, `Conflict`, `NotFound`, `Forbidden`.
    pub async fn patch(
        &self,
        context: &RequestContext,
        target: &Target,
        patch: &Patch,
    ) -> Result<Object, ApiError> {
        target.named()?;
        self.authorize(context, "patch", target)?;
        if target.subresource == "scale" {
            let scale = super::scale::of(&self.read_current(target).await?);
            return self.update_scale(context, target, &apply(patch, &scale)?).await;
        }
        let stated = stated_revision(patch);
        self.change(context, target, stated.is_some(), |old| {
            let mut new = apply(patch, old)?;
            decode::admit(target, &mut new)?;
            if let Some(revision) = &stated {
                new.set(&["metadata", "resourceVersion"], revision.as_str());
            }
            Ok(new)
        })
        .await
    }
}

/// The resourceVersion that a merge patch insists on.
fn stated_revision(patch: &Patch) -> Option<String> {
    let Patch::Merge(patch) = patch else { return None };
    Some(patch.get("metadata")?.get("resourceVersion")?.as_str()?.to_owned())
}

fn apply(patch: &Patch, old: &Object) -> Result<Object, ApiError> {
    let mut value = old.clone().into_value();
    match patch {
        Patch::Merge(patch) => json_patch::merge(&mut value, patch),
        Patch::Json(patch) => {
            let patch: json_patch::Patch = serde_json::from_value(patch.clone())
                .map_err(|error| ApiError::new(Reason::BadRequest, format!("patch: {error}")))?;
            json_patch::patch(&mut value, &patch).map_err(|error| {
                ApiError::new(Reason::BadRequest, format!("patch: it does not apply: {error}"))
            })?;
        }
    }
    match value {
        Value::Object(map) => Ok(Object::from_map(map)),
        _ => Err(ApiError::new(Reason::BadRequest, "patch: it must leave an object")),
    }
}
