//! The state that controllers read, and the cluster's settings that they obey.

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::controller::ObjectKey;
use crate::resources::PODS;

/// What a controller may see. `resource` is a storage name such as `pods` or
/// `apps/deployments`; objects come with `metadata.resourceVersion` set.
pub trait View {
    /// One object.
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Object>;

    /// Every object of a resource, of one namespace or of all, in key order.
    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Object>;

    /// Every object, of any resource, with an owner reference to this uid.
    fn owned_by(&self, uid: &str) -> Vec<Object>;

    /// Every pod that is bound to a node, whether that node exists or not.
    fn pods_on(&self, node: &str) -> Vec<Object>;

    /// How many pods there are that have ended.
    fn count_ended_pods(&self) -> usize;

    /// Every pod that has ended.
    fn ended_pods(&self) -> Vec<Object>;

    /// Every EndpointSlice, of any namespace, that names a pod by its uid.
    fn slices_naming(&self, uid: &str) -> Vec<Object>;

    /// Every EndpointSlice whose label says that it belongs to this Service.
    fn slices_of(&self, namespace: &str, service: &str) -> Vec<Object>;

    /// Services of a pod's namespace, all among them that select the pod.
    fn may_select(&self, pod: &Object) -> Vec<Object>;

    /// Objects of a resource in a namespace, all among them that name this uid as an owner or that
    /// the selector selects: of pods, ReplicaSets and ControllerRevisions without a look at the others.
    fn may_belong(
        &self,
        resource: &str,
        namespace: &str,
        uid: &str,
        selector: Option<&LabelSelector>,
    ) -> Vec<Object>;

    /// Pods of a namespace, all among them that the selector selects, as far as that can be had
    /// without a look at the others.
    fn may_be_selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<Object> {
        self.may_belong(PODS, namespace, "", Some(selector))
    }

    /// When a node's agent was last heard of by this leader; `None` when it was not.
    fn last_seen(&self, node: &str) -> Option<Timestamp>;

    /// Since when this master leads.
    fn leading_since(&self) -> Timestamp;

    /// The cluster's settings.
    fn settings(&self) -> &ClusterSettings;

    /// Why the last plan for this key was not carried out, if it was refused.
    fn refusal(&self, key: &ObjectKey) -> Option<String>;

    /// Where clients reach the masters: `host:port`, one of each, in a stable order.
    fn masters(&self) -> Vec<String>;
}

/// What the controllers need to know of the cluster's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The network that nodes take their slices from, such as `10.42.0.0/16`.
    pub pod_cidr: String,
    /// The network of ClusterIPs, such as `10.43.0.0/16`; its first address is
    /// `default/kubernetes`.
    pub service_cidr: String,
    /// The prefix length of a node's slice of `pod_cidr`.
    pub node_prefix: u8,
    /// A node that was not heard of for this long is not ready.
    pub node_timeout: Duration,
    /// After this long without a word, the pods of a node are replaced.
    pub eviction_timeout: Duration,
    /// The cluster's CA certificate in PEM, published in every namespace.
    pub ca_pem: String,
    /// The image of the system's own pods, such as `xebec.local/system:0.1.0`.
    pub system_image: String,
    /// The DNS domain of Services.
    pub cluster_domain: String,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            pod_cidr: "10.42.0.0/16".to_owned(),
            service_cidr: "10.43.0.0/16".to_owned(),
            node_prefix: 24,
            node_timeout: Duration::from_secs(5),
            eviction_timeout: Duration::from_secs(10),
            ca_pem: String::new(),
            system_image: concat!("xebec.local/system:", env!("CARGO_PKG_VERSION")).to_owned(),
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}
