//! NetworkPolicies.

use serde_json::{Value, json};

use super::defaults::{each, fill, spec};
use super::pod_template::label_selector;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::selector::LabelSelector;

/// The strategy of NetworkPolicies.
pub(crate) struct NetworkPolicy;

impl Strategy for NetworkPolicy {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        // What has rules for the way out is a policy for it too.
        let leaves = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
        fill(spec, "policyTypes", if leaves { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
        for direction in ["ingress", "egress"] {
            for rule in each(spec, direction) {
                each(rule, "ports").for_each(|port| fill(port, "protocol", "TCP"));
            }
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        label_selector(&spec.key("podSelector"), &mut errors);
        for kind in spec.items("policyTypes") {
            kind.needs_one_of(&["Egress", "Ingress"], &mut errors);
        }
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in spec.items(direction) {
                ports(&rule, &mut errors);
                rule.items(peers).iter().for_each(|peer| validate_peer(peer, &mut errors));
            }
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("POD-SELECTOR")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let selector = object.get(&["spec", "podSelector"]).map(LabelSelector::from_object);
        let text = selector.unwrap_or_default().to_string();
        vec![if text.is_empty() { "<none>".to_owned() } else { text }]
    }
}

fn ports(rule: &At<'_>, errors: &mut Vec<FieldError>) {
    for port in rule.items("ports") {
        port.key("protocol").one_of(&["SCTP", "TCP", "UDP"], errors);
        let number = port.key("port");
        if number.is_set() {
            number.port_or_name(errors);
        }
        let end = port.key("endPort");
        end.port(errors);
        if end.int().is_some_and(|end| number.int().is_none_or(|start| end < start)) {
            errors.push(end.invalid("must be greater than or equal to `port`"));
        }
    }
}

fn validate_peer(peer: &At<'_>, errors: &mut Vec<FieldError>) {
    let (block, pods, namespaces) =
        (peer.key("ipBlock"), peer.key("podSelector"), peer.key("namespaceSelector"));
    if block.is_set() && (pods.is_set() || namespaces.is_set()) {
        errors.push(peer.forbidden("may not specify both ipBlock and another peer"));
    } else if !block.is_set() && !pods.is_set() && !namespaces.is_set() {
        errors.push(peer.required("must specify a peer"));
    }
    label_selector(&pods, errors);
    label_selector(&namespaces, errors);
    if block.is_set() && block.key("cidr").is_empty() {
        errors.push(block.key("cidr").required(""));
    }
}
