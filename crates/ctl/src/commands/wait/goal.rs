//! What is waited for, and whether an object is so.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::condition;

use crate::jsonpath::{Path, scalar};

/// The forms of `--for`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Goal {
    /// It is there.
    Create,
    /// It is gone.
    Delete,
    /// Its status has a condition of this type with this value.
    Condition { kind: String, value: String },
    /// A path leads to this value, or to anything.
    Field { path: Path, value: Option<String> },
}

impl Goal {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("condition=") {
            let (kind, value) = rest.split_once('=').unwrap_or((rest, "True"));
            return Ok(Self::Condition { kind: kind.to_owned(), value: value.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            // A path may have an equals sign in a filter: the braces say where it ends.
            let end =
                rest.rfind('}').map_or_else(|| rest.find('='), |at| rest[at..].find('=').map(|it| at + it));
            let (path, value) = match end {
                Some(at) => (&rest[..at], Some(rest[at + 1..].trim_matches(['"', '\'']).to_owned())),
                None => (rest, None),
            };
            let path = Path::parse(path.trim_matches(['"', '\'']))?;
            return Ok(Self::Field { path, value });
        }
        match text {
            "delete" => Ok(Self::Delete),
            "create" => Ok(Self::Create),
            _ => Err("write condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE], create or delete".to_owned()),
        }
    }

    /// An object that is not there yet is no mistake.
    pub(super) fn waits_for_it_to_come(&self) -> bool {
        *self == Self::Create
    }

    /// Whether it is so.
    pub(super) fn is_reached(&self, object: Option<&Object>) -> bool {
        let Some(object) = object else { return *self == Self::Delete };
        match self {
            Self::Create => true,
            Self::Delete => false,
            Self::Condition { kind, value } => is_true(object, kind, value),
            Self::Field { path, value } => {
                let whole = object.clone().into_value();
                let found = path.find(&whole);
                match value {
                    Some(value) => found.iter().any(|it| scalar(it) == *value),
                    None => !found.is_empty(),
                }
            }
        }
    }
}

/// A condition about an older form of the object says nothing.
fn is_true(object: &Object, kind: &str, value: &str) -> bool {
    let conditions = object.get(&["status", "conditions"]).and_then(Value::as_array);
    let mut types = conditions.into_iter().flatten().filter_map(|it| it.get("type")?.as_str());
    let Some(kind) = types.find(|known| known.eq_ignore_ascii_case(kind)) else { return false };
    let found = condition(object, kind).unwrap_or(&Value::Null);
    let observed = found.get("observedGeneration").or_else(|| object.get(&["status", "observedGeneration"]));
    let stale = observed.and_then(Value::as_i64).is_some_and(|observed| observed < object.generation());
    !stale && found.get("status").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn goals_are_read_and_reached() {
        let value = json!({"metadata": {"name": "web", "generation": 2}, "status": {"phase": "Running",
            "observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "True",
            "observedGeneration": 1}]}});
        let object = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let reached = |text: &str| Goal::parse(text).expect("a goal").is_reached(Some(&object));
        let yes = [
            "condition=Ready",
            "condition=ready=true",
            "jsonpath={.status.phase}=Running",
            "jsonpath='{.status.phase}'=Running",
            "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}=True",
            "jsonpath=.status.phase",
            "create",
        ];
        let no = [
            "condition=Ready=False",
            "condition=Old",
            "condition=Available",
            "jsonpath={.status.phase}=Pending",
            "jsonpath={.status.none}",
            "delete",
        ];
        assert_eq!((yes.map(reached), no.map(reached)), ([true; 7], [false; 6]));
        assert!(Goal::Delete.is_reached(None) && !Goal::Create.is_reached(None));
        assert!(Goal::parse("ready").expect_err("no goal").starts_with("write condition="));
    }
}
