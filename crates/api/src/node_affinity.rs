//! Which nodes a pod may run on by its own wish, `spec.nodeSelector` and the required node
//! affinity, and which of those it would rather have, with the rules of
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::object::Object;

/// A pod's wish, read once and asked for many nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAffinity {
    /// All of these labels.
    selector: Vec<(String, String)>,
    /// And one of these terms, if there are any.
    terms: Option<Vec<Term>>,
    /// And rather where these hold, each by its weight.
    preferred: Vec<(i64, Term)>,
}

/// Every requirement of a term must hold; an empty term holds nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    expressions: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl NodeAffinity {
    /// Reads a pod.
    #[must_use]
    pub fn of(pod: &Object) -> Self {
        let wishes = ["spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];
        let wishes = pod.get(&wishes).and_then(Value::as_array).into_iter().flatten();
        let wish = |wish: &Value| Some((wish.get("weight")?.as_i64()?, Term::of(wish.get("preference")?)));
        let path = [
            "spec",
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "nodeSelectorTerms",
        ];
        let terms = pod.get(&path).and_then(Value::as_array);
        let selector = pod.text_map(&["spec", "nodeSelector"]);
        Self {
            selector: selector.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            terms: terms.map(|terms| terms.iter().map(Term::of).collect()),
            preferred: wishes.filter_map(wish).collect(),
        }
    }

    /// The nodes that it names: every term does, so that no other node can be meant. `None` when
    /// one of them leaves that to labels.
    #[must_use]
    pub fn names(&self) -> Option<BTreeSet<&str>> {
        let each: Option<Vec<BTreeSet<&str>>> = self.terms.as_ref()?.iter().map(Term::names).collect();
        Some(each?.into_iter().flatten().collect())
    }

    /// How much a node of this name with these labels is preferred: the sum of the weights of the
    /// preferred terms that hold there.
    #[must_use]
    pub fn preference(&self, name: &str, labels: &BTreeMap<String, String>) -> i64 {
        let held = self.preferred.iter().filter(|(_, term)| term.matches(name, labels));
        held.map(|(weight, _)| weight).sum()
    }

    /// Whether a node of this name with these labels will do.
    #[must_use]
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let selected = self.selector.iter().all(|(key, value)| labels.get(key) == Some(value));
        let mut terms = self.terms.iter().flatten();
        selected && (self.terms.is_none() || terms.any(|term| term.matches(name, labels)))
    }

    /// Whether a node will do.
    #[must_use]
    pub fn matches_node(&self, node: &Object) -> bool {
        let labels = node.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.matches(node.name(), &labels)
    }
}

impl Term {
    fn of(term: &Value) -> Self {
        let list = |key| {
            let list = term.get(key).and_then(Value::as_array);
            list.into_iter().flatten().map(Requirement::of).collect()
        };
        Self { expressions: list("matchExpressions"), fields: list("matchFields") }
    }

    fn names(&self) -> Option<BTreeSet<&str>> {
        let names = self.fields.iter().filter(|field| field.key == "metadata.name" && field.operator == "In");
        let names = names.map(|field| field.values.iter().map(String::as_str).collect::<BTreeSet<_>>());
        names.reduce(|a, b| a.intersection(&b).copied().collect())
    }

    fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let empty = self.expressions.is_empty() && self.fields.is_empty();
        let fields =
            |requirement: &Requirement| requirement.key == "metadata.name" && requirement.holds(Some(name));
        let expressions =
            |requirement: &Requirement| requirement.holds(labels.get(&requirement.key).map(String::as_str));
        !empty && self.expressions.iter().all(expressions) && self.fields.iter().all(fields)
    }
}

impl Requirement {
    fn of(value: &Value) -> Self {
        let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let values = value.get("values").and_then(Value::as_array).into_iter().flatten();
        let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
        Self { key: text("key"), operator: text("operator"), values }
    }

    fn holds(&self, found: Option<&str>) -> bool {
        let listed = || found.is_some_and(|found| self.values.iter().any(|value| value == found));
        match self.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            "Gt" => self.numbers(found).is_some_and(|(found, limit)| found > limit),
            "Lt" => self.numbers(found).is_some_and(|(found, limit)| found < limit),
            _ => false,
        }
    }

    fn numbers(&self, found: Option<&str>) -> Option<(i64, i64)> {
        Some((found?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn matches(spec: Value) -> bool {
        let mut pod = Object::default();
        pod.set(&["spec"], spec);
        let labels = [("disk", "ssd"), ("cores", "8")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        NodeAffinity::of(&pod).matches("n1", &labels.into())
    }

    fn term(term: Value) -> Value {
        let terms = json!({"nodeSelectorTerms": [{}, term]});
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})
    }

    #[test]
    fn nodes_are_named_where_every_term_names_some() {
        let names = |terms: Value| {
            let mut pod = Object::default();
            let required = json!({"nodeSelectorTerms": terms});
            let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
            pod.set(&path, required);
            NodeAffinity::of(&pod).names().map(|names| names.into_iter().collect::<Vec<_>>().join(","))
        };
        let field = |values: &[&str]| json!({"key": "metadata.name", "operator": "In", "values": values});
        let one = json!({"matchFields": [field(&["a", "b"]), field(&["b", "c"])]});
        let other = json!({"matchFields": [field(&["d"])]});
        let by_label = json!({"matchExpressions": [{"key": "disk", "operator": "Exists"}]});
        assert_eq!(names(json!([one, other])).as_deref(), Some("b,d"));
        assert_eq!(names(json!([one, by_label])), None);
        assert_eq!(NodeAffinity::of(&Object::default()).names(), None);
    }

    #[test]
    fn selectors_and_terms_follow_kubernetes() {
        let expression = |key: &str, operator: &str, values: &[&str]| {
            term(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
        };
        let field = |name: &str| {
            term(json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}))
        };
        let yes = [
            json!({}),
            json!({"nodeSelector": {"disk": "ssd"}}),
            expression("disk", "In", &["hdd", "ssd"]),
            expression("disk", "Exists", &[]),
            expression("gpu", "DoesNotExist", &[]),
            expression("gpu", "NotIn", &["a"]),
            expression("cores", "Gt", &["4"]),
            field("n1"),
        ];
        let no = [
            json!({"nodeSelector": {"disk": "hdd"}}),
            expression("disk", "NotIn", &["ssd"]),
            expression("cores", "Lt", &["4"]),
            expression("disk", "Gt", &["4"]),
            field("n2"),
            term(json!({})),
        ];
        assert_eq!((yes.map(matches), no.map(matches)), ([true; 8], [false; 6]));
    }
}
