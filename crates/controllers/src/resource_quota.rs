//! ResourceQuotas: their status, which says what is used of them. The API counts anew whenever something is to be
//! added; this tells what was taken away, for whoever looks.

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::{quota, table};

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::view::View;

const QUOTAS: &str = "resourcequotas";

/// See the module.
pub(crate) struct ResourceQuota;

impl Controller for ResourceQuota {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let Some(row) = table::by_storage_name(resource).filter(|row| row.namespaced) else {
            return Vec::new();
        };
        let mut quotas = view.list(QUOTAS, Some(object.namespace()));
        quotas.retain(|quota| quota::counts_kind(quota, row));
        let own = (resource == QUOTAS).then(|| ObjectKey::of(QUOTAS, object));
        quotas.iter().map(|quota| ObjectKey::of(QUOTAS, quota)).chain(own).collect()
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(old) = view.get(QUOTAS, &key.namespace, &key.name) {
            let used = quota::used(&old, |resource| view.list(resource, Some(key.namespace.as_str())));
            let mut told = old.clone();
            quota::tell(&mut told, &used);
            plan.update_status(&old, told);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(QUOTAS, None).iter().map(|quota| ObjectKey::of(QUOTAS, quota)).collect()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::resources::PODS;
    use crate::world::World;

    #[test]
    fn its_status_follows_what_is_there() {
        let mut world = World::new();
        world.put(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": "default", "name": "q"},
            "spec": {"hard": {"pods": "2", "requests.cpu": "1"}}}));
        let resources = json!({"requests": {"cpu": "250m"}});
        let pod = world.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "default", "name": "a"},
            "spec": {"containers": [{"name": "a", "resources": resources}]}}));
        assert_eq!(ResourceQuota.keys(&world, PODS, &pod), [ObjectKey::new(QUOTAS, "default", "q")]);
        assert_eq!(ResourceQuota.keys(&world, "secrets", &pod), []);
        world.settle(&[&ResourceQuota]);
        expect![[r#"
            {
              "hard": {
                "pods": "2",
                "requests.cpu": "1"
              },
              "used": {
                "pods": "1",
                "requests.cpu": "250m"
              }
            }
        "#]]
        .assert_eq(&world.status(QUOTAS, "default", "q"));
        world.poke(PODS, "default", "a", |pod| pod.set(&["status", "phase"], "Succeeded"));
        expect![[r#"
            status ResourceQuota q
        "#]]
        .assert_eq(&world.writes(&[&ResourceQuota]));
    }
}
