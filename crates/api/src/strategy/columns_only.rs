//! Kinds that have columns of their own and no other rules yet: what stands under each
//! column is read from a path.

use serde_json::Value;

use crate::object::Object;
use crate::resource::{Column, Strategy};

macro_rules! columns_only {
    ($(#[$doc:meta])* $name:ident { $($column:literal : $path:expr),* $(,)? }) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Strategy for $name {
            fn columns(&self) -> &'static [Column] {
                const { &[$(Column::shown($column)),*] }
            }

            fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
                vec![$(cell(object, &$path)),*]
            }
        }
    };
}

columns_only!(
    /// The strategy of PersistentVolumes.
    PersistentVolume {
        "CAPACITY": ["spec", "capacity", "storage"],
        "ACCESS MODES": ["spec", "accessModes"],
        "RECLAIM POLICY": ["spec", "persistentVolumeReclaimPolicy"],
        "STATUS": ["status", "phase"],
        "CLAIM": ["spec", "claimRef", "name"],
        "STORAGECLASS": ["spec", "storageClassName"],
        "VOLUMEATTRIBUTESCLASS": ["spec", "volumeAttributesClassName"],
        "REASON": ["status", "reason"],
    }
);

columns_only!(
    /// The strategy of Leases.
    Lease { "HOLDER": ["spec", "holderIdentity"] }
);

columns_only!(
    /// The strategy of RuntimeClasses.
    RuntimeClass { "HANDLER": ["handler"] }
);

columns_only!(
    /// The strategy of ControllerRevisions.
    ControllerRevision { "CONTROLLER": ["metadata", "ownerReferences", "name"], "REVISION": ["revision"] }
);

columns_only!(
    /// The strategy of APIServices.
    ApiService { "SERVICE": ["spec", "service", "name"], "VERSION": ["spec", "version"] }
);

columns_only!(
    /// The strategy of VolumeAttachments.
    VolumeAttachment {
        "ATTACHER": ["spec", "attacher"],
        "PV": ["spec", "source", "persistentVolumeName"],
        "NODE": ["spec", "nodeName"],
        "ATTACHED": ["status", "attached"],
    }
);

columns_only!(
    /// The strategy of CSIDrivers.
    CsiDriver {
        "ATTACHREQUIRED": ["spec", "attachRequired"],
        "PODINFOONMOUNT": ["spec", "podInfoOnMount"],
        "STORAGECAPACITY": ["spec", "storageCapacity"],
    }
);

columns_only!(
    /// The strategy of ServiceCIDRs.
    ServiceCidr { "CIDRS": ["spec", "cidrs"] }
);

columns_only!(
    /// The strategy of IPAddresses.
    IpAddress { "PARENTREF": ["spec", "parentRef", "name"] }
);

/// A text, a number, or a list of texts; `<none>` when nothing is there. A map in a list is
/// passed through by its first item.
fn cell(object: &Object, path: &[&str]) -> String {
    let mut value = object.as_map().get(path[0]);
    for key in &path[1..] {
        value = match value {
            Some(Value::Array(items)) => items.first().and_then(|item| item.get(key)),
            other => other.and_then(|value| value.get(key)),
        };
    }
    match value {
        None | Some(Value::Null) => "<none>".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "<none>".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(abbreviated).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

/// Access modes have short forms.
fn abbreviated(text: &str) -> &str {
    match text {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}
