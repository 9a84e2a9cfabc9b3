//! The resource table: one row per kind of Kubernetes 1.35's stable groups. Adding a
//! kind is adding a row here and, if it has rules of its own, a file in `strategy/`.

use k8s_openapi::Resource as _;
use k8s_openapi::api::{
    admissionregistration, apps, authentication, authorization, autoscaling, batch, certificates,
    coordination, core, discovery, events, flowcontrol, networking, node, policy, rbac, resource, scheduling,
    storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions as ext;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration as agg;

use crate::check;
use crate::resource::{Generic, Resource};
use crate::strategy::*;

const NAMESPACED: bool = true;
const CLUSTER: bool = false;

macro_rules! row {
    ($type:ty, $singular:literal, [$($short:literal),*], $scope:expr, [$($sub:literal),*]) => {
        row!($type, $singular, [$($short),*], $scope, [$($sub),*], Generic)
    };
    ($type:ty, $singular:literal, [$($short:literal),*], $scope:expr, [$($sub:literal),*], $strategy:ident) => {
        Resource {
            group: <$type>::GROUP,
            versions: &[<$type>::VERSION],
            kind: <$type>::KIND,
            plural: <$type>::URL_PATH_SEGMENT,
            singular: $singular,
            short_names: &[$($short),*],
            namespaced: $scope,
            subresources: &[$($sub),*],
            strategy: &$strategy,
            check: check::strict::<$type>,
            inspect: check::inspect::<$type>,
        }
    };
}

static TABLE: &[Resource] = &[
    row!(core::v1::ConfigMap, "configmap", ["cm"], NAMESPACED, [], ConfigMap),
    row!(core::v1::Endpoints, "endpoints", ["ep"], NAMESPACED, [], Endpoints),
    row!(core::v1::Event, "event", ["ev"], NAMESPACED, [], Event),
    row!(core::v1::LimitRange, "limitrange", ["limits"], NAMESPACED, [], LimitRange),
    row!(core::v1::Namespace, "namespace", ["ns"], CLUSTER, ["status", "finalize"], Namespace),
    row!(core::v1::Node, "node", ["no"], CLUSTER, ["status"], Node),
    row!(core::v1::PersistentVolume, "persistentvolume", ["pv"], CLUSTER, ["status"], PersistentVolume),
    row!(
        core::v1::PersistentVolumeClaim,
        "persistentvolumeclaim",
        ["pvc"],
        NAMESPACED,
        ["status"],
        PersistentVolumeClaim
    ),
    row!(
        core::v1::Pod,
        "pod",
        ["po"],
        NAMESPACED,
        ["status", "binding", "eviction", "log", "exec", "attach", "portforward", "ephemeralcontainers"],
        Pod
    ),
    row!(core::v1::PodTemplate, "podtemplate", [], NAMESPACED, []),
    row!(
        core::v1::ReplicationController,
        "replicationcontroller",
        ["rc"],
        NAMESPACED,
        ["status", "scale"],
        ReplicationController
    ),
    row!(core::v1::ResourceQuota, "resourcequota", ["quota"], NAMESPACED, ["status"], ResourceQuota),
    row!(core::v1::Secret, "secret", [], NAMESPACED, [], Secret),
    row!(core::v1::Service, "service", ["svc"], NAMESPACED, ["status"], Service),
    row!(core::v1::ServiceAccount, "serviceaccount", ["sa"], NAMESPACED, ["token"], ServiceAccount),
    row!(apps::v1::ControllerRevision, "controllerrevision", [], NAMESPACED, [], ControllerRevision),
    row!(apps::v1::DaemonSet, "daemonset", ["ds"], NAMESPACED, ["status"], DaemonSet),
    row!(apps::v1::Deployment, "deployment", ["deploy"], NAMESPACED, ["status", "scale"], Deployment),
    row!(apps::v1::ReplicaSet, "replicaset", ["rs"], NAMESPACED, ["status", "scale"], ReplicaSet),
    row!(apps::v1::StatefulSet, "statefulset", ["sts"], NAMESPACED, ["status", "scale"], StatefulSet),
    row!(batch::v1::CronJob, "cronjob", ["cj"], NAMESPACED, ["status"], CronJob),
    row!(batch::v1::Job, "job", [], NAMESPACED, ["status"], Job),
    row!(
        autoscaling::v2::HorizontalPodAutoscaler,
        "horizontalpodautoscaler",
        ["hpa"],
        NAMESPACED,
        ["status"],
        HorizontalPodAutoscaler
    ),
    row!(networking::v1::Ingress, "ingress", ["ing"], NAMESPACED, ["status"], Ingress),
    row!(networking::v1::IngressClass, "ingressclass", [], CLUSTER, [], IngressClass),
    row!(networking::v1::IPAddress, "ipaddress", ["ip"], CLUSTER, [], IpAddress),
    row!(networking::v1::NetworkPolicy, "networkpolicy", ["netpol"], NAMESPACED, [], NetworkPolicy),
    row!(networking::v1::ServiceCIDR, "servicecidr", [], CLUSTER, ["status"], ServiceCidr),
    row!(
        policy::v1::PodDisruptionBudget,
        "poddisruptionbudget",
        ["pdb"],
        NAMESPACED,
        ["status"],
        PodDisruptionBudget
    ),
    row!(rbac::v1::ClusterRole, "clusterrole", [], CLUSTER, [], ClusterRole),
    row!(rbac::v1::ClusterRoleBinding, "clusterrolebinding", [], CLUSTER, [], ClusterRoleBinding),
    row!(rbac::v1::Role, "role", [], NAMESPACED, [], Role),
    row!(rbac::v1::RoleBinding, "rolebinding", [], NAMESPACED, [], RoleBinding),
    row!(storage::v1::CSIDriver, "csidriver", [], CLUSTER, [], CsiDriver),
    row!(storage::v1::CSINode, "csinode", [], CLUSTER, []),
    row!(storage::v1::CSIStorageCapacity, "csistoragecapacity", [], NAMESPACED, []),
    row!(storage::v1::StorageClass, "storageclass", ["sc"], CLUSTER, [], StorageClass),
    row!(storage::v1::VolumeAttachment, "volumeattachment", [], CLUSTER, ["status"], VolumeAttachment),
    row!(storage::v1::VolumeAttributesClass, "volumeattributesclass", ["vac"], CLUSTER, []),
    row!(scheduling::v1::PriorityClass, "priorityclass", ["pc"], CLUSTER, [], PriorityClass),
    row!(coordination::v1::Lease, "lease", [], NAMESPACED, [], Lease),
    row!(events::v1::Event, "event", ["ev"], NAMESPACED, []),
    row!(discovery::v1::EndpointSlice, "endpointslice", [], NAMESPACED, [], EndpointSlice),
    row!(
        admissionregistration::v1::MutatingWebhookConfiguration,
        "mutatingwebhookconfiguration",
        [],
        CLUSTER,
        []
    ),
    row!(
        admissionregistration::v1::ValidatingAdmissionPolicy,
        "validatingadmissionpolicy",
        [],
        CLUSTER,
        ["status"]
    ),
    row!(
        admissionregistration::v1::ValidatingAdmissionPolicyBinding,
        "validatingadmissionpolicybinding",
        [],
        CLUSTER,
        []
    ),
    row!(
        admissionregistration::v1::ValidatingWebhookConfiguration,
        "validatingwebhookconfiguration",
        [],
        CLUSTER,
        []
    ),
    row!(
        certificates::v1::CertificateSigningRequest,
        "certificatesigningrequest",
        ["csr"],
        CLUSTER,
        ["status", "approval"],
        CertificateSigningRequest
    ),
    row!(node::v1::RuntimeClass, "runtimeclass", [], CLUSTER, [], RuntimeClass),
    row!(flowcontrol::v1::FlowSchema, "flowschema", [], CLUSTER, ["status"]),
    row!(flowcontrol::v1::PriorityLevelConfiguration, "prioritylevelconfiguration", [], CLUSTER, ["status"]),
    row!(resource::v1::DeviceClass, "deviceclass", [], CLUSTER, []),
    row!(resource::v1::ResourceClaim, "resourceclaim", [], NAMESPACED, ["status"]),
    row!(resource::v1::ResourceClaimTemplate, "resourceclaimtemplate", [], NAMESPACED, []),
    row!(resource::v1::ResourceSlice, "resourceslice", [], CLUSTER, []),
    row!(
        ext::v1::CustomResourceDefinition,
        "customresourcedefinition",
        ["crd", "crds"],
        CLUSTER,
        ["status"],
        CustomResourceDefinition
    ),
    row!(agg::v1::APIService, "apiservice", [], CLUSTER, ["status"], ApiService),
];

/// Kinds that are asked and answered, and never stored.
static REVIEWS: &[Resource] = &[
    row!(authentication::v1::SelfSubjectReview, "selfsubjectreview", [], CLUSTER, []),
    row!(authentication::v1::TokenReview, "tokenreview", [], CLUSTER, []),
    row!(authorization::v1::LocalSubjectAccessReview, "localsubjectaccessreview", [], NAMESPACED, []),
    row!(authorization::v1::SelfSubjectAccessReview, "selfsubjectaccessreview", [], CLUSTER, []),
    row!(authorization::v1::SelfSubjectRulesReview, "selfsubjectrulesreview", [], CLUSTER, []),
    row!(authorization::v1::SubjectAccessReview, "subjectaccessreview", [], CLUSTER, []),
];

/// What is sent to a subresource to be created, by the subresource's name.
static BODIES: &[(&str, Resource)] = &[
    ("binding", row!(core::v1::Binding, "binding", [], NAMESPACED, [])),
    ("eviction", row!(policy::v1::Eviction, "eviction", [], NAMESPACED, [])),
    ("token", row!(authentication::v1::TokenRequest, "tokenrequest", [], NAMESPACED, [])),
];

/// The row of the kind that a subresource takes to create something, where it is not the object's own.
#[must_use]
pub fn body_of(subresource: &str) -> Option<&'static Resource> {
    BODIES.iter().find(|(name, _)| *name == subresource).map(|(_, row)| row)
}

macro_rules! measured {
    ($kind:literal, $plural:literal, $scope:expr) => {
        Resource {
            group: "metrics.k8s.io",
            versions: &["v1beta1"],
            kind: $kind,
            plural: $plural,
            // Words for one mean the objects themselves.
            singular: "",
            short_names: &[],
            namespaced: $scope,
            subresources: &[],
            strategy: &Generic,
            // Nobody sends one.
            check: check::strict::<core::v1::Node>,
            inspect: check::inspect::<core::v1::Node>,
        }
    };
}

/// Kinds that are measured when somebody asks, and never stored.
static MEASURED: &[Resource] =
    &[measured!("NodeMetrics", "nodes", CLUSTER), measured!("PodMetrics", "pods", NAMESPACED)];

/// Every row of kinds that are measured: they are read only.
#[must_use]
pub fn measured() -> &'static [Resource] {
    MEASURED
}

/// Whether a row is one of [`measured`].
#[must_use]
pub fn is_measured(row: &Resource) -> bool {
    MEASURED.iter().any(|known| known.group == row.group)
}

/// Every row of kinds that are never stored: a create is a question.
#[must_use]
pub fn reviews() -> &'static [Resource] {
    REVIEWS
}

/// A row of [`reviews`] by group and plural.
#[must_use]
pub fn find_review(group: &str, plural: &str) -> Option<&'static Resource> {
    REVIEWS.iter().find(|row| row.group == group && row.plural == plural)
}

/// Whether a row is one of [`reviews`].
#[must_use]
pub fn is_review(row: &Resource) -> bool {
    find_review(row.group, row.plural).is_some()
}

/// Every row.
#[must_use]
pub fn all() -> &'static [Resource] {
    TABLE
}

/// By group and plural, such as `("apps", "deployments")`.
#[must_use]
pub fn find(group: &str, plural: &str) -> Option<&'static Resource> {
    TABLE.iter().find(|row| row.group == group && row.plural == plural)
}

/// By what an object says of itself, such as `("apps/v1", "Deployment")`.
#[must_use]
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Resource> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    TABLE.iter().find(|row| row.group == group && row.kind == kind && row.versions.contains(&version))
}

/// By the name in the store, such as `apps/deployments`.
#[must_use]
pub fn by_storage_name(name: &str) -> Option<&'static Resource> {
    let (group, plural) = name.rsplit_once('/').unwrap_or(("", name));
    find(group, plural)
}

/// By what a person types: plural, singular, kind or short name, in any case, with or
/// without the group (`deployments.apps`). The core group wins, then the table's order.
#[must_use]
pub fn resolve(word: &str) -> Option<&'static Resource> {
    let word = word.to_ascii_lowercase();
    let (name, group) = match word.split_once('.') {
        Some((name, group)) => (name, Some(group)),
        None => (word.as_str(), None),
    };
    TABLE.iter().find(|row| {
        group.is_none_or(|group| row.group == group)
            && (row.plural == name
                || row.singular == name
                || row.kind.eq_ignore_ascii_case(name)
                || row.short_names.contains(&name))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_unique() {
        let mut seen = BTreeSet::new();
        for row in all() {
            assert!(seen.insert(row.storage_name()), "{} stands twice", row.storage_name());
            assert_eq!(by_storage_name(&row.storage_name()).map(|r| r.kind), Some(row.kind));
            assert_eq!(by_kind(&row.api_version(), row.kind).map(|r| r.plural), Some(row.plural));
        }
    }

    #[test]
    fn reviews_are_rows_of_their_own() {
        for row in reviews() {
            assert!(is_review(row) && find(row.group, row.plural).is_none(), "{}", row.kind);
            assert!(by_kind(&row.api_version(), row.kind).is_none(), "{}: nothing to store", row.kind);
        }
        assert!(all().iter().all(|row| !is_review(row)));
    }

    #[test]
    fn people_find_every_row() {
        for row in all() {
            for word in [row.plural, row.singular, row.kind] {
                let word = format!("{word}.{}", row.group);
                let word = word.trim_end_matches('.');
                assert_eq!(resolve(word).map(|r| r.kind), Some(row.kind), "{word}");
            }
            for short in row.short_names {
                assert_eq!(resolve(short).map(|r| r.kind), Some(row.kind), "{short}");
            }
        }
        assert!(resolve("nothing").is_none());
    }

    #[test]
    fn every_row_names_an_unknown_field() {
        for row in all() {
            let object =
                json!({"apiVersion": row.api_version(), "kind": row.kind, "metadata": {"nmae": "a"}});
            let unknown = (row.inspect)(&object).expect("nothing else is wrong").unknown;
            let unknown: Vec<String> =
                unknown.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(unknown, ["metadata.nmae: unknown field (did you mean \"name\"?)"], "{}", row.kind);
        }
    }
}
