//! A place in an object, for validation: the value that is there (`null` when none is) and
//! the path that an error about it names.

use serde_json::{Map, Value};

use crate::error::FieldError;
use crate::name::Rule;
use crate::object::Object;

static NOTHING: Value = Value::Null;

/// A value and its path.
#[derive(Clone)]
pub(crate) struct At<'a> {
    pub(crate) path: String,
    pub(crate) value: &'a Value,
}

impl<'a> At<'a> {
    /// A top-level field.
    pub(crate) fn field(object: &'a Object, name: &str) -> Self {
        Self { path: name.to_owned(), value: object.get(&[name]).unwrap_or(&NOTHING) }
    }

    pub(crate) fn key(&self, name: &str) -> Self {
        Self { path: format!("{}.{name}", self.path), value: self.value.get(name).unwrap_or(&NOTHING) }
    }

    /// Every item of a list.
    pub(crate) fn items(&self, name: &str) -> Vec<Self> {
        let list = self.key(name);
        let items = list.value.as_array().into_iter().flatten().enumerate();
        items.map(|(i, value)| Self { path: format!("{}[{i}]", list.path), value }).collect()
    }

    /// Every entry of a map, its path in brackets.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let entries = self.value.as_object().into_iter().flatten();
        entries
            .map(|(key, value)| (key.as_str(), Self { path: format!("{}[{key}]", self.path), value }))
            .collect()
    }

    pub(crate) fn map(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// The text here, `""` when there is none.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The text under a key, `""` when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &'a str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(crate) fn is_true(&self) -> bool {
        self.value == &Value::Bool(true)
    }

    /// Null, `""`, `[]` or `{}`.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        }
    }

    // ---- what may be wrong with it ----

    pub(crate) fn required(&self, why: &str) -> FieldError {
        let colon = if why.is_empty() { "" } else { ": " };
        FieldError::required(self.path.clone(), format!("Required value{colon}{why}"))
    }

    pub(crate) fn invalid(&self, why: &str) -> FieldError {
        // Kubernetes shows a missing text as an empty one.
        let shown = if self.is_set() { self.value.to_string() } else { "\"\"".to_owned() };
        FieldError::invalid(self.path.clone(), format!("Invalid value: {shown}: {why}"))
    }

    pub(crate) fn forbidden(&self, why: &str) -> FieldError {
        FieldError::forbidden(self.path.clone(), format!("Forbidden: {why}"))
    }

    pub(crate) fn duplicate(&self) -> FieldError {
        let message = format!("Duplicate value: {}", self.value);
        FieldError::new("FieldValueDuplicate", self.path.clone(), message)
    }

    pub(crate) fn not_supported(&self, supported: &[&str]) -> FieldError {
        FieldError::not_supported(self.path.clone(), self.text(), supported)
    }

    pub(crate) fn too_long(&self, most: usize) -> FieldError {
        let message = format!("Too long: may not be more than {most} bytes");
        FieldError::new("FieldValueTooLong", self.path.clone(), message)
    }

    // ---- rules that many kinds share ----

    /// A rule for the text here, when there is a text.
    pub(crate) fn obeys(&self, rule: fn(&str) -> Rule, errors: &mut Vec<FieldError>) {
        if let Some(text) = self.value.as_str() {
            errors.extend(rule(text).err().map(|why| self.invalid(&why)));
        }
    }

    /// A rule for the text here, which must be there and not empty.
    pub(crate) fn needs(&self, rule: fn(&str) -> Rule, errors: &mut Vec<FieldError>) {
        if self.text().is_empty() { errors.push(self.required("")) } else { self.obeys(rule, errors) }
    }

    /// One of a list of texts, when there is a text that is not empty.
    pub(crate) fn one_of(&self, supported: &[&str], errors: &mut Vec<FieldError>) {
        if !self.text().is_empty() && !supported.contains(&self.text()) {
            errors.push(self.not_supported(supported));
        }
    }

    /// One of a list of texts, which must be there.
    pub(crate) fn needs_one_of(&self, supported: &[&str], errors: &mut Vec<FieldError>) {
        if self.text().is_empty() { errors.push(self.required("")) } else { self.one_of(supported, errors) }
    }

    /// Zero or more, when there is a number.
    pub(crate) fn not_negative(&self, errors: &mut Vec<FieldError>) {
        self.at_least(0, errors);
    }

    /// At least this, when there is a number.
    pub(crate) fn at_least(&self, least: i64, errors: &mut Vec<FieldError>) {
        if self.int().is_some_and(|n| n < least) {
            errors.push(self.invalid(&format!("must be greater than or equal to {least}")));
        }
    }

    /// A port's number, when there is a number.
    pub(crate) fn port(&self, errors: &mut Vec<FieldError>) {
        if let Some(number) = self.int() {
            errors.extend(crate::name::port_number(number).err().map(|why| self.invalid(&why)));
        }
    }

    /// A port's number or its name.
    pub(crate) fn port_or_name(&self, errors: &mut Vec<FieldError>) {
        if self.is_empty() {
            errors.push(self.required(""));
        }
        self.port(errors);
        if !self.text().is_empty() {
            self.obeys(crate::name::port_name, errors);
        }
    }

    /// Unchanged against an older version of the object.
    pub(crate) fn immutable(&self, old: &At<'_>, errors: &mut Vec<FieldError>) {
        if self.value != old.value {
            errors.push(self.invalid("field is immutable"));
        }
    }
}
