//! Field selectors: `metadata.name=web,status.phase!=Running`.

use crate::error::{ApiError, Reason};
use crate::object::Object;
use crate::resource::Resource;

/// All of its requirements hold. An empty one matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    field: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Reads `field=value`, `field==value` and `field!=value`, joined by commas; `\,`, `\=` and
    /// `\\` stand for themselves in values.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let clauses = split_unescaped(text);
        let clauses = clauses.iter().filter(|clause| !clause.is_empty());
        let requirements = clauses
            .map(|clause| parse_clause(clause).ok_or_else(|| malformed(text)))
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Whether a kind has every field that is asked for.
    ///
    /// # Errors
    /// `BadRequest` with the first that it does not have.
    pub fn check(&self, row: &Resource) -> Result<(), ApiError> {
        let empty = Object::default();
        self.requirements.iter().try_for_each(|r| value_of(row, &empty, &r.field).map(drop))
    }

    /// Whether an object fulfils every requirement.
    ///
    /// # Errors
    /// `BadRequest` when the kind does not have one of the fields.
    pub fn matches(&self, row: &Resource, object: &Object) -> Result<bool, ApiError> {
        for requirement in &self.requirements {
            let found = value_of(row, object, &requirement.field)?;
            if (found == requirement.value) != requirement.equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it has no requirement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The value that a field must have, when the selector says so: lets a caller look an
    /// index up instead of walking through everything.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        let found = self.requirements.iter().find(|r| r.equal && r.field == field)?;
        Some(&found.value)
    }
}

fn malformed(text: &str) -> ApiError {
    let message = format!("field selector {text:?}: write field=value or field!=value, joined by commas");
    ApiError::new(Reason::BadRequest, message)
}

fn value_of(row: &Resource, object: &Object, field: &str) -> Result<String, ApiError> {
    let value = match field {
        "metadata.name" => Some(object.name().to_owned()),
        "metadata.namespace" if row.namespaced => Some(object.namespace().to_owned()),
        _ => row.strategy.selectable_field(object, field),
    };
    value.ok_or_else(|| {
        let message = format!("field label not supported: {field}: {} cannot be selected by it", row.plural);
        ApiError::new(Reason::BadRequest, message)
    })
}

fn split_unescaped(text: &str) -> Vec<String> {
    let mut clauses = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            clauses.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = clauses.last_mut() {
            last.push(c);
        }
    }
    clauses
}

fn parse_clause(clause: &str) -> Option<Requirement> {
    let at = clause.find(['=', '!'])?;
    let (field, rest) = clause.split_at(at);
    let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
        (false, value)
    } else {
        (true, rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?)
    };
    let field = field.trim();
    let requirement = Requirement { field: field.to_owned(), equal, value: unescape(value.trim())? };
    (!field.is_empty()).then_some(requirement)
}

fn unescape(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                escaped @ ('\\' | ',' | '=') => out.push(escaped),
                _ => return None,
            },
            '=' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn pods_are_selected_by_their_fields() {
        let row = table::find("", "pods").expect("a row");
        let mut pod = Object::default();
        pod.set(&["metadata"], json!({"name": "web", "namespace": "a"}));
        pod.set(&["spec"], json!({"nodeName": "n1", "restartPolicy": "Always"}));
        pod.set(&["status"], json!({"phase": "Running"}));
        for (text, wanted) in [
            ("", true),
            ("spec.nodeName=n1", true),
            ("spec.nodeName==n2", false),
            ("spec.nodeName!=n2,status.phase=Running", true),
            ("metadata.name=web,metadata.namespace=b", false),
            ("status.podIP=", true),
        ] {
            let selector = FieldSelector::parse(text).expect(text);
            assert_eq!(selector.check(row), Ok(()), "{text}");
            assert_eq!(selector.matches(row, &pod), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn unknown_fields_and_nonsense_are_refused() {
        let row = table::find("", "pods").expect("a row");
        let selector = FieldSelector::parse("spec.hostname=a").expect("well formed");
        let error = selector.check(row).expect_err("no such field");
        assert_eq!(error.message, "field label not supported: spec.hostname: pods cannot be selected by it");
        let nodes = table::find("", "nodes").expect("a row");
        assert!(FieldSelector::parse("metadata.namespace=a").expect("well formed").check(nodes).is_err());
        for text in ["a", "=b", "a=b=c", "a=\\x", "a!b"] {
            assert!(FieldSelector::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn escaped_values_come_through(value in "[a-z,=\\\\]{0,8}") {
            let escaped = value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            let selector = FieldSelector::parse(&format!("a={escaped}")).expect("a selector");
            prop_assert_eq!(selector.required("a"), Some(value.as_str()));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = FieldSelector::parse(&text);
        }
    }
}
