//! A container of a pod: what is asked of it beside what became of it.

use serde_json::Value;
use xebec_api::object::Object;

use super::wording::{items_of, text};

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    pub(super) spec: &'a Value,
    /// `None` while the node has not begun with it.
    pub(super) status: Option<&'a Value>,
    /// Runs to its end before the others start.
    pub(super) init: bool,
}

/// The containers of a pod in the order in which they start.
pub(super) fn all(pod: &Object) -> Vec<Container<'_>> {
    let of = |specs: &str, statuses: &str, init: bool| {
        let status = |name: &str| items_of(pod, &["status", statuses]).find(|s| text(s, "/name") == name);
        let specs = items_of(pod, &["spec", specs]);
        let containers = specs.map(|spec| Container { spec, status: status(text(spec, "/name")), init });
        containers.collect::<Vec<_>>()
    };
    let mut all = of("initContainers", "initContainerStatuses", true);
    all.extend(of("containers", "containerStatuses", false));
    all
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        text(self.spec, "/name")
    }

    /// `container web` or `init container setup`.
    pub(super) fn named(&self) -> String {
        format!("{}container {}", if self.init { "init " } else { "" }, self.name())
    }

    /// A text of its status.
    pub(super) fn says(&self, pointer: &str) -> &'a str {
        self.status.map_or("", |status| text(status, pointer))
    }

    /// The reason why it does not run yet.
    pub(super) fn waits_for(&self) -> &'a str {
        self.says("/state/waiting/reason")
    }

    pub(super) fn is_running(&self) -> bool {
        self.status.is_some_and(|status| status.pointer("/state/running").is_some())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.flag("/ready")
    }

    /// Its startup probe has let it through.
    pub(super) fn is_started(&self) -> bool {
        self.flag("/started")
    }

    fn flag(&self, pointer: &str) -> bool {
        self.status.and_then(|status| status.pointer(pointer)) == Some(&Value::Bool(true))
    }

    pub(super) fn restarts(&self) -> i64 {
        self.status.and_then(|status| status.get("restartCount")?.as_i64()).unwrap_or_default()
    }

    /// The run that ended last: the present state, or the one before it.
    pub(super) fn ended(&self) -> Option<&'a Value> {
        let status = self.status?;
        status.pointer("/state/terminated").or_else(|| status.pointer("/lastState/terminated"))
    }

    /// The port numbers that it declares, with their names.
    pub(super) fn ports(&self) -> Vec<(i64, &'a str)> {
        ports(self.spec)
    }
}

/// The port numbers that a container declares, with their names.
pub(super) fn ports(spec: &Value) -> Vec<(i64, &str)> {
    let ports = super::wording::items(spec, "/ports");
    ports.filter_map(|port| Some((port.get("containerPort")?.as_i64()?, text(port, "/name")))).collect()
}

/// Ports as people name them: `8080 (http)`.
pub(super) fn port_words(ports: &[(i64, &str)]) -> Vec<String> {
    let word = |(number, name): &(i64, &str)| match *name {
        "" => number.to_string(),
        name => format!("{number} ({name})"),
    };
    ports.iter().map(word).collect()
}
