//! A pod: where it stands on its way from being asked for to being ready, and what holds
//! it there. The first thing on that way which is not as it should be is the answer.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{condition, is_ready, node_name, phase};

use super::container::{self, Container};
use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{count, named, quoted, since, text};
use super::{crash, image, node, probe, reference, terminating, unscheduled};

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, pod: &Object) -> Explanation {
    if pod.is_terminating() {
        return terminating::pod(facts, pod);
    }
    match phase(pod) {
        "Succeeded" => return succeeded(facts, pod),
        "Failed" => return failed(facts, pod),
        _ => {}
    }
    let Some(node) = node_name(pod) else { return unscheduled::explain(facts, pod) };
    if let Some(lost) = node_is_lost(facts, pod, node) {
        return lost;
    }
    let containers = container::all(pod);
    if let Some(explained) = containers.iter().find_map(|container| held_up(facts, pod, container)) {
        return explained;
    }
    if is_ready(pod) { well(facts, pod, &containers) } else { not_ready(facts, pod, node, &containers) }
}

/// How bad a pod's state is for whom it is one of many: the worst of several is told of.
pub(super) fn severity(pod: &Object) -> u8 {
    let waits = |reason: &str| container::all(pod).iter().any(|container| container.waits_for() == reason);
    match phase(pod) {
        _ if is_ready(pod) && !pod.is_terminating() => 0,
        "Succeeded" => 0,
        _ if pod.is_terminating() => 1,
        _ if waits("ContainerCreating") || waits("PodInitializing") => 3,
        "Running" if !waits("CrashLoopBackOff") => 2,
        _ => 4,
    }
}

fn node_is_lost(facts: &Facts, pod: &Object, name: &str) -> Option<Explanation> {
    if facts.lacks("Node", "", name) {
        let said = format!("{} is bound to node {name}, and there is no such node.", named(pod));
        let fix = format!("Delete the pod, or start an agent by the name of {name}.");
        return Some(Explanation::ill(pod, said).fix(fix));
    }
    let node = facts.find("Node", "", name).filter(|node| !is_ready(node))?;
    let said =
        format!("{} was put onto node {name}, which is not ready, so nobody knows how it is.", named(pod));
    Some(Explanation::ill(pod, said).follow(node::explain(facts, node)))
}

/// The reason why one container keeps the pod from what it is to do.
fn held_up(facts: &Facts, pod: &Object, container: &Container<'_>) -> Option<Explanation> {
    match container.waits_for() {
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => {
            Some(image::explain(pod, container))
        }
        "CreateContainerConfigError" => Some(reference::explain(facts, pod, container)),
        "ContainerCreating" => reference::volume(facts, pod, container),
        "CrashLoopBackOff" | "RunContainerError" | "CreateContainerError" => {
            Some(crash::explain(facts, pod, container))
        }
        _ if container.init => running_init(facts, pod, container),
        _ => {
            let failed = container.status?.pointer("/state/terminated").is_some();
            let unwell = !container.is_ready() && container.restarts() > 0;
            // One that was restarted for its probe looks like any that is coming up.
            (failed || unwell && !probe::fails_readiness(facts, pod, container))
                .then(|| crash::explain(facts, pod, container))
        }
    }
}

fn running_init(facts: &Facts, pod: &Object, container: &Container<'_>) -> Option<Explanation> {
    let is_sidecar = text(container.spec, "/restartPolicy") == "Always";
    if is_sidecar || container.is_ready() {
        return None;
    }
    if !container.is_running() {
        return (container.ended().is_some()).then(|| crash::explain(facts, pod, container));
    }
    let since = since(container.says("/state/running/startedAt"), facts.now);
    let said = format!(
        "{} waits for its {}, which has been running{since}: the other containers start when it has ended well.",
        named(pod),
        container.named(),
    );
    let look = format!("See what it does with `xctl logs {} -c {}`.", pod.name(), container.name());
    Some(Explanation::ill(pod, said).fix(look))
}

fn not_ready(facts: &Facts, pod: &Object, node: &str, containers: &[Container<'_>]) -> Explanation {
    if let Some(container) = containers.iter().find(|it| it.is_running() && !it.is_ready() && !it.init) {
        return probe::explain(facts, pod, container);
    }
    let ready = condition(pod, "Ready").unwrap_or(&Value::Null);
    if text(ready, "/reason") == "ReadinessGatesNotReady" {
        let said = format!(
            "{} runs, but a readiness gate is closed: {}.",
            named(pod),
            quoted(text(ready, "/message"))
        );
        return Explanation::ill(pod, said);
    }
    let age = since(pod.text(&["metadata", "creationTimestamp"]), facts.now);
    let said = format!("{} is being started on node {node}, and has been{age}.", named(pod));
    let explained = Explanation::ill(pod, said);
    match facts.last_event(pod, "FailedCreatePodSandBox").or_else(|| facts.last_warning(pod)) {
        Some(event) => explained.because(format!("The node says: {}.", quoted(event.text(&["message"])))),
        None => explained.fix("Nothing has gone wrong so far: ask again in a few seconds."),
    }
}

fn well(facts: &Facts, pod: &Object, containers: &[Container<'_>]) -> Explanation {
    let ready = condition(pod, "Ready").unwrap_or(&Value::Null);
    let since = since(text(ready, "/lastTransitionTime"), facts.now);
    let said = match containers.iter().filter(|container| !container.init).count() {
        1 => format!("its container is ready, as it has been{since}"),
        many => format!("its {many} containers are ready, as they have been{since}"),
    };
    let node = pod.text(&["spec", "nodeName"]);
    let said = format!("{} is well: it runs on node {node}, and {said}.", named(pod));
    let restarted = containers.iter().filter(|container| container.restarts() > 0);
    let told = restarted.max_by_key(|container| container.restarts()).map(|container| {
        let times = count(usize::try_from(container.restarts()).unwrap_or_default(), "time");
        format!("Its {} was restarted {times}{}.", container.named(), crash::last_end(facts, container))
    });
    Explanation::well(pod, said).because_if(told)
}

fn succeeded(facts: &Facts, pod: &Object) -> Explanation {
    let policy = pod.text(&["spec", "restartPolicy"]);
    let ends = container::all(pod);
    let finished = ends.iter().map(|container| container.says("/state/terminated/finishedAt")).max();
    let ago = super::wording::ago(finished.unwrap_or_default(), facts.now);
    let ago = ago.map(|ago| format!(" {ago} ago")).unwrap_or_default();
    Explanation::well(
        pod,
        format!("{} is done: it ended well{ago}, and its restartPolicy {policy} has it stay so.", named(pod)),
    )
}

fn failed(facts: &Facts, pod: &Object) -> Explanation {
    let bad = |container: &&Container<'_>| {
        container.ended().is_some_and(|ended| ended.get("exitCode").and_then(Value::as_i64) != Some(0))
    };
    let containers = container::all(pod);
    if let Some(container) = containers.iter().find(bad) {
        return crash::explain(facts, pod, container);
    }
    let (reason, message) = (pod.text(&["status", "reason"]), quoted(pod.text(&["status", "message"])));
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let said = format!("{} has failed for good ({reason}{message}).", named(pod));
    Explanation::ill(pod, said).fix("Delete it; whatever owns it makes another.")
}
