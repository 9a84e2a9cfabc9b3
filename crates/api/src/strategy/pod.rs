//! Pods.

mod columns;
mod update;

use serde_json::json;

use super::defaults::{fill, spec};
use super::pod_spec::{self, Workload};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::{list, qos_class};
use crate::resource::{Column, Strategy};

/// The strategy of Pods.
pub(crate) struct Pod;

impl Strategy for Pod {
    fn prepare_create(&self, object: &mut Object) {
        // QoS counts limits as requests, so it does not wait for the defaults.
        object.set(&["status"], json!({"phase": "Pending", "qosClass": qos_class(object)}));
        if list(object, &["spec", "schedulingGates"]).next().is_some() {
            // Nobody looks at it before they are gone, so nobody else says why.
            object.set(
                &["status", "conditions"],
                json!([{
                    "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }]),
            );
        }
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        update::carry_over(new, old);
    }

    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "enableServiceLinks", true);
        pod_spec::host_ports(spec);
        pod_spec::requests_from_limits(spec);
        pod_spec::default_fields(spec);
        if object.get(&["status", "phase"]).is_none() {
            object.set(&["status", "phase"], "Pending");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        pod_spec::validate(&At::field(object, "spec"), Workload::Pod)
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        update::validate(new, old)
    }

    fn default_grace_seconds(&self, object: &Object) -> Option<u32> {
        let seconds = object.get(&["spec", "terminationGracePeriodSeconds"])?.as_u64()?;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "spec.hostNetwork" => Some(crate::pod::is_host_network(object).to_string()),
            "spec.nodeName"
            | "spec.restartPolicy"
            | "spec.schedulerName"
            | "spec.serviceAccountName"
            | "status.phase"
            | "status.podIP"
            | "status.nominatedNodeName" => {
                let (part, name) = field.split_once('.')?;
                Some(object.text(&[part, name]).to_owned())
            }
            _ => None,
        }
    }

    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        columns::cells(object, now)
    }
}
