//! The cluster's DNS servers: a Deployment of two pods behind the Service `kube-dns`, at
//! the tenth address of the Service network, where resolv.conf of every pod points to.

use ipnet::{IpAdd as _, Ipv4Net};
use jiff::Timestamp;
use serde_json::json;
use xebec_api::object::Object;

use super::manifests::SYSTEM;
use super::parting;
use crate::plan::Plan;
use crate::resources::{DEPLOYMENTS, SERVICE_ACCOUNTS, SERVICES};
use crate::view::{ClusterSettings, View};
use crate::wanted::{ensure, object};

/// The name of everything here, as Kubernetes has it.
const NAME: &str = "kube-dns";
/// The Service's place in its network; the allocator gives it to nobody else.
const ADDRESS: u32 = 10;
/// One dies, the other answers.
const REPLICAS: u32 = 2;
const HEALTH_PORT: u16 = 8080;

/// Whether it is one of these objects.
pub(super) fn is_ours(object: &Object) -> bool {
    object.namespace() == SYSTEM && object.name() == NAME
}

/// Makes what is missing and puts right what was changed.
pub(super) fn ensure_all(view: &dyn View, now: Timestamp, plan: &mut Plan) {
    let settings = view.settings();
    if let Some(service) = service(settings) {
        ensure(view, SERVICES, service, plan);
    }
    ensure(view, SERVICE_ACCOUNTS, account(), plan);
    ensure(view, DEPLOYMENTS, deployment(settings), plan);
    parting::part(view, now, NAME, REPLICAS, plan);
}

/// `None` when the settings do not parse.
fn service(settings: &ClusterSettings) -> Option<Object> {
    let network: Ipv4Net = settings.service_cidr.parse().ok()?;
    let address = network.network().saturating_add(ADDRESS).to_string();
    Some(object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": SYSTEM, "name": NAME,
            "labels": {"k8s-app": NAME, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "Xebec"}},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "selector": {"k8s-app": NAME},
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            ]},
    })))
}

/// Bound to the role `system:kube-dns` among the API server's own objects.
fn account() -> Object {
    let metadata = json!({"namespace": SYSTEM, "name": NAME});
    object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
}

/// They reach the masters by the Service `kubernetes`, so that a change of the masters
/// restarts no name server.
fn deployment(settings: &ClusterSettings) -> Object {
    let labels = json!({"k8s-app": NAME});
    let probe = |path: &str| json!({"path": path, "port": HEALTH_PORT, "scheme": "HTTP"});
    let container = json!({
        "name": "dns", "image": settings.system_image, "imagePullPolicy": "IfNotPresent",
        "command": ["/xebec", "dns"],
        "env": [
            {"name": "XEBEC_SERVICE_CIDR", "value": settings.service_cidr},
            {"name": "XEBEC_POD_CIDR", "value": settings.pod_cidr},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
        ],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": probe("/readyz"), "periodSeconds": 1, "timeoutSeconds": 5},
        "livenessProbe": {"httpGet": probe("/healthz"), "periodSeconds": 10, "timeoutSeconds": 5},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}},
    });
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": SYSTEM, "name": NAME, "labels": labels},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": NAME, "dnsPolicy": "Default",
                    "priorityClassName": "system-cluster-critical", "terminationGracePeriodSeconds": 10,
                    "tolerations": [
                        {"key": "CriticalAddonsOnly", "operator": "Exists"},
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
                    ],
                    "topologySpreadConstraints": parting::constraints(NAME),
                    "containers": [container],
                },
            },
        },
    }))
}
