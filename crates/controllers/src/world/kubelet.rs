//! Something like a scheduler and kubelets: binds pods, makes them ready at once, and
//! ends those that are on their way out. Nodes that are not heard of do nothing, and
//! pods of an image named `broken` never become ready.

use serde_json::{Value, json};
use xebec_api::object::Object;

use super::World;
use crate::conditions::{self, Condition};
use crate::pods;
use crate::resources::{NODES, PODS};
use crate::view::View;

impl World {
    /// Whether anything changed.
    pub(super) fn run_kubelets(&mut self) -> bool {
        let mut moved = false;
        for pod in self.list(PODS, None) {
            moved |= self.run_pod(&pod);
        }
        moved
    }

    /// Runs one of the pods that have somewhere to go; `pick` says which.
    pub(crate) fn run_one_pod(&mut self, pick: usize) {
        let pods = self.list(PODS, None);
        for offset in 0..pods.len() {
            if self.run_pod(&pods[(pick + offset) % pods.len()]) {
                return;
            }
        }
    }

    fn run_pod(&mut self, pod: &Object) -> bool {
        let node = pod.text(&["spec", "nodeName"]).to_owned();
        if node.is_empty() {
            let Some(node) = self.pick_node(pod) else { return false };
            self.poke(PODS, pod.namespace(), pod.name(), |pod| pod.set(&["spec", "nodeName"], node));
            return true;
        }
        let heard = |seen: &jiff::Timestamp| self.now.duration_since(*seen).as_secs() == 0;
        if !self.seen.get(&node).is_some_and(heard) {
            return false;
        }
        if pod.is_terminating() {
            self.delete(PODS, pod.namespace(), pod.name(), Some(0));
            return true;
        }
        let broken = pod.get(&["spec", "containers"]).is_some_and(|c| c.to_string().contains("broken"));
        if broken || pods::is_ready(pod) || pods::has_ended(pod) {
            return false;
        }
        let (now, name) = (self.now, pod.name().to_owned());
        let number = self.list(PODS, None).iter().position(|other| other.name() == name);
        self.poke(PODS, pod.namespace(), &name, |pod| {
            let address = format!("10.42.0.{}", number.unwrap_or_default() + 2);
            pod.set(&["status", "phase"], "Running");
            pod.set(&["status", "podIP"], address.clone());
            pod.set(&["status", "podIPs"], json!([{"ip": address}]));
            let ready = Condition { kind: "Ready", status: "True", reason: "", message: String::new() };
            conditions::set(pod, &ready, now);
        });
        true
    }

    fn pick_node(&self, pod: &Object) -> Option<String> {
        let affinity = xebec_api::node_affinity::NodeAffinity::of(pod);
        let fits = |node: &&Object| {
            let free = node.get(&["spec", "taints"]).and_then(Value::as_array).is_none_or(Vec::is_empty);
            affinity.matches_node(node) && (free || pod.get(&["spec", "tolerations"]).is_some())
        };
        let nodes = self.list(NODES, None);
        let best = nodes.iter().filter(fits).min_by_key(|node| self.pods_on(node.name()).len())?;
        Some(best.name().to_owned())
    }
}
