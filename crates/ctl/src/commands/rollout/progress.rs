//! How far a rollout is, from the object alone, in kubectl's words.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::condition;

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting(String),
    Done(String),
    Failed(String),
}

use Progress::{Done, Failed, Waiting};

/// Reads a Deployment, a DaemonSet or a StatefulSet.
pub(super) fn of(object: &Object) -> Progress {
    if number(object, &["status", "observedGeneration"]) < object.generation() {
        return Waiting(format!("Waiting for {} spec update to be observed...", noun(object)));
    }
    match object.kind() {
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        _ => deployment(object),
    }
}

fn number(object: &Object, path: &[&str]) -> i64 {
    object.get(path).and_then(Value::as_i64).unwrap_or_default()
}

fn status(object: &Object, field: &str) -> i64 {
    number(object, &["status", field])
}

fn noun(object: &Object) -> &'static str {
    match object.kind() {
        "DaemonSet" => "daemon set",
        "StatefulSet" => "statefulset",
        _ => "deployment",
    }
}

fn waiting(object: &Object, what: &str) -> Progress {
    Waiting(format!("Waiting for {} {:?} rollout to finish: {what}...", noun(object), object.name()))
}

fn deployment(object: &Object) -> Progress {
    let reason = condition(object, "Progressing").and_then(|condition| condition.get("reason")?.as_str());
    if reason == Some("ProgressDeadlineExceeded") {
        return Failed(format!("deployment {:?} exceeded its progress deadline", object.name()));
    }
    let wanted = object.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1);
    let [all, updated, available] =
        ["replicas", "updatedReplicas", "availableReplicas"].map(|field| status(object, field));
    if updated < wanted {
        waiting(object, &format!("{updated} out of {wanted} new replicas have been updated"))
    } else if all > updated {
        waiting(object, &format!("{} old replicas are pending termination", all - updated))
    } else if available < updated {
        waiting(object, &format!("{available} of {updated} updated replicas are available"))
    } else {
        Done(format!("deployment {:?} successfully rolled out", object.name()))
    }
}

fn daemon_set(object: &Object) -> Progress {
    let [wanted, updated, available] =
        ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"].map(|f| status(object, f));
    if updated < wanted {
        waiting(object, &format!("{updated} out of {wanted} new pods have been updated"))
    } else if available < wanted {
        waiting(object, &format!("{available} of {wanted} updated pods are available"))
    } else {
        Done(format!("daemon set {:?} successfully rolled out", object.name()))
    }
}

fn stateful_set(object: &Object) -> Progress {
    let wanted = object.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1);
    let [ready, updated] = ["readyReplicas", "updatedReplicas"].map(|field| status(object, field));
    if ready < wanted {
        Waiting(format!("Waiting for {} pods to be ready...", wanted - ready))
    } else if updated < wanted {
        waiting(object, &format!("{updated} out of {wanted} new pods have been updated"))
    } else {
        Done(format!("statefulset {:?} successfully rolled out", object.name()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, status: &Value) -> Object {
        let value = json!({"kind": kind, "metadata": {"name": "web", "generation": 2},
            "spec": {"replicas": 3}, "status": status});
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    #[test]
    fn a_deployment_is_followed_step_by_step() {
        let of = |status: Value| of(&object("Deployment", &status));
        let waiting =
            |what: &str| Waiting(format!("Waiting for deployment \"web\" rollout to finish: {what}..."));
        assert_eq!(
            of(json!({"observedGeneration": 1})),
            Waiting("Waiting for deployment spec update to be observed...".into())
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 1})),
            waiting("1 out of 3 new replicas have been updated")
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 4})),
            waiting("1 old replicas are pending termination")
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 2})),
            waiting("2 of 3 updated replicas are available")
        );
        assert_eq!(
            of(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3})),
            Done("deployment \"web\" successfully rolled out".into())
        );
        let late = json!([{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]);
        assert_eq!(
            of(json!({"observedGeneration": 2, "conditions": late})),
            Failed("deployment \"web\" exceeded its progress deadline".into())
        );
    }

    #[test]
    fn a_daemon_set_is_done_when_every_node_has_its_pod() {
        let of = |status: Value| of(&object("DaemonSet", &status));
        let numbers = json!({"observedGeneration": 2, "desiredNumberScheduled": 2,
            "updatedNumberScheduled": 2, "numberAvailable": 1});
        let text = "Waiting for daemon set \"web\" rollout to finish: 1 of 2 updated pods are available...";
        assert_eq!(of(numbers), Waiting(text.into()));
        assert_eq!(
            of(json!({"observedGeneration": 2})),
            Done("daemon set \"web\" successfully rolled out".into())
        );
    }
}
