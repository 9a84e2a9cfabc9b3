//! PodDisruptionBudgets: their status, which says how many of their pods may go now. Whoever looks goes by it; the
//! API counts anew when a pod is to be evicted.

use jiff::Timestamp;
use xebec_api::disruption;
use xebec_api::object::Object;

use crate::conditions::{self, Condition};
use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS};
use crate::view::View;

const BUDGETS: &str = "policy/poddisruptionbudgets";
const STATEFUL_SETS: &str = "apps/statefulsets";

/// See the module.
pub(crate) struct DisruptionBudget;

impl Controller for DisruptionBudget {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            BUDGETS => vec![ObjectKey::of(BUDGETS, object)],
            // A pod's labels may have been others, and any workload may own a pod: those of the namespace are few.
            PODS | DEPLOYMENTS | REPLICA_SETS | REPLICATION_CONTROLLERS | STATEFUL_SETS => {
                let budgets = view.list(BUDGETS, Some(object.namespace()));
                budgets.iter().map(|budget| ObjectKey::of(BUDGETS, budget)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(budget) = view.get(BUDGETS, &key.namespace, &key.name) {
            plan.update_status(&budget, told(view, &budget, now));
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(BUDGETS, None).iter().map(|budget| ObjectKey::of(BUDGETS, budget)).collect()
    }
}

/// The budget with the status that is true.
fn told(view: &dyn View, budget: &Object, now: Timestamp) -> Object {
    let mut pods = view.list(PODS, Some(budget.namespace()));
    pods.retain(|pod| disruption::covers(budget, pod));
    let find = |resource: &str, name: &str| view.get(resource, budget.namespace(), name);
    let counted = disruption::count(budget, &pods, find);
    let (status, reason, message) = match &counted {
        Ok(counted) if counted.allowed() > 0 => ("True", "SufficientPods", String::new()),
        Ok(_) => ("False", "InsufficientPods", String::new()),
        Err(why) => ("False", "SyncFailed", why.clone()),
    };
    let mut told = budget.clone();
    counted.unwrap_or_default().tell(&mut told);
    conditions::set(&mut told, &Condition { kind: "DisruptionAllowed", status, reason, message }, now);
    told
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::replica_set::ReplicaSet;
    use crate::world::World;

    #[test]
    fn its_status_follows_its_pods_and_their_owners() {
        let mut world = World::new();
        world.put_node("n1");
        let template =
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "web"}]}});
        world.put(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"namespace": "default", "name": "web"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        }));
        world.put(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {"maxUnavailable": "33%", "selector": {"matchLabels": {"app": "web"}}},
        }));
        world.settle(&[&ReplicaSet, &DisruptionBudget]);
        expect![[r#"
            {
              "conditions": [
                {
                  "message": "",
                  "reason": "SufficientPods",
                  "status": "True",
                  "type": "DisruptionAllowed"
                }
              ],
              "currentHealthy": 3,
              "desiredHealthy": 2,
              "disruptionsAllowed": 1,
              "expectedPods": 3,
              "observedGeneration": 1
            }
        "#]]
        .assert_eq(&world.status(BUDGETS, "default", "web"));
        world.put(json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []},
            "metadata": {"namespace": "default", "name": "stray", "labels": {"app": "web"}}}));
        world.settle(&[&DisruptionBudget]);
        expect![[r#"
            {
              "conditions": [
                {
                  "message": "found no controllers for pod \"stray\"",
                  "reason": "SyncFailed",
                  "status": "False",
                  "type": "DisruptionAllowed"
                }
              ],
              "currentHealthy": 0,
              "desiredHealthy": 0,
              "disruptionsAllowed": 0,
              "expectedPods": 0,
              "observedGeneration": 1
            }
        "#]]
        .assert_eq(&world.status(BUDGETS, "default", "web"));
    }
}
