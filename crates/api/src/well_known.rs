//! Labels and annotations that more than one part of the cluster reads, by the names that
//! Kubernetes gives them.

/// The label of an EndpointSlice that says which Service it belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The annotation in which a user says why a rollout was made.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// The annotation of a Deployment and its ReplicaSets that counts the templates.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation by which an Ingress named its class before it had a field for that.
pub const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";
/// The annotation of the IngressClass that counts for every Ingress without one.
pub const IS_DEFAULT_INGRESS_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
