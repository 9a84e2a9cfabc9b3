//! Which pods a pod wants beside it, or away from it: one term of its pod affinity or
//! anti-affinity, with the rules of
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::{Namespaces, PodInfo};

/// A term, read once and asked about many pods.
#[derive(Clone, Debug)]
pub(crate) struct PodTerm {
    /// The label of nodes that says how near is near.
    pub(crate) topology_key: String,
    /// `None` selects no pod.
    selector: Option<LabelSelector>,
    namespaces: Vec<String>,
    namespace_selector: Option<LabelSelector>,
}

impl PodTerm {
    /// The required terms of `podAffinity` or `podAntiAffinity`.
    pub(crate) fn required(pod: &Object, kind: &str) -> Vec<Self> {
        let path = ["spec", "affinity", kind, "requiredDuringSchedulingIgnoredDuringExecution"];
        let terms = pod.get(&path).and_then(Value::as_array).into_iter().flatten();
        terms.map(|term| Self::of(pod, term)).collect()
    }

    /// The preferred terms of `podAffinity` or `podAntiAffinity`, each with its weight.
    pub(crate) fn preferred(pod: &Object, kind: &str) -> Vec<(i128, Self)> {
        let path = ["spec", "affinity", kind, "preferredDuringSchedulingIgnoredDuringExecution"];
        let terms = pod.get(&path).and_then(Value::as_array).into_iter().flatten();
        let weighed = terms.filter_map(|wish| {
            let weight = wish.get("weight").and_then(Value::as_i64)?;
            Some((i128::from(weight), Self::of(pod, wish.get("podAffinityTerm")?)))
        });
        weighed.collect()
    }

    fn of(pod: &Object, term: &Value) -> Self {
        let mut namespaces = strings(term, "namespaces");
        let namespace_selector = term.get("namespaceSelector").filter(|selector| selector.is_object());
        if namespaces.is_empty() && namespace_selector.is_none() {
            namespaces.push(pod.namespace().to_owned());
        }
        Self {
            topology_key: text(term, "topologyKey"),
            selector: narrowed_selector(pod, term),
            namespaces,
            namespace_selector: namespace_selector.map(LabelSelector::from_object),
        }
    }

    /// Whether the term is about this pod.
    pub(crate) fn selects(&self, pod: &PodInfo, namespaces: &Namespaces) -> bool {
        let named = || self.namespaces.contains(&pod.namespace);
        let selected =
            |selector: &LabelSelector| selector.is_empty() || namespaces.selects(selector, &pod.namespace);
        pod.is_selected(self.selector.as_ref())
            && (named() || self.namespace_selector.as_ref().is_some_and(selected))
    }
}

/// The `labelSelector` of a term or constraint, narrowed to what `matchLabelKeys` says: pods with
/// the value that the pod itself has, and by `mismatchLabelKeys` those with another.
pub(crate) fn narrowed_selector(pod: &Object, term: &Value) -> Option<LabelSelector> {
    let mut selector = term.get("labelSelector").filter(|selector| selector.is_object())?.clone();
    let list = selector.get("matchExpressions").and_then(Value::as_array).cloned();
    let mut expressions = list.unwrap_or_default();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in strings(term, field) {
            if let Some((_, value)) = pod.labels().find(|(label, _)| *label == key) {
                expressions.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    selector["matchExpressions"] = expressions.into();
    Some(LabelSelector::from_object(&selector))
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn strings(value: &Value, field: &str) -> Vec<String> {
    let list = value.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
