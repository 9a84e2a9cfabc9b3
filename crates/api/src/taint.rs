//! Taints of nodes and the tolerations of pods that answer them, with the rules of
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>.

use serde_json::Value;

use crate::object::Object;

/// One taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taint {
    /// Such as `node.kubernetes.io/unreachable`.
    pub key: String,
    /// Often empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
    /// When it was added, RFC 3339, if somebody said so.
    pub time_added: Option<String>,
}

impl Taint {
    /// A taint without a value.
    #[must_use]
    pub fn new(key: &str, effect: &str) -> Self {
        Self { key: key.to_owned(), value: String::new(), effect: effect.to_owned(), time_added: None }
    }
}

/// The taints of a node.
#[must_use]
pub fn taints(node: &Object) -> Vec<Taint> {
    let list = node.get(&["spec", "taints"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|taint| Taint {
            key: text(taint, "key"),
            value: text(taint, "value"),
            effect: text(taint, "effect"),
            time_added: taint.get("timeAdded").and_then(Value::as_str).map(str::to_owned),
        })
        .collect()
}

/// What a pod tolerates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// Empty, with `Exists`: every key.
    pub key: String,
    /// `Exists` or `Equal` (also when empty).
    pub operator: String,
    /// For `Equal`.
    pub value: String,
    /// Empty: every effect.
    pub effect: String,
    /// For how long a `NoExecute` taint is tolerated; `None` is for ever.
    pub seconds: Option<i64>,
}

impl Toleration {
    /// Whether this toleration answers a taint.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let effect = self.effect.is_empty() || self.effect == taint.effect;
        let key = self.key.is_empty() || self.key == taint.key;
        let value = match self.operator.as_str() {
            "Exists" => true,
            "" | "Equal" => !self.key.is_empty() && self.value == taint.value,
            _ => false,
        };
        effect && key && value
    }
}

/// The tolerations of a pod.
#[must_use]
pub fn tolerations(pod: &Object) -> Vec<Toleration> {
    let list = pod.get(&["spec", "tolerations"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|toleration| Toleration {
            key: text(toleration, "key"),
            operator: text(toleration, "operator"),
            value: text(toleration, "value"),
            effect: text(toleration, "effect"),
            seconds: toleration.get("tolerationSeconds").and_then(Value::as_i64),
        })
        .collect()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        let [key, operator, value, effect] = [key, operator, value, effect].map(str::to_owned);
        Toleration { key, operator, value, effect, seconds: None }
    }

    #[test]
    fn a_toleration_answers_what_it_names() {
        let taint = Taint { value: "db".to_owned(), ..Taint::new("role", "NoSchedule") };
        let answers = [
            toleration("", "Exists", "", ""),
            toleration("role", "Exists", "", "NoSchedule"),
            toleration("role", "Equal", "db", ""),
            toleration("role", "", "db", "NoSchedule"),
            toleration("role", "Equal", "web", ""),
            toleration("role", "Exists", "", "NoExecute"),
            toleration("other", "Exists", "", ""),
            toleration("", "Equal", "db", ""),
        ]
        .map(|toleration| toleration.tolerates(&taint));
        assert_eq!(answers, [true, true, true, true, false, false, false, false]);
    }
}
