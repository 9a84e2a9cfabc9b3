//! The system's own objects, written out.

use std::collections::BTreeMap;

use ipnet::{IpAdd as _, Ipv4Net};
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use crate::endpoint_slice::MANAGED_BY;
use crate::view::ClusterSettings;
use crate::wanted::object;

pub(super) const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
pub(super) const KUBERNETES: &str = "kubernetes";
pub(super) const PROXY: &str = "kube-proxy";
pub(super) const SYSTEM: &str = "kube-system";
/// The ConfigMap that says where the masters are, and its key.
pub(super) const MASTERS: &str = "masters";
const SERVERS: &str = "servers";

pub(super) fn namespace(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

/// `default/kubernetes`, at the first address of the Service network. `None` when the
/// settings do not parse.
pub(super) fn kubernetes_service(settings: &ClusterSettings, masters: &[String]) -> Option<Object> {
    let network: Ipv4Net = settings.service_cidr.parse().ok()?;
    let address = network.network().saturating_add(1).to_string();
    let port = masters.iter().filter_map(|master| split(master)).map(|(_, port)| port).min()?;
    Some(object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": KUBERNETES,
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]},
    })))
}

/// The masters by port; the first slice is named as the Service is.
pub(super) fn kubernetes_slices(masters: &[String]) -> Vec<Object> {
    let mut ports: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for (host, port) in masters.iter().filter_map(|master| split(master)) {
        let endpoint = json!({"addresses": [host], "conditions": {"ready": true, "serving": true, "terminating": false}});
        ports.entry(port).or_default().push(endpoint);
    }
    let first = ports.keys().next().copied();
    let name =
        |port| if Some(port) == first { KUBERNETES.to_owned() } else { format!("{KUBERNETES}-{port}") };
    ports
        .into_iter()
        .map(|(port, endpoints)| {
            object(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"namespace": "default", "name": name(port),
                    "labels": {SERVICE_NAME: KUBERNETES, MANAGED_BY: "xebec-system-components"}},
                "addressType": "IPv4",
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
                "endpoints": endpoints,
            }))
        })
        .collect()
}

fn split(master: &str) -> Option<(&str, u16)> {
    let (host, port) = master.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Bound to the role `system:node-proxier` among the API server's own objects.
pub(super) fn proxy_account() -> Object {
    object(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": SYSTEM, "name": PROXY}}),
    )
}

/// Where the masters are, for who cannot ask their Service.
pub(super) fn masters(masters: &[String]) -> Object {
    let mut masters = masters.to_vec();
    masters.sort();
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": SYSTEM, "name": MASTERS},
        "data": {SERVERS: masters.join(",")},
    }))
}

/// The proxy on every node. It begins with the masters' own addresses, since the Service
/// `kubernetes` works only once it does, and goes on by that. The template does not name
/// them: a master that comes or goes would have every node's connections cut.
pub(super) fn proxy_daemon_set(settings: &ClusterSettings) -> Object {
    let labels = json!({"k8s-app": PROXY});
    let field = |path: &str| json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}});
    let container = json!({
        "name": PROXY, "image": settings.system_image, "imagePullPolicy": "IfNotPresent",
        "command": ["/xebec", "proxy"],
        "env": [
            {"name": "XEBEC_SERVERS", "valueFrom": {"configMapKeyRef": {"name": MASTERS, "key": SERVERS}}},
            {"name": "XEBEC_SERVICE_CIDR", "value": settings.service_cidr},
            {"name": "XEBEC_POD_CIDR", "value": settings.pod_cidr},
            {"name": "NODE_NAME", "valueFrom": field("spec.nodeName")},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {"privileged": true},
    });
    object(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"namespace": SYSTEM, "name": PROXY, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": true, "serviceAccountName": PROXY, "priorityClassName": "system-node-critical",
                    "terminationGracePeriodSeconds": 5,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [container],
                },
            },
        },
    }))
}
