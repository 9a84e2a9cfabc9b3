//! A message as the map that JSON has for it.
//!
//! A field's numbers are a way: where JSON has the fields of an inner struct among those
//! of the outer one, protobuf has a message in between, which is entered and left again.

use serde_json::{Map, Value};

use super::scalars;
use super::wire::{Payload, Reader};
use super::{MOST_DEPTH, ProtobufError};
use crate::facts::{self, Field, Shape, Type};

/// A message of a type.
pub(super) fn decode(of: &Type, bytes: &[u8]) -> Result<Map<String, Value>, ProtobufError> {
    Decoder { depth: 0 }.fields(of, bytes)
}

struct Decoder {
    depth: usize,
}

impl Decoder {
    fn fields(&mut self, of: &Type, bytes: &[u8]) -> Result<Map<String, Value>, ProtobufError> {
        let mut map = Map::new();
        self.enter(of, &mut Vec::new(), bytes, &mut map)?;
        Ok(map)
    }

    /// Reads a message whose fields are those of `of` behind `way`.
    fn enter(
        &mut self,
        of: &Type,
        way: &mut Vec<u32>,
        bytes: &[u8],
        map: &mut Map<String, Value>,
    ) -> Result<(), ProtobufError> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(ProtobufError::new("nested too deep"));
        }
        for field in Reader::new(bytes) {
            let (number, payload) = field?;
            way.push(number);
            if let Some(field) = of.fields.iter().find(|field| field.numbers == *way) {
                self.add(field, payload, map).map_err(|error| error.under(field.name))?;
            } else if of.fields.iter().any(|field| field.numbers.starts_with(&way[..])) {
                self.enter(of, way, payload.bytes()?, map)?;
            }
            way.pop();
        }
        self.depth -= 1;
        Ok(())
    }

    fn add(
        &mut self,
        field: &Field,
        payload: Payload<'_>,
        map: &mut Map<String, Value>,
    ) -> Result<(), ProtobufError> {
        match &field.shape {
            Shape::List(inner) => {
                let list = map.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(items) = list else { return Ok(()) };
                self.push(inner, payload, items)
            }
            Shape::Map(inner) => {
                let (key, value) = self.entry(inner, payload.bytes()?)?;
                let values = map.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(values) = values {
                    values.insert(key, value);
                }
                Ok(())
            }
            shape => {
                let value = self.value(shape, payload)?;
                if !(value.is_null() || says_nothing(field, &value)) {
                    map.insert(field.name.to_owned(), value);
                }
                Ok(())
            }
        }
    }

    /// One item of a list, or several where numbers are packed.
    fn push(
        &mut self,
        of: &Shape,
        payload: Payload<'_>,
        items: &mut Vec<Value>,
    ) -> Result<(), ProtobufError> {
        if let (Shape::Scalar(scalar), Payload::Bytes(bytes)) = (of, payload)
            && scalars::is_number(*scalar)
        {
            items.extend(scalars::packed(*scalar, bytes)?);
            return Ok(());
        }
        items.push(self.value(of, payload)?);
        Ok(())
    }

    /// An entry of a map: its key is field 1, its value field 2.
    fn entry(&mut self, of: &Shape, bytes: &[u8]) -> Result<(String, Value), ProtobufError> {
        let (mut key, mut value) = (String::new(), None);
        for field in Reader::new(bytes) {
            match field? {
                (1, payload) => key = payload.text()?.to_owned(),
                (2, payload) => value = Some(self.value(of, payload)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(of, Payload::Bytes(&[]))?,
        };
        Ok((key, value))
    }

    fn value(&mut self, of: &Shape, payload: Payload<'_>) -> Result<Value, ProtobufError> {
        match of {
            Shape::Scalar(scalar) => scalars::plain(*scalar, payload),
            Shape::Type(name) => self.typed(name, payload.bytes()?),
            // Protobuf has no lists in maps, so there is a message around them: its field 1.
            Shape::List(inner) => {
                let mut items = Vec::new();
                for field in Reader::new(payload.bytes()?) {
                    if let (1, payload) = field? {
                        self.push(inner, payload, &mut items)?;
                    }
                }
                Ok(items.into())
            }
            Shape::Map(_) => {
                Err(ProtobufError::new("a map in a list or a map, which protobuf does not have"))
            }
        }
    }

    fn typed(&mut self, name: &str, bytes: &[u8]) -> Result<Value, ProtobufError> {
        if let Some(value) = scalars::named(name, bytes)? {
            return Ok(value);
        }
        if let Some(alternatives) = Alternatives::of(name) {
            return self.alternative(alternatives, bytes);
        }
        let of = facts::get(name).ok_or_else(|| ProtobufError::new(format!("no facts about {name}")))?;
        Ok(Value::Object(self.fields(of, bytes)?))
    }

    fn alternative(&mut self, of: Alternatives, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let mut found = Value::Null;
        let mut items = Vec::new();
        for field in Reader::new(bytes) {
            match (field?, of) {
                ((1, payload), Alternatives::Bool) => found = Value::Bool(payload.varint()? != 0),
                ((2, payload), Alternatives::Bool)
                | ((1, payload), Alternatives::Schemas | Alternatives::Texts) => {
                    found = self.typed(SCHEMA, payload.bytes()?)?;
                }
                ((2, payload), Alternatives::Schemas) => items.push(self.typed(SCHEMA, payload.bytes()?)?),
                ((2, payload), Alternatives::Texts) => items.push(payload.text()?.into()),
                _ => {}
            }
        }
        Ok(if items.is_empty() { found } else { items.into() })
    }
}

const SCHEMA: &str = "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// Parts of a custom resource's schema that are a schema, or else what is named here.
#[derive(Clone, Copy)]
enum Alternatives {
    Bool,
    Schemas,
    Texts,
}

impl Alternatives {
    fn of(name: &str) -> Option<Self> {
        Some(match name.strip_prefix(SCHEMA)? {
            "OrBool" => Self::Bool,
            "OrArray" => Self::Schemas,
            "OrStringArray" => Self::Texts,
            _ => return None,
        })
    }
}

/// Clients always send what is no pointer in Go; JSON leaves its zero out.
fn says_nothing(field: &Field, value: &Value) -> bool {
    let zero = *value == "" || *value == 0 || *value == 0.0 || *value == false;
    zero && !field.required && !field.pointer
}
