//! One pod as an endpoint of one Service.

use std::net::IpAddr;

use serde_json::{Value, json};
use xebec_api::object::Object;

use crate::pods;

/// The endpoint; `None` for a pod without an address of the family, or one that has ended.
pub(crate) fn of(service: &Object, pod: &Object, family: &str) -> Option<Value> {
    if pods::has_ended(pod) {
        return None;
    }
    let address = address(pod, family)?;
    let unready_too = service.get(&["spec", "publishNotReadyAddresses"]) == Some(&Value::Bool(true));
    let (serving, terminating) = (pods::is_ready(pod), pod.is_terminating());
    let ready = unready_too || (serving && !terminating);
    let mut endpoint = json!({
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid()},
    });
    let node = pod.text(&["spec", "nodeName"]);
    if !node.is_empty() {
        endpoint["nodeName"] = node.into();
    }
    let hostname = pod.text(&["spec", "hostname"]);
    if !hostname.is_empty() && pod.text(&["spec", "subdomain"]) == service.name() {
        endpoint["hostname"] = hostname.into();
    }
    Some(endpoint)
}

fn address(pod: &Object, family: &str) -> Option<String> {
    let list = pod.get(&["status", "podIPs"]).and_then(Value::as_array).into_iter().flatten();
    let list = list.filter_map(|entry| entry.get("ip")?.as_str());
    let mut all = list.chain(std::iter::once(pod.text(&["status", "podIP"])));
    let of_family =
        |text: &&str| text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4() == (family == "IPv4"));
    all.find(of_family).map(str::to_owned)
}

/// A Service's ports with the numbers that they have on this pod.
pub(crate) fn ports(service: &Object, pod: &Object) -> Value {
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let resolved = ports.filter_map(|port| {
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        let number = match port.get("targetPort") {
            Some(Value::String(name)) => named(pod, name, protocol)?,
            Some(target) if target.as_u64().is_some_and(|number| number > 0) => target.as_u64()?,
            _ => port.get("port")?.as_u64()?,
        };
        let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut entry = json!({"name": name, "port": number, "protocol": protocol});
        if let Some(protocol) = port.get("appProtocol") {
            entry["appProtocol"] = protocol.clone();
        }
        Some(entry)
    });
    resolved.collect()
}

fn named(pod: &Object, name: &str, protocol: &str) -> Option<u64> {
    let list = |key| pod.get(&["spec", key]).and_then(Value::as_array).into_iter().flatten();
    let containers = list("containers").chain(list("initContainers"));
    let mut ports = containers.filter_map(|container| container.get("ports")?.as_array()).flatten();
    let port = ports.find(|port| {
        let text = |key| port.get(key).and_then(Value::as_str);
        text("name") == Some(name) && text("protocol").unwrap_or("TCP") == protocol
    })?;
    port.get("containerPort")?.as_u64()
}
