//! A container that runs but fails a probe: which one, what it asks, and what it hears.

use serde_json::Value;
use xebec_api::object::Object;

use super::container::{Container, port_words};
use super::crash::is_about_last_end;
use super::explanation::Explanation;
use super::facts::{Facts, times};
use super::wording::{ago, count, either, items, named, quoted, since, text};
use crate::seen;

/// Why a running container is not ready.
pub(super) fn explain(facts: &Facts, pod: &Object, container: &Container<'_>) -> Explanation {
    let starting = container.spec.get("startupProbe").filter(|_| !container.is_started());
    let (kind, probe) = match (starting, container.spec.get("readinessProbe")) {
        (Some(probe), _) => ("Startup", probe),
        (None, Some(probe)) => ("Readiness", probe),
        (None, None) => {
            let since = since(container.says("/state/running/startedAt"), facts.now);
            let said = format!(
                "{} is not ready yet: its {} has only just started{since}.",
                named(pod),
                container.named()
            );
            return Explanation::ill(pod, said.replace("has only just started for", "has been running for"));
        }
    };
    let lead = format!("{} runs but is not ready: its {}", named(pod), container.named());
    match failure(facts, pod, container, kind) {
        Some(event) => {
            let said = format!("{lead} fails its {}.", failing(facts, kind, probe, event));
            Explanation::ill(pod, said).fix(remedy(container, probe, event))
        }
        None => {
            let since = since(container.says("/state/running/startedAt"), facts.now);
            let (asks, word) = (asks(probe), kind.to_ascii_lowercase());
            let said =
                format!("{lead} has been running{since} and has not yet passed its {word} probe ({asks}).");
            Explanation::ill(pod, said).fix("Nothing has gone wrong so far: ask again in a few seconds.")
        }
    }
}

/// Whether it was told that the container's readiness probe fails.
pub(super) fn fails_readiness(facts: &Facts, pod: &Object, container: &Container<'_>) -> bool {
    let condemned = condemned(facts, pod, container).is_some();
    container.is_running() && !condemned && failure(facts, pod, container, "Readiness").is_some()
}

/// Says of a container that is ended for failing its liveness or startup probe that it is.
pub(super) fn condemned<'a>(
    facts: &'a Facts,
    pod: &'a Object,
    container: &'a Container<'_>,
) -> Option<impl FnOnce(String) -> Explanation + use<'a>> {
    let killing = facts.last_event(pod, "Killing").filter(|event| is_of(event, container))?;
    let kind = ["Liveness", "Startup"].into_iter().find(|kind| {
        killing.text(&["message"]).contains(&format!("failed {} probe", kind.to_ascii_lowercase()))
    })?;
    let probe = container.spec.get(format!("{}Probe", kind.to_ascii_lowercase()))?;
    let event = failure(facts, pod, container, kind)?;
    is_about_last_end(killing, container).then_some(())?;
    Some(move |lead: String| {
        let said = format!("Each time it was ended for failing its {}.", failing(facts, kind, probe, event));
        Explanation::ill(pod, lead).because(said).fix(remedy(container, probe, event))
    })
}

/// An event of a container, or of a pod with one only.
fn is_of(event: &Object, container: &Container<'_>) -> bool {
    let field = event.text(&["involvedObject", "fieldPath"]);
    field.is_empty() || field.contains(&format!("{{{}}}", container.name()))
}

fn failure<'a>(facts: &'a Facts, pod: &Object, container: &Container<'_>, kind: &str) -> Option<&'a Object> {
    let lead = format!("{kind} probe failed");
    let events = facts.events(pod).filter(|event| {
        event.text(&["reason"]) == "Unhealthy"
            && event.text(&["message"]).starts_with(&lead)
            && is_of(event, container)
    });
    events.max_by_key(|event| seen::last(event))
}

/// `readiness probe (HTTP GET /healthz on port http) 12 times, last 2s ago: …`
fn failing(facts: &Facts, kind: &str, probe: &Value, event: &Object) -> String {
    let times = count(usize::try_from(times(event)).unwrap_or(1), "time");
    let ago = ago(seen::last(event), facts.now).map(|ago| format!(", last {ago} ago")).unwrap_or_default();
    let message = event.text(&["message"]);
    let heard = quoted(message.split_once("probe failed: ").map_or(message, |(_, heard)| heard));
    format!("{} probe ({}): {heard} ({times}{ago})", kind.to_ascii_lowercase(), asks(probe))
}

/// What a probe asks.
fn asks(probe: &Value) -> String {
    let port = |pointer: &str| port(probe.pointer(pointer));
    if let Some(get) = probe.get("httpGet") {
        let path = Some(text(get, "/path")).filter(|path| !path.is_empty()).unwrap_or("/");
        format!("HTTP GET {path} on port {}", port("/httpGet/port"))
    } else if probe.get("tcpSocket").is_some() {
        format!("a connection to port {}", port("/tcpSocket/port"))
    } else if probe.get("grpc").is_some() {
        format!("gRPC health on port {}", port("/grpc/port"))
    } else {
        let words: Vec<&str> = items(probe, "/exec/command").filter_map(Value::as_str).collect();
        format!("the command `{}`", words.join(" "))
    }
}

fn port(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// What helps: another port where nothing listens on this one.
fn remedy(container: &Container<'_>, probe: &Value, event: &Object) -> String {
    let asked = ["/httpGet/port", "/tcpSocket/port", "/grpc/port"].into_iter().find_map(|p| probe.pointer(p));
    let declared = container.ports();
    let known = match asked {
        Some(Value::Number(number)) => declared.iter().any(|(port, _)| Some(*port) == number.as_i64()),
        Some(Value::String(name)) => declared.iter().any(|(_, known)| known == name),
        _ => true,
    };
    let heard = event.text(&["message"]).to_ascii_lowercase();
    if !known && !declared.is_empty() {
        let ports = either(&port_words(&declared));
        return format!(
            "Have the probe ask a port on which the container listens: it declares {ports}, not {}.",
            port(asked)
        );
    }
    if heard.contains("refused") {
        return format!(
            "Nothing listens on port {}: have the container listen there, or correct the probe's port.",
            port(asked)
        );
    }
    if heard.contains("statuscode") || heard.contains("status code") {
        return "Have the container answer with a status from 200 to 399, or correct the probe's path."
            .to_owned();
    }
    if heard.contains("no answer") || heard.contains("timed out") {
        return "Have the container answer sooner, or raise the probe's timeoutSeconds.".to_owned();
    }
    "Mend what the probe finds, or correct the probe.".to_owned()
}
