//! What the scheduler knows of a node.

use xebec_api::object::Object;

/// A node and what its pods take of it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
}

impl NodeInfo {
    /// A node and the pods that are bound to it (those that have ended take nothing).
    #[must_use]
    pub fn from_objects(node: &Object, _pods: &[Object]) -> Self {
        Self { name: node.name().to_owned() }
    }
}
