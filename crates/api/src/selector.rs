//! Label selectors, in the text form of requests and the object form of specs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::name;
use crate::object::Object;

/// All of its requirements hold. An empty selector matches everything; what a spec
/// means by an absent selector is for its kind to say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

/// A selector that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("label selector {text:?}: {why}")]
pub struct SelectorError {
    text: String,
    why: String,
}

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// [`SelectorError`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let clauses = split_outside_parentheses(text);
        let requirements = clauses.into_iter().filter(|clause| !clause.trim().is_empty());
        let requirements = requirements
            .map(|clause| parse_clause(clause.trim()))
            .collect::<Result<_, _>>()
            .map_err(|why| SelectorError { text: text.to_owned(), why })?;
        Ok(Self { requirements })
    }

    /// Reads `{matchLabels, matchExpressions}`, as in a Deployment's spec.
    #[must_use]
    pub fn from_object(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            requirements.push(Requirement { key: key.clone(), test: Test::In(vec![value]) });
        }
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            requirements.push(from_expression(expression));
        }
        Self { requirements }
    }

    /// From plain pairs, as in a Service's spec.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let requirements = pairs
            .into_iter()
            .map(|(key, value)| Requirement { key: key.into(), test: Test::In(vec![value.into()]) })
            .collect();
        Self { requirements }
    }

    /// Whether an object's labels fulfil every requirement.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.matches_labels(object.labels())
    }

    /// Whether labels fulfil every requirement.
    pub fn matches_labels<'a>(&self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        let labels: BTreeMap<&str, &str> = labels.collect();
        self.requirements.iter().all(|requirement| {
            let found = labels.get(requirement.key.as_str());
            match &requirement.test {
                Test::In(values) => found.is_some_and(|found| values.iter().any(|value| value == found)),
                Test::NotIn(values) => found.is_none_or(|found| values.iter().all(|value| value != found)),
                Test::Exists => found.is_some(),
                Test::Absent => found.is_none(),
            }
        })
    }

    /// The labels that it asks for with one value alone.
    pub fn exact(&self) -> impl Iterator<Item = (&str, &str)> {
        self.requirements.iter().filter_map(|Requirement { key, test }| match test {
            Test::In(values) if values.len() == 1 => Some((key.as_str(), values[0].as_str())),
            _ => None,
        })
    }

    /// Whether it has no requirement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Requirement { key, test }) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match test {
                Test::In(values) if values.len() == 1 => write!(f, "{key}={}", values[0])?,
                Test::In(values) => write!(f, "{key} in ({})", values.join(","))?,
                Test::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", values[0])?,
                Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(","))?,
                Test::Exists => f.write_str(key)?,
                Test::Absent => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

fn from_expression(expression: &Value) -> Requirement {
    let text = |key: &str| expression.get(key).and_then(Value::as_str).unwrap_or_default();
    let values = expression.get("values").and_then(Value::as_array);
    let values = values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let test = match text("operator") {
        "In" => Test::In(values),
        "NotIn" => Test::NotIn(values),
        "Exists" => Test::Exists,
        "DoesNotExist" => Test::Absent,
        // Validation refuses other operators; an unknown one selects nothing.
        _ => Test::In(Vec::new()),
    };
    Requirement { key: text("key").to_owned(), test }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .collect()
}

fn parse_clause(clause: &str) -> Result<Requirement, String> {
    let (key, test) = if let Some(key) = clause.strip_prefix('!') {
        (key, Test::Absent)
    } else if let Some((key, value)) = clause.split_once("!=") {
        (key, Test::NotIn(vec![one(value)?]))
    } else if let Some((key, value)) = clause.split_once("==").or_else(|| clause.split_once('=')) {
        (key, Test::In(vec![one(value)?]))
    } else if let Some((key, values)) = clause.split_once(" notin ") {
        (key, Test::NotIn(set(values)?))
    } else if let Some((key, values)) = clause.split_once(" in ") {
        (key, Test::In(set(values)?))
    } else {
        (clause, Test::Exists)
    };
    let key = key.trim();
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || "()=!,".contains(c)) {
        return Err(format!("{clause:?} has no label key; write key=value, key in (a,b), key or !key"));
    }
    name::qualified(key).map_err(|why| format!("key {key:?}: {why}"))?;
    Ok(Requirement { key: key.to_owned(), test })
}

fn one(value: &str) -> Result<String, String> {
    let value = value.trim();
    name::label_value(value).map_err(|why| format!("value {value:?}: {why}"))?;
    Ok(value.to_owned())
}

fn set(values: &str) -> Result<Vec<String>, String> {
    let inner = values.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("{values:?}: put the values in parentheses"))?;
    inner.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        LabelSelector::parse(selector).expect("a selector").matches_labels(labels.iter().copied())
    }

    #[test]
    fn every_form_selects() {
        let labels = [("app", "web"), ("tier", "front")];
        for (selector, wanted) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (api, web),!canary", true),
            ("app notin (api)", true),
            ("tier", true),
            ("canary", false),
            ("app=api", false),
            ("app in (api)", false),
            ("missing!=x", true),
        ] {
            assert_eq!(matches(selector, &labels), wanted, "{selector}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["=a", "a in b", "a in (b", "a b", "a=b=c", "a/b/c=d", "-a", "a=b c", "a in (b/c)"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_object_form_means_the_same() {
        let object = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"},
        ]});
        assert_eq!(LabelSelector::from_object(&object).to_string(), "app=web,tier in (a,b),!old");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(key in "[a-z]{1,5}", values in prop::collection::vec("[a-z]{1,5}", 1..4), not in any::<bool>()) {
            let text = format!("{key} {} ({})", if not { "notin" } else { "in" }, values.join(","));
            let selector = LabelSelector::parse(&text).expect("a selector");
            prop_assert_eq!(LabelSelector::parse(&selector.to_string()), Ok(selector));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = LabelSelector::parse(&text);
        }
    }
}
