//! A pod as `kubectl get pods` shows it. STATUS follows kubectl's own steps (printPod in
//! pkg/printers/internalversion), since scripts read it.

use serde_json::Value;

use crate::object::Object;
use crate::pod::{condition, is_sidecar, list};
use crate::resource::Column;
use crate::time;

pub(super) const COLUMNS: &[Column] = &[
    Column::shown("READY"),
    Column::shown("STATUS"),
    Column::shown("RESTARTS"),
    Column::wide("IP"),
    Column::wide("NODE"),
    Column::wide("NOMINATED NODE"),
    Column::wide("READINESS GATES"),
];

pub(super) fn cells(pod: &Object, now: i64) -> Vec<String> {
    let summary = Summary::of(pod);
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    vec![
        format!("{}/{}", summary.ready, summary.total),
        summary.reason,
        summary.restarts.shown(now),
        or_none(pod.text(&["status", "podIP"])),
        or_none(pod.text(&["spec", "nodeName"])),
        or_none(pod.text(&["status", "nominatedNodeName"])),
        readiness_gates(pod),
    ]
}

#[derive(Default)]
struct Restarts {
    count: i64,
    last: String,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += status.get("restartCount").and_then(Value::as_i64).unwrap_or_default();
        let finished = status.pointer("/lastState/terminated/finishedAt").and_then(Value::as_str);
        // RFC 3339 in whole seconds of UTC sorts as text.
        if let Some(finished) = finished.filter(|finished| *finished > self.last.as_str()) {
            finished.clone_into(&mut self.last);
        }
    }

    fn shown(&self, now: i64) -> String {
        if self.count == 0 || self.last.is_empty() {
            return self.count.to_string();
        }
        format!("{} ({} ago)", self.count, time::age(&self.last, now))
    }
}

struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Object) -> Self {
        let sidecars = list(pod, &["spec", "initContainers"]).filter(|c| is_sidecar(c)).count();
        let mut summary = Self {
            ready: 0,
            total: list(pod, &["spec", "containers"]).count() + sidecars,
            reason: first_reason(pod),
            restarts: Restarts::default(),
        };
        let initializing = summary.init_containers(pod);
        let initialized = condition(pod, "Initialized").is_some_and(is_true);
        if !initializing || initialized {
            summary.restarts = sidecar_restarts(pod);
            summary.containers(pod);
        }
        summary.deletion(pod);
        summary
    }

    /// Whether an init container is still to end.
    fn init_containers(&mut self, pod: &Object) -> bool {
        let total = list(pod, &["spec", "initContainers"]).count();
        for (index, status) in list(pod, &["status", "initContainerStatuses"]).enumerate() {
            self.restarts.add(status);
            let sidecar = is_sidecar_status(pod, status);
            if status.pointer("/state/terminated").is_some_and(|t| exit_code(t) == 0) {
                continue;
            }
            if sidecar && status.get("started") == Some(&Value::Bool(true)) {
                self.ready += usize::from(status.get("ready") == Some(&Value::Bool(true)));
                continue;
            }
            self.reason = init_reason(status).unwrap_or_else(|| format!("Init:{index}/{total}"));
            return true;
        }
        false
    }

    fn containers(&mut self, pod: &Object) {
        let mut running = false;
        let statuses: Vec<&Value> = list(pod, &["status", "containerStatuses"]).collect();
        for status in statuses.into_iter().rev() {
            self.restarts.add(status);
            let waiting = status.pointer("/state/waiting").map(reason).filter(|reason| !reason.is_empty());
            if let Some(waiting) = waiting {
                waiting.clone_into(&mut self.reason);
            } else if let Some(terminated) = status.pointer("/state/terminated") {
                self.reason = ended("", terminated);
            } else if status.get("ready") == Some(&Value::Bool(true))
                && status.pointer("/state/running").is_some()
            {
                running = true;
                self.ready += 1;
            }
        }
        // One has ended, another one still runs: the pod does.
        if self.reason == "Completed" && running {
            let ready = condition(pod, "Ready").is_some_and(is_true);
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn deletion(&mut self, pod: &Object) {
        if !pod.is_terminating() {
            return;
        }
        if pod.text(&["status", "reason"]) == "NodeLost" {
            "Unknown".clone_into(&mut self.reason);
        } else if !crate::pod::is_terminal(pod) {
            "Terminating".clone_into(&mut self.reason);
        }
    }
}

fn first_reason(pod: &Object) -> String {
    let gated = condition(pod, "PodScheduled").is_some_and(|c| reason(c) == "SchedulingGated");
    let said = pod.text(&["status", "reason"]);
    let phase = crate::pod::phase(pod);
    match (gated, said) {
        (true, _) => "SchedulingGated",
        (false, "") => phase,
        (false, said) => said,
    }
    .to_owned()
}

fn init_reason(status: &Value) -> Option<String> {
    if let Some(terminated) = status.pointer("/state/terminated") {
        return Some(ended("Init:", terminated));
    }
    let waiting = status.pointer("/state/waiting").map(reason)?;
    (!waiting.is_empty() && waiting != "PodInitializing").then(|| format!("Init:{waiting}"))
}

fn ended(prefix: &str, terminated: &Value) -> String {
    let signal = terminated.get("signal").and_then(Value::as_i64).unwrap_or_default();
    match reason(terminated) {
        "" if signal != 0 => format!("{prefix}Signal:{signal}"),
        "" => format!("{prefix}ExitCode:{}", exit_code(terminated)),
        reason => format!("{prefix}{reason}"),
    }
}

fn sidecar_restarts(pod: &Object) -> Restarts {
    let mut restarts = Restarts::default();
    let statuses = list(pod, &["status", "initContainerStatuses"]);
    statuses.filter(|status| is_sidecar_status(pod, status)).for_each(|status| restarts.add(status));
    restarts
}

fn is_sidecar_status(pod: &Object, status: &Value) -> bool {
    let mut containers = list(pod, &["spec", "initContainers"]);
    containers.any(|container| container.get("name") == status.get("name") && is_sidecar(container))
}

fn readiness_gates(pod: &Object) -> String {
    let gates: Vec<&Value> = list(pod, &["spec", "readinessGates"]).collect();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let kinds = gates.iter().filter_map(|gate| gate.get("conditionType")?.as_str());
    let passed = kinds.filter(|kind| condition(pod, kind).is_some_and(is_true)).count();
    format!("{passed}/{}", gates.len())
}

fn reason(value: &Value) -> &str {
    value.get("reason").and_then(Value::as_str).unwrap_or_default()
}

fn exit_code(terminated: &Value) -> i64 {
    terminated.get("exitCode").and_then(Value::as_i64).unwrap_or_default()
}

fn is_true(condition: &Value) -> bool {
    condition.get("status").and_then(Value::as_str) == Some("True")
}
