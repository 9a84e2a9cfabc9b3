//! Controllers: `reconcile(view, key, now) -> Plan`. Each file is one controller, a
//! pure function from the applied state to the writes that bring it closer to what its
//! objects ask for. The driver that watches, calls them and executes their plans lives
//! in the master; nothing here does I/O, reads a clock or draws a random number.
//!
//! Three rules hold for every controller and are tested: it is level-triggered (the
//! state alone decides, never the event), it is idempotent (once a plan is done, and
//! those that follow from it, there is nothing left to write), and a status update keeps
//! what others wrote.

mod conditions;
mod controller;
mod counts;
mod daemon_set;
mod deployment;
mod disruption_budget;
mod endpoint_slice;
mod endpoints;
mod garbage_collector;
mod hash;
mod ingress;
mod liveness;
mod namespace;
mod node_ipam;
mod node_lifecycle;
mod owner;
mod plan;
mod pod_gc;
mod pods;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod resources;
mod service_accounts;
mod system_components;
mod taint_eviction;
mod view;
mod wanted;
#[cfg(test)]
mod world;

pub use controller::{Controller, ObjectKey};
pub use plan::{Action, EventKind, EventRecord, Involved, Plan};
pub use view::{ClusterSettings, View};

/// Every controller that a cluster runs.
#[must_use]
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(system_components::SystemComponents),
        Box::new(service_accounts::ServiceAccounts),
        Box::new(node_ipam::NodeIpam),
        Box::new(node_lifecycle::NodeLifecycle),
        Box::new(taint_eviction::TaintEviction),
        Box::new(pod_gc::PodGc),
        Box::new(deployment::Deployment),
        Box::new(replica_set::ReplicaSet),
        Box::new(replication_controller::ReplicationController),
        Box::new(daemon_set::DaemonSet),
        Box::new(endpoint_slice::EndpointSlice),
        Box::new(endpoint_slice::mirroring::EndpointSliceMirroring),
        Box::new(endpoints::Endpoints),
        Box::new(ingress::Ingress),
        Box::new(disruption_budget::DisruptionBudget),
        Box::new(resource_quota::ResourceQuota),
        Box::new(garbage_collector::GarbageCollector),
        Box::new(namespace::Namespace),
    ]
}
