//! Every namespace has a ServiceAccount `default` for its pods to be, and a ConfigMap
//! `kube-root-ca.crt` for them to know the API server by.

use jiff::Timestamp;
use serde_json::json;
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS};
use crate::view::View;
use crate::wanted::{self, object};

const ACCOUNT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";

/// See the module.
pub(crate) struct ServiceAccounts;

impl Controller for ServiceAccounts {
    fn name(&self) -> &'static str {
        "serviceaccounts"
    }

    fn keys(&self, _view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let namespace = match (resource, object.name()) {
            (NAMESPACES, name) => name,
            (SERVICE_ACCOUNTS, ACCOUNT) | (CONFIG_MAPS, ROOT_CA) => object.namespace(),
            _ => return Vec::new(),
        };
        vec![ObjectKey::new(NAMESPACES, "", namespace)]
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let name = key.name.as_str();
        if view.get(NAMESPACES, "", name).is_none_or(|namespace| namespace.is_terminating()) {
            return plan;
        }
        let metadata = |object: &str| json!({"namespace": name, "name": object});
        if view.get(SERVICE_ACCOUNTS, name, ACCOUNT).is_none() {
            let account =
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(ACCOUNT)});
            plan.create(object(account));
        }
        let pem = view.settings().ca_pem.as_str();
        if !pem.is_empty() {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(ROOT_CA), "data": {"ca.crt": pem}});
            wanted::ensure(view, CONFIG_MAPS, object(map), &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let namespaces = view.list(NAMESPACES, None);
        namespaces.iter().map(|namespace| ObjectKey::of(NAMESPACES, namespace)).collect()
    }
}

#[cfg(test)]
mod tests;
