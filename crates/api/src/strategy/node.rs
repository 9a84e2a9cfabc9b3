//! Nodes.

use serde_json::Value;

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod::{condition, list};
use crate::resource::{Column, Strategy};
use crate::table_view::age;

const ROLE_LABEL: &str = "node-role.kubernetes.io/";
const OLD_ROLE_LABEL: &str = "kubernetes.io/role";

/// The strategy of Nodes.
pub(crate) struct Node;

impl Strategy for Node {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        let mut seen = Vec::new();
        for taint in spec.items("taints") {
            taint.key("key").needs(name::qualified, &mut errors);
            taint.key("value").obeys(name::label_value, &mut errors);
            let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            taint.key("effect").needs_one_of(&effects, &mut errors);
            let identity = (taint.text_of("key"), taint.text_of("effect"));
            if seen.contains(&identity) {
                errors.push(taint.duplicate());
            }
            seen.push(identity);
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (new, old) = (At::field(new, "spec"), At::field(old, "spec"));
        for field in ["podCIDR", "podCIDRs", "providerID"] {
            if !old.key(field).is_empty() && new.key(field).value != old.key(field).value {
                let why = "node updates may not change it except from \"\" to valid";
                errors.push(new.key(field).forbidden(why));
            }
        }
        errors
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        let unschedulable = object.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true));
        (field == "spec.unschedulable").then(|| unschedulable.to_string())
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("NAME"),
                Column::shown("STATUS"),
                Column::shown("ROLES"),
                Column::shown("AGE"),
                Column::shown("VERSION"),
                Column::wide("INTERNAL-IP"),
                Column::wide("EXTERNAL-IP"),
                Column::wide("OS-IMAGE"),
                Column::wide("KERNEL-VERSION"),
                Column::wide("CONTAINER-RUNTIME"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let info = |field| match object.text(&["status", "nodeInfo", field]) {
            "" => "<unknown>".to_owned(),
            text => text.to_owned(),
        };
        vec![
            object.name().to_owned(),
            status(object),
            roles(object),
            age(object, now),
            object.text(&["status", "nodeInfo", "kubeletVersion"]).to_owned(),
            address(object, "InternalIP"),
            address(object, "ExternalIP"),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    }
}

fn status(node: &Object) -> String {
    let ready = condition(node, "Ready").and_then(|c| c.get("status")).and_then(Value::as_str);
    let mut status = match ready {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Object) -> String {
    let mut roles: Vec<&str> = node
        .labels()
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_LABEL) {
            Some(role) if !role.is_empty() => Some(role),
            _ if key == OLD_ROLE_LABEL && !value.is_empty() => Some(value),
            _ => None,
        })
        .collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

fn address(node: &Object, kind: &str) -> String {
    let found = list(node, &["status", "addresses"]).find(|a| a.get("type") == Some(&kind.into()));
    let text = found.and_then(|address| address.get("address")?.as_str());
    text.unwrap_or("<none>").to_owned()
}
