//! What the agent tells of its pods: Kubernetes Events. Best effort, never in the way.

use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;

use crate::node_object::now;
use crate::run::Agent;

/// Records one event about a pod.
pub(crate) async fn record(agent: &Agent, pod: &Object, warning: bool, reason: &str, message: &str) {
    let time = rfc3339(now());
    let mut event = Object::default();
    event.set(&["apiVersion"], "v1");
    event.set(&["kind"], "Event");
    let name = format!("{}.{:016x}", pod.name(), rand::random::<u64>());
    event.set(&["metadata"], json!({"name": name, "namespace": pod.namespace()}));
    event.set(
        &["involvedObject"],
        json!({"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid()}),
    );
    event.set(&["type"], if warning { "Warning" } else { "Normal" });
    event.set(&["reason"], reason);
    event.set(&["message"], message);
    event.set(&["source"], json!({"component": "kubelet", "host": agent.config.name}));
    event.set(&["firstTimestamp"], time.as_str());
    event.set(&["lastTimestamp"], time);
    event.set(&["count"], 1);
    let row = table::find("", "events").expect("a built-in kind");
    if let Err(error) = agent.client.create(row, &event).await {
        tracing::debug!(%error, reason, "an event was not taken");
    }
}
