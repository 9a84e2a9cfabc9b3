//! What single kinds do beside the generic behaviour, one file per kind. The rules, their
//! fields and their words are those of Kubernetes, so that its clients and documentation fit.

mod certificate_signing_request;
mod columns_only;
mod config_data;
mod config_map;
mod cron_job;
mod daemon_set;
mod defaults;
mod deployment;
mod endpoint_slice;
mod event;
mod ingress;
mod job;
mod namespace;
mod node;
mod pod;
mod pod_spec;
mod pod_template;
mod replica_set;
mod role;
mod role_binding;
mod secret;
mod service;
mod service_account;
mod stateful_set;

pub(crate) use certificate_signing_request::CertificateSigningRequest;
pub(crate) use columns_only::{
    ControllerRevision, IngressClass, Lease, PersistentVolume, PersistentVolumeClaim, PodDisruptionBudget,
    PriorityClass, RuntimeClass, StorageClass,
};
pub(crate) use config_map::ConfigMap;
pub(crate) use cron_job::CronJob;
pub(crate) use daemon_set::DaemonSet;
pub(crate) use deployment::Deployment;
pub(crate) use endpoint_slice::EndpointSlice;
pub(crate) use event::Event;
pub(crate) use ingress::Ingress;
pub(crate) use job::Job;
pub(crate) use namespace::Namespace;
pub(crate) use node::Node;
pub(crate) use pod::Pod;
pub(crate) use replica_set::ReplicaSet;
pub(crate) use role::{ClusterRole, Role};
pub(crate) use role_binding::{ClusterRoleBinding, RoleBinding};
pub(crate) use secret::Secret;
pub(crate) use service::Service;
pub(crate) use service_account::ServiceAccount;
pub(crate) use stateful_set::StatefulSet;

#[cfg(test)]
mod tests;
