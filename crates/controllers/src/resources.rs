//! The storage names of the kinds that controllers work on.

pub(crate) const CONFIG_MAPS: &str = "configmaps";
pub(crate) const CONTROLLER_REVISIONS: &str = "apps/controllerrevisions";
pub(crate) const DAEMON_SETS: &str = "apps/daemonsets";
pub(crate) const DEPLOYMENTS: &str = "apps/deployments";
pub(crate) const ENDPOINTS: &str = "endpoints";
pub(crate) const ENDPOINT_SLICES: &str = "discovery.k8s.io/endpointslices";
pub(crate) const EVENTS: &str = "events";
pub(crate) const INGRESSES: &str = "networking.k8s.io/ingresses";
pub(crate) const INGRESS_CLASSES: &str = "networking.k8s.io/ingressclasses";
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const NODES: &str = "nodes";
pub(crate) const PODS: &str = "pods";
pub(crate) const REPLICA_SETS: &str = "apps/replicasets";
pub(crate) const REPLICATION_CONTROLLERS: &str = "replicationcontrollers";
pub(crate) const SERVICES: &str = "services";
pub(crate) const SECRETS: &str = "secrets";
pub(crate) const SERVICE_ACCOUNTS: &str = "serviceaccounts";
