//! A `Deserializer` over JSON that knows where it is, and writes down what it meets.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de, forward_to_deserialize_any};
use serde_json::{Map, Value};

use super::{Findings, Place, Step};
use crate::error::FieldError;
use crate::quantity::Quantity;

/// Unknown fields that are told of, as Kubernetes has it: a body has room for very many.
const MOST_UNKNOWN: usize = 100;
/// No field of any kind has a longer name, so that nothing longer is one mistyped.
const LONGEST_FIELD: usize = 64;

/// Decodes `value` as `T`, dropping the result.
pub(super) fn walk<T: de::DeserializeOwned>(value: &Value) -> Result<Findings, FieldError> {
    let findings = RefCell::new(Findings::default());
    let root = Walker { value, place: Place::ROOT, findings: &findings };
    match T::deserialize(root) {
        Ok(_) => Ok(findings.into_inner()),
        Err(error) => {
            let field = error.field.unwrap_or_default();
            Err(FieldError::new("FieldValueTypeInvalid", field, explained(error.message)))
        }
    }
}

/// What the base64 decoder says of a byte means little to somebody who wrote plain text.
fn explained(message: String) -> String {
    let base64 = [
        "Invalid symbol ",
        "Invalid byte ",
        "Invalid last symbol ",
        "Invalid input length",
        "Invalid padding",
    ];
    if base64.iter().any(|start| message.starts_with(start)) {
        // The decoder's own words hold a byte of what may be a secret.
        return "not base64: encode it, or for a Secret write plain text under `stringData`".to_owned();
    }
    message
}

/// A value that does not fit, and where.
#[derive(Debug)]
struct Misfit {
    field: Option<String>,
    message: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { field: None, message: message.to_string() }
    }
}

struct Walker<'a, 'p> {
    value: &'a Value,
    place: Place<'p>,
    findings: &'p RefCell<Findings>,
}

impl<'a> Walker<'a, '_> {
    /// The innermost place that fails is the one that is reported.
    fn located<T>(place: Place<'_>, outcome: Result<T, Misfit>) -> Result<T, Misfit> {
        outcome.map_err(|mut error| {
            error.field.get_or_insert_with(|| place.path());
            error
        })
    }

    fn note_unknown(&self, map: &Map<String, Value>, fields: &'static [&'static str]) {
        for key in map.keys().filter(|key| !fields.contains(&key.as_str())) {
            let place = self.place.below(Step::Field(key));
            let mut findings = self.findings.borrow_mut();
            findings.unknown_pointers.push(place.pointer());
            if findings.unknown.len() == MOST_UNKNOWN {
                continue;
            }
            let message = match closest(key, fields) {
                Some(guess) => format!("unknown field (did you mean {guess:?}?)"),
                None => "unknown field".to_owned(),
            };
            findings.unknown.push(FieldError::invalid(place.path(), message));
        }
    }

    fn visit<V: Visitor<'a>>(self, visitor: V, structured: bool) -> Result<V::Value, Misfit> {
        let place = self.place;
        let outcome = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => number.deserialize_any(visitor).map_err(de::Error::custom),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { items, next: 0, of: &self }),
            Value::Object(map) => {
                visitor.visit_map(Entries { entries: map.iter(), value: None, structured, of: &self })
            }
        };
        Self::located(place, outcome)
    }

    fn quantity<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let text = match self.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return self.visit(visitor, false),
        };
        self.findings.borrow_mut().quantities.push(self.place.pointer());
        if let Err(error) = Quantity::parse(&text) {
            return Self::located(self.place, Err(de::Error::custom(error)));
        }
        let inner: StringDeserializer<Misfit> = text.into_deserializer();
        visitor.visit_newtype_struct(inner)
    }
}

impl<'a> Deserializer<'a> for Walker<'a, '_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.visit(visitor, false)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let place = self.place;
        let outcome = if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) };
        Self::located(place, outcome)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let place = self.place;
        let outcome =
            if name == "Quantity" { self.quantity(visitor) } else { visitor.visit_newtype_struct(self) };
        Self::located(place, outcome)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Value::Object(map) = self.value {
            self.note_unknown(map, fields);
        }
        self.visit(visitor, true)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Items<'a, 'w> {
    items: &'a [Value],
    next: usize,
    of: &'w Walker<'a, 'w>,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(value) = self.items.get(self.next) else { return Ok(None) };
        let place = self.of.place.below(Step::Index(self.next));
        self.next += 1;
        descend(seed, value, place, self.of.findings).map(Some)
    }
}

struct Entries<'a, 'w> {
    entries: serde_json::map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
    structured: bool,
    of: &'w Walker<'a, 'w>,
}

impl<'a> MapAccess<'a> for Entries<'a, '_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (key, value) = self.value.take().ok_or_else(|| de::Error::custom("a value without a key"))?;
        let step = if self.structured { Step::Field(key) } else { Step::Key(key) };
        let place = self.of.place.below(step);
        descend(seed, value, place, self.of.findings)
    }
}

fn descend<'a, S: DeserializeSeed<'a>>(
    seed: S,
    value: &'a Value,
    place: Place<'_>,
    findings: &RefCell<Findings>,
) -> Result<S::Value, Misfit> {
    seed.deserialize(Walker { value, place, findings })
}

/// The field that was probably meant, if one is near enough.
fn closest(key: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    if key.len() > LONGEST_FIELD {
        return None;
    }
    let lower = key.to_lowercase();
    let distance = |field: &str| strsim::damerau_levenshtein(&lower, &field.to_lowercase());
    let best = fields.iter().copied().min_by_key(|field| distance(field))?;
    (distance(best) <= key.len().div_ceil(3).min(3)).then_some(best)
}
