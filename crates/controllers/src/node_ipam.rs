//! Node IPAM: gives every node its slice of the pod network. One key stands for all
//! nodes, so that no two of them can be given the same slice.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::NODES;
use crate::view::View;

const COMPONENT: &str = "node-ipam-controller";

/// See the module.
pub(crate) struct NodeIpam;

impl Controller for NodeIpam {
    fn name(&self) -> &'static str {
        "node-ipam"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        if resource == NODES && slices(object).is_empty() { self.initial(view) } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, _key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let settings = view.settings();
        let Ok(network) = settings.pod_cidr.parse::<Ipv4Net>() else { return plan };
        let nodes = view.list(NODES, None);
        let mut taken: BTreeSet<String> = nodes.iter().flat_map(slices).collect();
        for node in nodes.iter().filter(|node| slices(node).is_empty() && !node.is_terminating()) {
            // A network that is smaller than a slice has none.
            let all = network.subnets(settings.node_prefix).into_iter().flatten();
            let Some(slice) = all.map(|slice| slice.to_string()).find(|slice| !taken.contains(slice)) else {
                let message = format!("Node {} has no slice left in {}", node.name(), settings.pod_cidr);
                plan.record(COMPONENT, node, "CIDRNotAvailable", message);
                continue;
            };
            let mut new = node.clone();
            new.set(&["spec", "podCIDR"], slice.clone());
            new.set(&["spec", "podCIDRs"], json!([slice]));
            plan.update(node, new);
            taken.insert(slice);
        }
        plan
    }

    fn initial(&self, _view: &dyn View) -> Vec<ObjectKey> {
        vec![ObjectKey::new(NODES, "", "*")]
    }
}

fn slices(node: &Object) -> Vec<String> {
    let list = node.get(&["spec", "podCIDRs"]).and_then(Value::as_array).into_iter().flatten();
    let list = list.filter_map(Value::as_str);
    let all = list.chain(Some(node.text(&["spec", "podCIDR"])).filter(|slice| !slice.is_empty()));
    let all: BTreeSet<String> = all.map(str::to_owned).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;
