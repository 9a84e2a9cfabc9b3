//! What can be done with a row and with its subresources, and the categories by which
//! people ask for many kinds at once. Only what this server does is listed.

use xebec_api::resource::Resource;
use xebec_api::table;

const STORED: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STORED_ONE_BY_ONE: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const READ: &[&str] = &["get", "list"];
const PART: &[&str] = &["get", "patch", "update"];
const CREATED: &[&str] = &["create"];
const STREAM: &[&str] = &["create", "get"];

/// What `kubectl get all` shows.
const ALL: [&str; 10] = [
    "pods",
    "replicationcontrollers",
    "services",
    "apps/daemonsets",
    "apps/deployments",
    "apps/replicasets",
    "apps/statefulsets",
    "autoscaling/horizontalpodautoscalers",
    "batch/cronjobs",
    "batch/jobs",
];
/// What extends the API.
const EXTENSIONS: [&str; 6] = [
    "apiextensions.k8s.io/customresourcedefinitions",
    "apiregistration.k8s.io/apiservices",
    "admissionregistration.k8s.io/mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/validatingwebhookconfigurations",
    "admissionregistration.k8s.io/validatingadmissionpolicies",
    "admissionregistration.k8s.io/validatingadmissionpolicybindings",
];

/// One subresource: the kind that it answers with and takes.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) verbs: &'static [&'static str],
}

/// The verbs of a row.
pub(super) fn of(row: &Resource) -> &'static [&'static str] {
    match row {
        row if table::is_review(row) => CREATED,
        row if table::is_measured(row) => READ,
        row if row.has_deletecollection() => STORED,
        _ => STORED_ONE_BY_ONE,
    }
}

/// The categories of a row.
pub(super) fn categories(row: &Resource) -> Option<[&'static str; 1]> {
    let name = row.storage_name();
    if ALL.contains(&name.as_str()) {
        return Some(["all"]);
    }
    EXTENSIONS.contains(&name.as_str()).then_some(["api-extensions"])
}

/// The subresources of a row that this server serves.
pub(super) fn parts(row: &'static Resource) -> impl Iterator<Item = Part> {
    row.subresources.iter().filter_map(|name| {
        let own = (row.group, row.versions[0], row.kind);
        let ((group, version, kind), verbs) = match *name {
            "status" | "approval" => (own, PART),
            "scale" => (("autoscaling", "v1", "Scale"), PART),
            "finalize" => (own, &["update"][..]),
            "binding" => (("", "v1", "Binding"), CREATED),
            "eviction" => (("policy", "v1", "Eviction"), CREATED),
            "token" => (("authentication.k8s.io", "v1", "TokenRequest"), CREATED),
            "log" => (own, &["get"][..]),
            "exec" => (("", "v1", "PodExecOptions"), STREAM),
            "attach" => (("", "v1", "PodAttachOptions"), STREAM),
            "portforward" => (("", "v1", "PodPortForwardOptions"), STREAM),
            _ => return None,
        };
        Some(Part { name, group, version, kind, verbs })
    })
}
