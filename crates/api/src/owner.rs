//! Owner references: which object another one belongs to.

use serde_json::{Value, json};

use crate::object::Object;

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerReference {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `ReplicaSet`.
    pub kind: String,
    /// In the owned object's namespace, or of cluster scope.
    pub name: String,
    /// What makes it this object and no other of the same name.
    pub uid: String,
    /// The one owner that manages the object.
    pub controller: bool,
    /// A foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

/// All owners of an object.
#[must_use]
pub fn owners(object: &Object) -> Vec<OwnerReference> {
    let list = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    list.into_iter().flatten().map(read).collect()
}

/// The owner that manages an object.
#[must_use]
pub fn controller(object: &Object) -> Option<OwnerReference> {
    owners(object).into_iter().find(|owner| owner.controller)
}

/// The reference that objects made by `owner` carry.
#[must_use]
pub fn controller_reference(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(),
        "uid": owner.uid(), "controller": true, "blockOwnerDeletion": true,
    })
}

fn read(value: &Value) -> OwnerReference {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let flag = |key: &str| value.get(key) == Some(&Value::Bool(true));
    OwnerReference {
        api_version: text("apiVersion"),
        kind: text("kind"),
        name: text("name"),
        uid: text("uid"),
        controller: flag("controller"),
        block_owner_deletion: flag("blockOwnerDeletion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back() {
        let mut owner = Object::default();
        owner.set(&["apiVersion"], "apps/v1");
        owner.set(&["kind"], "ReplicaSet");
        owner.set(&["metadata"], json!({"name": "web", "uid": "1"}));
        let mut owned = Object::default();
        owned.set(&["metadata", "ownerReferences"], json!([{"name": "other"}, controller_reference(&owner)]));
        let found = controller(&owned).expect("a controller");
        assert_eq!(
            (found.kind.as_str(), found.name.as_str(), found.uid.as_str()),
            ("ReplicaSet", "web", "1")
        );
        assert_eq!((owners(&owned).len(), owned.controller_uid()), (2, Some("1")));
    }
}
