//! A pod that Services lead to leaves them before it is asked to end: the proxies of all
//! nodes hear of a deletion at the same time as its agent does, and a process that takes
//! SIGTERM at its word would refuse clients that were sent to it a moment ago.

use std::time::Duration;

use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::pod::worker::Bound;
use crate::run::Agent;

/// What the way from a deletion to the last proxy takes, with room for a busy machine.
const TO_THE_PROXIES: Duration = Duration::from_millis(500);

/// How long the containers of a pod that was deleted go on before they are told. It is
/// part of the pod's grace.
pub(super) fn head_start(agent: &Agent, bound: &Bound) -> Duration {
    let grace = bound.pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    let led_to = || agent.services.list().iter().any(|service| leads_to(service, &bound.object));
    if !bound.object.is_terminating() || grace <= 0 || !led_to() {
        return Duration::ZERO;
    }
    TO_THE_PROXIES.min(Duration::from_secs(grace.unsigned_abs()) / 2)
}

fn leads_to(service: &Object, pod: &Object) -> bool {
    let mut labels = service.text_map(&["spec", "selector"]).peekable();
    let selects = labels.peek().is_some() && LabelSelector::from_pairs(labels).matches(pod);
    selects && service.namespace() == pod.namespace()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(namespace: &str, labels: Value, spec: Value) -> Object {
        let object =
            json!({"metadata": {"namespace": namespace, "name": "a", "labels": labels}, "spec": spec});
        Object::from_json(object.to_string().as_bytes()).expect("a map")
    }

    #[test]
    fn a_service_leads_to_what_it_selects_in_its_namespace() {
        let pod = object("default", json!({"app": "web", "tier": "front"}), json!({}));
        for (namespace, selector, leads) in [
            ("default", json!({"app": "web"}), true),
            ("default", json!({"app": "web", "tier": "back"}), false),
            ("default", json!({}), false),
            ("default", Value::Null, false),
            ("other", json!({"app": "web"}), false),
        ] {
            let service = object(namespace, json!({}), json!({"selector": selector}));
            assert_eq!(leads_to(&service, &pod), leads, "{selector}");
        }
    }
}
