//! The subresource `eviction` of pods: a delete that budgets may refuse. Budgets
//! (PodDisruptionBudget) are not consulted yet, so it is a plain delete.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::{ApiServer, DeleteOptions, RequestContext, Target, options};

impl ApiServer {
    pub(super) async fn create_eviction(
        &self,
        ctx: &RequestContext,
        target: &Target,
        eviction: &Object,
    ) -> Result<Object, ApiError> {
        let (options, tried) = deletion(eviction)?;
        let ctx = RequestContext { dry_run: ctx.dry_run || tried, ..ctx.clone() };
        let mut pod = target.clone();
        pod.subresource.clear();
        self.delete_object(&ctx, &pod, &options).await?;
        let success =
            json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201});
        let Value::Object(map) = success else { unreachable!("a literal map") };
        Ok(Object::from_map(map))
    }
}

/// The options of the delete, and whether it is tried out only: kubectl says so here, and not in the
/// query.
fn deletion(eviction: &Object) -> Result<(DeleteOptions, bool), ApiError> {
    match eviction.get(&["deleteOptions"]) {
        None | Some(Value::Null) => Ok((DeleteOptions::default(), false)),
        Some(Value::Object(map)) => options::of_delete(&Object::from_map(map.clone())),
        Some(_) => Err(ApiError::new(Reason::BadRequest, "deleteOptions: expected an object")),
    }
}
