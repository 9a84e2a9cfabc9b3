//! A small valid object of every kind.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use super::object;

/// An object of a row under a name; what a row needs beside metadata is below.
pub(super) fn sample(row: &Resource, name: &str) -> Object {
    let mut object = object(body(row));
    object.set(&["apiVersion"], row.api_version());
    object.set(&["kind"], row.kind);
    object.set(&["metadata", "name"], name_for(row, name));
    if row.namespaced {
        object.set(&["metadata", "namespace"], "default");
    }
    object
}

/// Some kinds' names say what they are about.
fn name_for(row: &Resource, name: &str) -> String {
    match row.kind {
        "IPAddress" => format!("10.0.0.{}", 1 + name.bytes().map(u32::from).sum::<u32>() % 250),
        "CustomResourceDefinition" => format!("{name}s.example.com"),
        "APIService" => format!("v1.{name}.example.com"),
        _ => name.to_owned(),
    }
}

fn pod_spec(restart: &str) -> Value {
    json!({"restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]})
}

fn template(restart: &str) -> Value {
    json!({"metadata": {"labels": {"app": "a"}}, "spec": pod_spec(restart)})
}

fn selector() -> Value {
    json!({"matchLabels": {"app": "a"}})
}

fn body(row: &Resource) -> Value {
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    match row.kind {
        "Pod" => json!({"spec": pod_spec("Always")}),
        "PodTemplate" => json!({"template": template("Always")}),
        "Deployment" | "ReplicaSet" | "DaemonSet" => {
            json!({"spec": {"selector": selector(), "template": template("Always")}})
        }
        "StatefulSet" => {
            json!({"spec": {"serviceName": "s", "selector": selector(), "template": template("Always")}})
        }
        "ReplicationController" => {
            json!({"spec": {"selector": {"app": "a"}, "template": template("Always")}})
        }
        "Job" => json!({"spec": {"template": template("Never")}}),
        "CronJob" => {
            json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template("Never")}}}})
        }
        "Service" => json!({"spec": {"ports": [{"port": 80}]}}),
        "EndpointSlice" => json!({"addressType": "IPv4", "endpoints": []}),
        "PersistentVolumeClaim" => json!({"spec": claim}),
        "PersistentVolume" => {
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/tmp"}}})
        }
        "RoleBinding" | "ClusterRoleBinding" => json!({"roleRef": role_ref, "subjects": []}),
        "Event" if row.group.is_empty() => {
            json!({"involvedObject": {"namespace": "default", "name": "a", "kind": "Pod"}})
        }
        "HorizontalPodAutoscaler" => json!({"spec": {"maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}),
        "Ingress" => json!({"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}}),
        "IngressClass" => json!({"spec": {"controller": "example.com/controller"}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": {}}}),
        "StorageClass" => json!({"provisioner": "example.com/p"}),
        "PriorityClass" => json!({"value": 7}),
        "CertificateSigningRequest" => {
            json!({"spec": {"request": "LS0tLS1CRUdJTg==", "usages": ["client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client"}})
        }
        "CustomResourceDefinition" => json!({"spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "firsts", "singular": "first", "kind": "First", "listKind": "FirstList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
        "RuntimeClass" => json!({"handler": "h"}),
        _ => json!({}),
    }
}

/// A status that the row's type knows.
pub(super) fn status(row: &Resource, name: &str) -> Value {
    let candidates = [
        json!({"observedGeneration": 7}),
        json!({"phase": "Failed"}),
        json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
        json!({"conditions": [{"type": "T", "status": "True"}]}),
        json!({"conditions": [{"type": "T", "status": "True", "reason": "R", "message": "",
            "lastTransitionTime": "2026-11-24T10:00:00Z"}]}),
        json!({"lastScheduleTime": "2026-11-24T10:00:00Z"}),
        json!({"attached": true}),
        json!({"hard": {"pods": "3"}}),
        json!({"active": 1}),
        json!({"reservedFor": [{"resource": "pods", "name": "a", "uid": "1"}]}),
    ];
    let fits = |status: &Value| {
        let mut object = sample(row, name);
        object.set(&["status"], status.clone());
        (row.check)(&object).is_ok_and(|unknown| unknown.is_empty())
    };
    candidates.into_iter().find(fits).unwrap_or_else(|| panic!("no status fits {}", row.kind))
}
