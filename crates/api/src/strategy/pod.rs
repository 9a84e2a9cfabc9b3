//! Pods.

use crate::object::Object;
use crate::resource::Strategy;

/// The strategy of Pods.
pub(crate) struct Pod;

impl Strategy for Pod {
    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        let path = match field {
            "spec.nodeName"
            | "spec.restartPolicy"
            | "spec.schedulerName"
            | "spec.serviceAccountName"
            | "status.phase"
            | "status.podIP"
            | "status.nominatedNodeName" => field.split_once('.')?,
            _ => return None,
        };
        Some(object.text(&[path.0, path.1]).to_owned())
    }
}
