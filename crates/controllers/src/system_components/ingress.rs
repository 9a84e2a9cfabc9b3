//! The ingress: its class, a Deployment of two pods, and the Service whose node ports lead to
//! them. Its rights are the role `system:ingress` among the API server's own objects.

use jiff::Timestamp;
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::well_known::IS_DEFAULT_INGRESS_CLASS;
use xebec_dataplane::ingress::CONTROLLER;

use super::manifests::SYSTEM;
use super::parting;
use crate::plan::Plan;
use crate::resources::{DEPLOYMENTS, INGRESS_CLASSES, SERVICE_ACCOUNTS, SERVICES};
use crate::view::{ClusterSettings, View};
use crate::wanted::{ensure, object};

const NAME: &str = "ingress";
const CLASS: &str = "xebec";
/// One dies, the other answers.
const REPLICAS: u32 = 2;
/// Where every node takes HTTP and HTTPS for it.
const HTTP_NODE_PORT: u16 = 30880;
const HTTPS_NODE_PORT: u16 = 30443;
/// Above what `xebec ingress` takes to let requests finish.
const GRACE_SECONDS: u32 = 30;

/// Whether an object is one of these.
pub(super) fn is_ours(resource: &str, object: &Object) -> bool {
    match resource {
        INGRESS_CLASSES => object.name() == CLASS,
        DEPLOYMENTS | SERVICES | SERVICE_ACCOUNTS => object.namespace() == SYSTEM && object.name() == NAME,
        _ => false,
    }
}

/// Makes what is missing and puts right what was changed.
pub(super) fn ensure_all(view: &dyn View, now: Timestamp, plan: &mut Plan) {
    ensure(view, INGRESS_CLASSES, class(), plan);
    ensure(view, SERVICE_ACCOUNTS, account(), plan);
    ensure(view, SERVICES, service(), plan);
    ensure(view, DEPLOYMENTS, deployment(view.settings()), plan);
    parting::part(view, now, NAME, REPLICAS, plan);
}

fn class() -> Object {
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": CLASS, "annotations": {IS_DEFAULT_INGRESS_CLASS: "true"}},
        "spec": {"controller": CONTROLLER},
    }))
}

fn account() -> Object {
    object(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": SYSTEM, "name": NAME}}),
    )
}

fn service() -> Object {
    let port = |name: &str, port: u16, node_port: u16| json!({"name": name, "port": port, "protocol": "TCP", "targetPort": name, "nodePort": node_port});
    object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": SYSTEM, "name": NAME, "labels": {"k8s-app": NAME}},
        "spec": {
            "type": "NodePort", "selector": {"k8s-app": NAME},
            "ports": [port("http", 80, HTTP_NODE_PORT), port("https", 443, HTTPS_NODE_PORT)],
        },
    }))
}

/// Two pods, on two nodes where there are two. They reach the masters by the Service
/// `kubernetes`, so that a change of the masters restarts none.
fn deployment(settings: &ClusterSettings) -> Object {
    let labels = json!({"k8s-app": NAME});
    let container = json!({
        "name": NAME, "image": settings.system_image, "imagePullPolicy": "IfNotPresent",
        "command": ["/xebec", "ingress"],
        "ports": [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "https", "containerPort": 8443, "protocol": "TCP"},
        ],
        // It listens once it knows every rule.
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 2},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
    });
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": SYSTEM, "name": NAME, "labels": labels},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": NAME, "priorityClassName": "system-cluster-critical",
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "topologySpreadConstraints": parting::constraints(NAME),
                    "containers": [container],
                },
            },
        },
    }))
}
