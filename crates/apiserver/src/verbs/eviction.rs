//! The subresource `eviction` of pods: a delete that budgets may refuse. Budgets
//! (PodDisruptionBudget) are not consulted yet, so it is a plain delete.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::{ApiServer, DeleteOptions, RequestContext, Target};

impl ApiServer {
    pub(super) async fn create_eviction(
        &self,
        ctx: &RequestContext,
        target: &Target,
        eviction: &Object,
    ) -> Result<Object, ApiError> {
        if !eviction.name().is_empty() && eviction.name() != target.name {
            let message = format!(
                "name in URL ({}) does not match name in Eviction object ({})",
                target.name,
                eviction.name()
            );
            return Err(ApiError::new(Reason::BadRequest, message));
        }
        let options = options(eviction)?;
        let mut pod = target.clone();
        pod.subresource.clear();
        self.delete_object(ctx, &pod, &options).await?;
        let success =
            json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201});
        let Value::Object(map) = success else { unreachable!("a literal map") };
        Ok(Object::from_map(map))
    }
}

fn options(eviction: &Object) -> Result<DeleteOptions, ApiError> {
    let grace = match eviction.get(&["deleteOptions", "gracePeriodSeconds"]) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let seconds = value.as_u64();
            let message =
                "deleteOptions.gracePeriodSeconds: must be a number that is greater than or equal to 0";
            Some(seconds.ok_or_else(|| ApiError::new(Reason::BadRequest, message))?)
        }
    };
    let precondition = |field: &str| {
        let text = eviction.text(&["deleteOptions", "preconditions", field]);
        (!text.is_empty()).then(|| text.to_owned())
    };
    Ok(DeleteOptions {
        grace_seconds: grace,
        uid: precondition("uid"),
        resource_version: precondition("resourceVersion"),
        ..DeleteOptions::default()
    })
}
