//! What single kinds do beside the generic behaviour, one file per kind. The rules, their
//! fields and their words are those of Kubernetes, so that its clients and documentation fit.

mod certificate_signing_request;
mod columns_only;
mod config_data;
mod config_map;
mod cron_job;
mod custom_resource_definition;
mod daemon_set;
mod defaults;
mod deployment;
mod endpoint_slice;
mod endpoints;
mod event;
mod horizontal_pod_autoscaler;
mod ingress;
mod ingress_class;
mod job;
mod limit_range;
mod namespace;
mod network_policy;
mod node;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod pod_spec;
mod pod_template;
mod priority_class;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod role;
mod role_binding;
mod secret;
mod service;
mod service_account;
mod stateful_set;
mod storage_class;

pub(crate) use certificate_signing_request::CertificateSigningRequest;
pub(crate) use columns_only::{
    ApiService, ControllerRevision, CsiDriver, IpAddress, Lease, PersistentVolume, RuntimeClass, ServiceCidr,
    VolumeAttachment,
};
pub(crate) use config_map::ConfigMap;
pub(crate) use cron_job::CronJob;
pub(crate) use custom_resource_definition::CustomResourceDefinition;
pub(crate) use daemon_set::DaemonSet;
pub(crate) use deployment::Deployment;
pub(crate) use endpoint_slice::EndpointSlice;
pub(crate) use endpoints::Endpoints;
pub(crate) use event::Event;
pub(crate) use horizontal_pod_autoscaler::HorizontalPodAutoscaler;
pub(crate) use ingress::Ingress;
pub(crate) use ingress_class::IngressClass;
pub(crate) use job::Job;
pub(crate) use limit_range::LimitRange;
pub(crate) use namespace::Namespace;
pub(crate) use network_policy::NetworkPolicy;
pub(crate) use node::Node;
pub(crate) use persistent_volume_claim::PersistentVolumeClaim;
pub(crate) use pod::Pod;
pub(crate) use pod_disruption_budget::PodDisruptionBudget;
pub(crate) use priority_class::PriorityClass;
pub(crate) use replica_set::ReplicaSet;
pub(crate) use replication_controller::ReplicationController;
pub(crate) use resource_quota::ResourceQuota;
pub(crate) use role::{ClusterRole, Role};
pub(crate) use role_binding::{ClusterRoleBinding, RoleBinding};
pub(crate) use secret::Secret;
pub(crate) use service::Service;
pub(crate) use service_account::ServiceAccount;
pub(crate) use stateful_set::StatefulSet;
pub(crate) use storage_class::StorageClass;

#[cfg(test)]
mod tests;
