//! Pods: where they run, what is in them and how it is.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod;

use super::page::{Page, pairs, scalar};

/// Describes it.
pub(super) fn describe(object: &Object, page: &mut Page) {
    page.head(object);
    let node = match (object.text(&["spec", "nodeName"]), object.text(&["status", "hostIP"])) {
        ("", _) => String::new(),
        (name, "") => name.to_owned(),
        (name, address) => format!("{name}/{address}"),
    };
    page.field("Node", node);
    page.optional("Start Time", object.text(&["status", "startTime"]));
    page.field("Status", status(object));
    page.optional("Reason", object.text(&["status", "reason"]));
    page.optional("Message", object.text(&["status", "message"]));
    page.field("IP", object.text(&["status", "podIP"]));
    page.optional("Service Account", object.text(&["spec", "serviceAccountName"]));
    containers("Init Containers", object, "initContainers", "initContainerStatuses", page);
    containers("Containers", object, "containers", "containerStatuses", page);
    page.conditions(object);
    volumes(object, page);
    page.field("QoS Class", pod::qos_class(object));
    page.field("Node-Selectors", pairs(object.text_map(&["spec", "nodeSelector"])));
    let tolerations = object.get(&["spec", "tolerations"]).and_then(Value::as_array);
    let tolerations: Vec<String> = tolerations.into_iter().flatten().map(toleration).collect();
    page.field("Tolerations", tolerations.join("\n"));
}

fn status(object: &Object) -> String {
    if object.is_terminating() {
        let grace = scalar(object.get(&["metadata", "deletionGracePeriodSeconds"]));
        return format!("Terminating (grace period {grace}s)");
    }
    pod::phase(object).to_owned()
}

fn toleration(value: &Value) -> String {
    let text = |key: &str| scalar(value.get(key));
    let equals = if text("value").is_empty() { String::new() } else { format!("={}", text("value")) };
    let effect = if text("effect").is_empty() { String::new() } else { format!(":{}", text("effect")) };
    let operator = if text("operator") == "Exists" { " op=Exists" } else { "" };
    let seconds = scalar(value.get("tolerationSeconds"));
    let seconds = if seconds.is_empty() { seconds } else { format!(" for {seconds}s") };
    format!("{}{equals}{effect}{operator}{seconds}", text("key"))
}

fn containers(heading: &str, object: &Object, specs: &str, statuses: &str, page: &mut Page) {
    let list = |path: &[&str]| object.get(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let (specs, statuses) = (list(&["spec", specs]), list(&["status", statuses]));
    if specs.is_empty() {
        return;
    }
    page.section(heading, |page| {
        for spec in &specs {
            let name = scalar(spec.get("name"));
            let status = statuses.iter().find(|status| status.get("name") == spec.get("name"));
            page.section(&name, |page| container(spec, status, page));
        }
    });
}

/// One container of a pod or a template.
pub(super) fn container(spec: &Value, status: Option<&Value>, page: &mut Page) {
    page.field("Image", scalar(spec.get("image")));
    let ports = spec.get("ports").and_then(Value::as_array);
    let ports = ports.into_iter().flatten().map(|port| {
        let protocol = scalar(port.get("protocol"));
        format!(
            "{}/{}",
            scalar(port.get("containerPort")),
            if protocol.is_empty() { "TCP" } else { &protocol }
        )
    });
    page.optional("Ports", ports.collect::<Vec<_>>().join(", "));
    for (name, field) in [("Command", "command"), ("Args", "args")] {
        page.optional(name, words(spec.get(field)));
    }
    if let Some(status) = status {
        state("State", status.get("state"), page);
        state("Last State", status.get("lastState"), page);
        page.field("Ready", scalar(status.get("ready")));
        page.field("Restart Count", scalar(status.get("restartCount")));
        page.optional("Image ID", scalar(status.get("imageID")));
    }
    for (name, field) in [("Requests", "requests"), ("Limits", "limits")] {
        let amounts = spec.pointer(&format!("/resources/{field}")).and_then(Value::as_object);
        let amounts =
            amounts.into_iter().flatten().map(|(key, value)| format!("{key}={}", scalar(Some(value))));
        page.optional(name, amounts.collect::<Vec<_>>().join(", "));
    }
    for (name, field) in
        [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
    {
        if let Some(spec) = spec.get(field) {
            page.field(name, probe(spec));
        }
    }
    environment(spec, page);
    let mounts = spec.get("volumeMounts").and_then(Value::as_array);
    let mounts = mounts.into_iter().flatten().map(|mount| {
        let mode = if mount.get("readOnly") == Some(&Value::Bool(true)) { "ro" } else { "rw" };
        format!("{} from {} ({mode})", scalar(mount.get("mountPath")), scalar(mount.get("name")))
    });
    page.optional("Mounts", mounts.collect::<Vec<_>>().join("\n"));
}

fn words(list: Option<&Value>) -> String {
    let words = list.and_then(Value::as_array).into_iter().flatten().map(|word| scalar(Some(word)));
    words.collect::<Vec<_>>().join(" ")
}

fn state(name: &str, state: Option<&Value>, page: &mut Page) {
    let Some((kind, detail)) = state.and_then(Value::as_object).and_then(|state| state.iter().next()) else {
        return;
    };
    let mut text = kind.clone();
    for (label, key) in [
        ("reason", "reason"),
        ("exit code", "exitCode"),
        ("signal", "signal"),
        ("started", "startedAt"),
        ("finished", "finishedAt"),
        ("message", "message"),
    ] {
        let value = scalar(detail.get(key));
        if !value.is_empty() {
            text.push_str(&format!(", {label} {value}"));
        }
    }
    page.field(name, text);
}

fn probe(spec: &Value) -> String {
    let what = if let Some(get) = spec.get("httpGet") {
        format!("http-get :{}{}", scalar(get.get("port")), scalar(get.get("path")))
    } else if let Some(tcp) = spec.get("tcpSocket") {
        format!("tcp-socket :{}", scalar(tcp.get("port")))
    } else if let Some(exec) = spec.get("exec") {
        format!("exec [{}]", words(exec.get("command")))
    } else {
        "grpc".to_owned()
    };
    let seconds = |key: &str, default: &str| {
        let value = scalar(spec.get(key));
        if value.is_empty() { default.to_owned() } else { value }
    };
    format!(
        "{what} delay={}s timeout={}s period={}s success={} failure={}",
        seconds("initialDelaySeconds", "0"),
        seconds("timeoutSeconds", "1"),
        seconds("periodSeconds", "10"),
        seconds("successThreshold", "1"),
        seconds("failureThreshold", "3"),
    )
}

fn environment(spec: &Value, page: &mut Page) {
    let env = spec.get("env").and_then(Value::as_array);
    let mut lines: Vec<String> = Vec::new();
    for variable in env.into_iter().flatten() {
        let name = scalar(variable.get("name"));
        let from = |kind: &str| variable.pointer(&format!("/valueFrom/{kind}"));
        let keyed = |source: &Value| (scalar(source.get("key")), scalar(source.get("name")));
        lines.push(if let Some(source) = from("secretKeyRef") {
            let (key, object) = keyed(source);
            format!("{name}: <key {key:?} of secret {object:?}>")
        } else if let Some(source) = from("configMapKeyRef") {
            let (key, object) = keyed(source);
            format!("{name}: <key {key:?} of configmap {object:?}>")
        } else if let Some(source) = from("fieldRef") {
            format!("{name}: ({})", scalar(source.get("fieldPath")))
        } else {
            format!("{name}: {}", scalar(variable.get("value")))
        });
    }
    page.optional("Environment", lines.join("\n"));
}

fn volumes(object: &Object, page: &mut Page) {
    let volumes = object.get(&["spec", "volumes"]).and_then(Value::as_array);
    let lines = volumes.into_iter().flatten().map(|volume| {
        let kind = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
        let (kind, source) = kind.map_or(("none", None), |(key, value)| (key.as_str(), Some(value)));
        let of = |key: &str| scalar(source.and_then(|source| source.get(key)));
        let detail =
            ["name", "secretName", "path", "claimName"].into_iter().map(of).find(|text| !text.is_empty());
        format!("{}: {kind} {}", scalar(volume.get("name")), detail.unwrap_or_default())
    });
    page.optional("Volumes", lines.collect::<Vec<_>>().join("\n"));
}
