//! What is on its way out, and what keeps it here.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{is_ready, node_name};
use xebec_api::time;

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{items_of, list, named, verb};

/// Finalizers of Kubernetes itself, which its controllers take away by themselves.
const OWN: &[&str] = &["foregroundDeletion", "orphan", "kubernetes"];

/// Any object: only finalizers hold it.
pub(super) fn any(facts: &Facts, object: &Object) -> Explanation {
    let explained = Explanation::ill(object, lead(facts, object));
    finalizers(object, explained)
}

/// A pod: its containers are given time to end, which its node has to tell of.
pub(super) fn pod(facts: &Facts, pod: &Object) -> Explanation {
    let explained = Explanation::ill(pod, lead(facts, pod));
    let node = node_name(pod).and_then(|name| facts.find("Node", "", name));
    if let Some(node) = node.filter(|node| !is_ready(node)) {
        let said = format!(
            "Its node {} is not ready, so nobody can say that its containers have ended.",
            node.name()
        );
        let fix = format!(
            "Bring the node back (`xctl why node/{}`); if it is gone for good, `xctl delete pod {} --force` gives the \
             pod up.",
            node.name(),
            pod.name()
        );
        return finalizers(pod, explained.because(said).fix(fix));
    }
    // The deletion's time is that of its end: the grace period is in it.
    let end = time::parse(pod.text(&["metadata", "deletionTimestamp"])).map_or(0, |end| end.as_second());
    if end > facts.now {
        let left = time::human_duration(end - facts.now);
        let grace = pod.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64).unwrap_or(0);
        return finalizers(
            pod,
            explained
                .because(format!(
                    "Its containers were asked to end and have {left} left of their {grace}s for it."
                ))
                .fix("It ends by itself; have the container heed SIGTERM if that takes too long."),
        );
    }
    finalizers(pod, explained)
}

fn lead(facts: &Facts, object: &Object) -> String {
    let grace = object.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64).unwrap_or(0);
    let end = time::parse(object.text(&["metadata", "deletionTimestamp"]));
    let ago = end.map(|end| time::human_duration((facts.now - end.as_second() + grace).max(0)));
    format!(
        "{} was deleted {} ago and is still here.",
        named(object),
        ago.unwrap_or_else(|| "some time".to_owned())
    )
}

fn finalizers(object: &Object, explained: Explanation) -> Explanation {
    let all: Vec<&str> = items_of(object, &["metadata", "finalizers"]).filter_map(Value::as_str).collect();
    if all.is_empty() {
        return explained;
    }
    let (own, foreign): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|name| OWN.contains(name));
    let explained = if own.is_empty() {
        explained
    } else {
        explained.because(format!("The cluster first sees to what belongs to it ({}).", list(&own)))
    };
    if foreign.is_empty() {
        return explained;
    }
    let word = verb(foreign.len(), "finalizer", "finalizers");
    let kind = object.kind().to_ascii_lowercase();
    explained
        .because(format!(
            "It is held by the {word} {}, which whoever set it has to take away.",
            list(&foreign)
        ))
        .fix(format!(
            "See to it that its controller runs; if there is none any more, \
             `xctl patch {kind} {} --type merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'` lets it go.",
            object.name()
        ))
}
