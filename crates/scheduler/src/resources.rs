//! Amounts of resources: what nodes have and pods ask for.

use std::collections::BTreeMap;

use serde_json::Value;
use xebec_api::object::Object;

use crate::quantity;

/// Amounts by resource name: `cpu` in thousandths of a core, everything else in its own unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources(BTreeMap<String, i128>);

impl Resources {
    /// Reads a map of quantities; what is no quantity counts as nothing.
    pub(crate) fn of(list: Option<&Value>) -> Self {
        let list = list.and_then(Value::as_object).into_iter().flatten();
        Self(list.map(|(name, value)| (name.clone(), amount(name, value))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i128)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_default() += amount;
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let slot = self.0.entry(name.clone()).or_default();
            *slot = (*slot).max(*amount);
        }
    }
}

fn amount(name: &str, value: &Value) -> i128 {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let millis = quantity::millis(&text).unwrap_or_default();
    if name == "cpu" { millis } else { millis.div_euclid(1000) + i128::from(millis.rem_euclid(1000) != 0) }
}

/// What a pod asks for: the sum of its containers and sidecars, or the largest init
/// container on top of the sidecars started before it, whichever is more, plus overhead.
pub(crate) fn requests(pod: &Object) -> Resources {
    let mut running = sum(pod, "containers");
    let mut sidecars = Resources::default();
    let mut starting = Resources::default();
    for container in list(pod, "initContainers") {
        let mut peak = container_requests(container);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            sidecars.add(&peak);
            starting.raise_to(&sidecars);
        } else {
            peak.add(&sidecars);
            starting.raise_to(&peak);
        }
    }
    running.add(&sidecars);
    running.raise_to(&starting);
    running.add(&Resources::of(pod.get(&["spec", "overhead"])));
    running
}

fn sum(pod: &Object, key: &str) -> Resources {
    let mut sum = Resources::default();
    for container in list(pod, key) {
        sum.add(&container_requests(container));
    }
    sum
}

fn list<'a>(pod: &'a Object, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    pod.get(&["spec", key]).and_then(Value::as_array).into_iter().flatten()
}

/// A container's requests; a limit without a request is one.
fn container_requests(container: &Value) -> Resources {
    let read = |key| Resources::of(container.get("resources").and_then(|resources| resources.get(key)));
    let Resources(mut amounts) = read("limits");
    amounts.extend(read("requests").0);
    Resources(amounts)
}
