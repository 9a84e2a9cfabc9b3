//! ReplicationController: what a ReplicaSet is, under its older name and with the older form
//! of a selector. Everything else is [`crate::replica_set`]'s.

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::replica_set::{keys_of_pod, sync};
use crate::resources::{PODS, REPLICATION_CONTROLLERS};
use crate::view::View;

const COMPONENT: &str = "replication-controller";

/// See the module.
pub(crate) struct ReplicationController;

impl Controller for ReplicationController {
    fn name(&self) -> &'static str {
        "replicationcontroller"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            REPLICATION_CONTROLLERS => vec![ObjectKey::of(REPLICATION_CONTROLLERS, object)],
            PODS => keys_of_pod(view, object, "ReplicationController", REPLICATION_CONTROLLERS),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(controller) = view.get(REPLICATION_CONTROLLERS, &key.namespace, &key.name) {
            sync(view, key, &controller, COMPONENT, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let all = view.list(REPLICATION_CONTROLLERS, None);
        all.iter().map(|controller| ObjectKey::of(REPLICATION_CONTROLLERS, controller)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn it_keeps_its_pods_by_its_labels() {
        let mut world = World::new();
        world.put_node("n1");
        world.put(json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []},
            "metadata": {"namespace": "default", "name": "stray", "labels": {"app": "web"}}}));
        world.put(json!({
            "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"namespace": "default", "name": "web"},
            "spec": {"replicas": 2, "selector": {"app": "web"},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "web"}]}}},
        }));
        world.settle(&[&ReplicationController]);
        expect![[r#"
            stray on n1 ready
            web- on n1 ready
        "#]]
        .assert_eq(&world.pods());
        expect![[r#"
            {
              "availableReplicas": 2,
              "fullyLabeledReplicas": 2,
              "observedGeneration": 1,
              "readyReplicas": 2,
              "replicas": 2
            }
        "#]]
        .assert_eq(&world.status(REPLICATION_CONTROLLERS, "default", "web"));
        world.edit(REPLICATION_CONTROLLERS, "default", "web", |it| it.set(&["spec", "replicas"], 0));
        world.settle(&[&ReplicationController]);
        assert_eq!(world.pods(), "");
    }
}
