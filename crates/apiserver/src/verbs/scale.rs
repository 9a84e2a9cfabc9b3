//! The `scale` subresource of workloads, as autoscaling/v1 has it.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;

/// A workload as its Scale.
pub(crate) fn of(object: &Object) -> Object {
    let selector = object.get(&["spec", "selector"]).map(LabelSelector::from_object).unwrap_or_default();
    let number = |path: &[&str]| object.get(path).and_then(Value::as_i64).unwrap_or_default();
    let mut scale = Object::default();
    scale.set(&["apiVersion"], "autoscaling/v1");
    scale.set(&["kind"], "Scale");
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        scale.set(&["metadata", field], object.text(&["metadata", field]));
    }
    scale.set(&["spec"], json!({"replicas": number(&["spec", "replicas"])}));
    scale.set(
        &["status"],
        json!({"replicas": number(&["status", "replicas"]), "selector": selector.to_string()}),
    );
    scale
}

impl ApiServer {
    pub(crate) async fn update_scale(
        &self,
        context: &RequestContext,
        target: &Target,
        scale: &Object,
    ) -> Result<Object, ApiError> {
        let replicas = scale.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
        if !(0..=i64::from(i32::MAX)).contains(&replicas) {
            let cause =
                FieldError::invalid("spec.replicas", format!("Invalid value: {replicas}: must be 0 or more"));
            return Err(ApiError::invalid("autoscaling", "Scale", &target.name, vec![cause]));
        }
        let workload = Target { subresource: String::new(), ..target.clone() };
        let version = scale.resource_version().to_owned();
        let changed = self.change(context, &workload, !version.is_empty(), |old| {
            let mut new = old.clone();
            new.set(&["spec", "replicas"], replicas);
            if version.is_empty() {
                new.remove(&["metadata", "resourceVersion"]);
            } else {
                new.set(&["metadata", "resourceVersion"], version.as_str());
            }
            Ok(new)
        });
        Ok(of(&changed.await?))
    }
}
