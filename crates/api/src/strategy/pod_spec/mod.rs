//! The pod spec, which pods and the templates of all workloads share: its defaults here,
//! its rules in the files beside.

mod affinity;
mod containers;
mod env;
mod network;
mod probes;
mod resources;
mod scheduling;
mod validate;
mod volumes;

use serde_json::{Map, Value, json};

use super::defaults::{each, fill, inner, made};
pub(super) use validate::{Workload, validate};

type Fields = Map<String, Value>;

/// Fills in what the Kubernetes API reference gives a pod spec.
pub(super) fn default_fields(spec: &mut Fields) {
    fill(spec, "restartPolicy", "Always");
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "schedulerName", "default-scheduler");
    fill(spec, "securityContext", Map::new());
    same_service_account(spec);
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(default_container);
    }
    each(spec, "volumes").for_each(default_volume);
}

/// `serviceAccount` is the older name of `serviceAccountName`; both always say the same.
fn same_service_account(spec: &mut Fields) {
    let name = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    if let Some(name) = name {
        spec.insert("serviceAccountName".to_owned(), name.clone());
        spec.insert("serviceAccount".to_owned(), name);
    }
}

fn default_container(container: &mut Fields) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = pull_policy(image);
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    fill(container, "resources", Map::new());
    each(container, "ports").for_each(|port| fill(port, "protocol", "TCP"));
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = inner(container, name) {
            default_probe(probe);
        }
    }
    for name in ["postStart", "preStop"] {
        if let Some(handler) = inner(container, "lifecycle").and_then(|lifecycle| inner(lifecycle, name)) {
            default_handler(handler);
        }
    }
    for variable in each(container, "env") {
        if let Some(field) = inner(variable, "valueFrom").and_then(|from| inner(from, "fieldRef")) {
            fill(field, "apiVersion", "v1");
        }
    }
}

/// `:latest`, said or meant, is pulled each time.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let pinned = name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
    if pinned { "IfNotPresent" } else { "Always" }
}

fn default_probe(probe: &mut Fields) {
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        // Zero means "not given" here, as in Kubernetes.
        if probe.get(field).and_then(Value::as_i64).unwrap_or_default() == 0 {
            probe.insert(field.to_owned(), value.into());
        }
    }
    default_handler(probe);
}

fn default_handler(handler: &mut Fields) {
    if let Some(http) = inner(handler, "httpGet") {
        fill(http, "path", "/");
        fill(http, "scheme", "HTTP");
    }
    if let Some(grpc) = inner(handler, "grpc") {
        fill(grpc, "service", "");
    }
}

fn default_volume(volume: &mut Fields) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = inner(volume, source) {
            fill(source, "defaultMode", 0o644);
        }
    }
    if let Some(path) = inner(volume, "hostPath") {
        fill(path, "type", "");
    }
    default_field_refs(inner(volume, "downwardAPI"));
    let Some(projected) = inner(volume, "projected") else { return };
    for source in each(projected, "sources") {
        if let Some(token) = inner(source, "serviceAccountToken") {
            fill(token, "expirationSeconds", 3600);
        }
        default_field_refs(inner(source, "downwardAPI"));
    }
}

fn default_field_refs(downward: Option<&mut Fields>) {
    for item in downward.into_iter().flat_map(|source| each(source, "items")) {
        if let Some(field) = inner(item, "fieldRef") {
            fill(field, "apiVersion", "v1");
        }
    }
}

/// What a limit without a request asks for. Pods only: templates keep what was written.
pub(super) fn requests_from_limits(spec: &mut Fields) {
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            let Some(resources) = inner(container, "resources") else { continue };
            let limits = resources.get("limits").and_then(Value::as_object).cloned();
            let Some(limits) = limits.filter(|limits| !limits.is_empty()) else { continue };
            let Some(requests) = made(resources, "requests") else { continue };
            for (name, limit) in limits {
                fill(requests, &name, limit);
            }
        }
    }
}

/// On the host's network a container's port is the host's. Pods only.
pub(super) fn host_ports(spec: &mut Fields) {
    if spec.get("hostNetwork") != Some(&Value::Bool(true)) {
        return;
    }
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            for port in each(container, "ports") {
                // Zero means "not given" here, as in Kubernetes.
                let given = port.get("hostPort").and_then(Value::as_i64).unwrap_or_default() != 0;
                if let Some(number) = port.get("containerPort").filter(|_| !given).cloned() {
                    port.insert("hostPort".to_owned(), number);
                }
            }
        }
    }
}
