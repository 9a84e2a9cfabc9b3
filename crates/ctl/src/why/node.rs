//! A node: whether it is heard of, and whether it takes pods.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{Resources, condition, is_active, requests};
use xebec_api::taint::taints;

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{ago, amount, bare_amount, list, named, quoted, since, text};

/// What a node can be short of, in words.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "memory"),
    ("DiskPressure", "disk"),
    ("PIDPressure", "process ids"),
    ("NetworkUnavailable", "a network"),
];

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, node: &Object) -> Explanation {
    let ready = condition(node, "Ready").unwrap_or(&Value::Null);
    let changed = text(ready, "/lastTransitionTime");
    match text(ready, "/status") {
        "True" => takes_pods(facts, node, changed),
        "False" => {
            let why = quoted(text(ready, "/message"));
            let said = format!("{} has not been ready{}: {why}.", named(node), since(changed, facts.now));
            Explanation::ill(node, said).fix(format!("Its agent's log on {} says more.", node.name()))
        }
        "" => {
            let said = format!("{} was registered but its agent has never said how it is.", named(node));
            Explanation::ill(node, said).fix(start(node))
        }
        _ => unheard(facts, node, ready),
    }
}

fn start(node: &Object) -> String {
    format!("See that `xebec node` runs on {} and reaches a master.", node.name())
}

fn unheard(facts: &Facts, node: &Object, ready: &Value) -> Explanation {
    let seen = text(ready, "/lastHeartbeatTime");
    let last = ago(seen, facts.now).filter(|_| !seen.is_empty());
    let last = last.map(|ago| format!(", and last wrote its status {ago} ago")).unwrap_or_default();
    let gone = since(text(ready, "/lastTransitionTime"), facts.now);
    let said =
        format!("{} has not been heard of{gone}: no master has a session with its agent{last}.", named(node));
    let pods = facts.pods_on(node.name()).iter().filter(|pod| is_active(pod)).count();
    let left = (pods > 0).then(|| {
        format!("{pods} of its pods are not replaced yet.").replace("1 of its pods are", "1 of its pods is")
    });
    Explanation::ill(node, said)
        .because_if(left)
        .fix(start(node))
        .fix(format!("If it is gone for good, `xctl delete node {}` gives it up.", node.name()))
}

fn takes_pods(facts: &Facts, node: &Object, ready_since: &str) -> Explanation {
    let short = PRESSURES.into_iter().filter(|(kind, _)| {
        condition(node, kind).is_some_and(|condition| text(condition, "/status") == "True")
    });
    let short: Vec<&str> = short.map(|(_, word)| word).collect();
    if !short.is_empty() {
        return Explanation::ill(
            node,
            format!("{} is ready but short of {}, and takes no new pods.", named(node), list(&short)),
        )
        .fix("End pods there or give it more.");
    }
    if node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        return Explanation::ill(
            node,
            format!("{} is ready but cordoned: its pods stay, and no new ones come.", named(node)),
        )
        .fix(format!("Let pods onto it again with `xctl uncordon {}`.", node.name()));
    }
    let hard = taints(node).into_iter().filter(|taint| taint.effect != "PreferNoSchedule");
    let hard: Vec<String> = hard.map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
    let only = (!hard.is_empty()).then(|| {
        format!(
            "It takes only pods that tolerate its {} {}.",
            if hard.len() == 1 { "taint" } else { "taints" },
            list(&hard)
        )
    });
    let said = format!(
        "{} is well: it has been ready{}, and {}.",
        named(node),
        since(ready_since, facts.now),
        load(facts, node)
    );
    Explanation::well(node, said).because_if(only)
}

/// How much of it is asked for.
fn load(facts: &Facts, node: &Object) -> String {
    let has = Resources::of(node.get(&["status", "allocatable"]));
    if !facts.knows("Pod") {
        return "takes pods".to_owned();
    }
    let pods = facts.pods_on(node.name());
    let mut asked = Resources::default();
    let active: Vec<&Object> = pods.iter().filter(|pod| is_active(pod)).collect();
    active.iter().for_each(|pod| asked.add(&requests(pod)));
    format!(
        "its {} of {} pods ask for {} of {} and {} of {} of memory",
        active.len(),
        has.other.get("pods").copied().unwrap_or_default(),
        bare_amount("cpu", asked.cpu_millis),
        amount("cpu", has.cpu_millis),
        bare_amount("memory", asked.memory_bytes),
        bare_amount("memory", has.memory_bytes),
    )
}
