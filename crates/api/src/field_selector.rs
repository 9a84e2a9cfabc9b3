//! Field selectors: `metadata.name=web,status.phase!=Running`.

use crate::error::{ApiError, Reason};
use crate::object::Object;
use crate::resource::Resource;

/// All of its terms hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Reads `a=b,c!=d`.
    ///
    /// # Errors
    /// `BadRequest` when a term is no comparison.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
        let terms = terms.map(parse_term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether an object's fields fulfil every term.
    ///
    /// # Errors
    /// `BadRequest` when the kind cannot be selected by one of the fields.
    pub fn matches(&self, row: &Resource, object: &Object) -> Result<bool, ApiError> {
        for term in &self.terms {
            if (value_of(row, object, &term.field)? == term.value) != term.equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value that a field must equal, if the selector says so.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        let term = self.terms.iter().find(|term| term.equal && term.field == field)?;
        Some(&term.value)
    }
}

fn parse_term(term: &str) -> Result<Term, ApiError> {
    let split = term.split_once("!=").map(|(field, value)| (field, value, false));
    let split = split.or_else(|| term.split_once("==").map(|(field, value)| (field, value, true)));
    let split = split.or_else(|| term.split_once('=').map(|(field, value)| (field, value, true)));
    let (field, value, equal) = split.ok_or_else(|| {
        ApiError::new(
            Reason::BadRequest,
            format!("field selector {term:?}: write field=value or field!=value"),
        )
    })?;
    Ok(Term { field: field.trim().to_owned(), value: value.trim().to_owned(), equal })
}

fn value_of(row: &Resource, object: &Object, field: &str) -> Result<String, ApiError> {
    match field {
        "metadata.name" => Ok(object.name().to_owned()),
        "metadata.namespace" => Ok(object.namespace().to_owned()),
        _ => row.strategy.selectable_field(object, field).ok_or_else(|| {
            let message =
                format!("field label not supported: {field}: {} cannot be selected by it", row.plural);
            ApiError::new(Reason::BadRequest, message)
        }),
    }
}
