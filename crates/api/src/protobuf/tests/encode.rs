//! The other way: JSON to protobuf by the same facts, as a client of Kubernetes would send it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::facts::{self, Scalar, Shape, Type};
use crate::time;

const SCHEMA: &str = "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// A field with a number.
pub(super) fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut out);
    prost::encoding::encode_varint(value, &mut out);
    out
}

/// A field with a text, bytes or a message.
pub(super) fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(value.len() as u64, &mut out);
    out.extend(value);
    out
}

/// A map as a message of a type.
pub(super) fn message(of: &Type, value: &Value) -> Vec<u8> {
    let fields = of.fields.iter().filter(|field| !field.numbers.is_empty());
    let present = fields.filter_map(|field| Some((field, value.get(field.name)?)));
    present.flat_map(|(field, value)| along(&field.numbers, &field.shape, value)).collect()
}

fn along(way: &[u32], shape: &Shape, value: &Value) -> Vec<u8> {
    match way {
        [] => Vec::new(),
        [number] => shaped(*number, shape, value),
        [number, rest @ ..] => bytes(*number, &along(rest, shape, value)),
    }
}

fn shaped(number: u32, shape: &Shape, value: &Value) -> Vec<u8> {
    match shape {
        Shape::List(inner) => {
            value.as_array().into_iter().flatten().flat_map(|item| shaped(number, inner, item)).collect()
        }
        Shape::Map(inner) => {
            let entries = value.as_object().into_iter().flatten();
            let entry = |(key, value): (&String, &Value)| {
                bytes(number, &[bytes(1, key.as_bytes()), shaped(2, inner, value)].concat())
            };
            entries.flat_map(entry).collect()
        }
        Shape::Type(name) => bytes(number, &typed(name, value)),
        Shape::Scalar(scalar) => plain(number, *scalar, value),
    }
}

fn plain(number: u32, of: Scalar, value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    match of {
        Scalar::String => bytes(number, text.as_bytes()),
        Scalar::Bytes => bytes(number, &STANDARD.decode(text).expect("base64")),
        Scalar::Bool => varint(number, u64::from(value == &Value::Bool(true))),
        Scalar::Int32 | Scalar::Int64 => varint(number, value.as_i64().expect("a number").cast_unsigned()),
        Scalar::Double => {
            let mut out = Vec::new();
            prost::encoding::double::encode(number, &value.as_f64().expect("a number"), &mut out);
            out
        }
        Scalar::Object | Scalar::Any => bytes(number, value.to_string().as_bytes()),
    }
}

fn typed(name: &str, value: &Value) -> Vec<u8> {
    match (name, value) {
        (facts::QUANTITY, _) => bytes(1, value.as_str().unwrap_or_default().as_bytes()),
        (facts::INT_OR_STRING, Value::String(text)) => [varint(1, 1), bytes(3, text.as_bytes())].concat(),
        (facts::INT_OR_STRING, _) => varint(2, value.as_u64().expect("a number")),
        (facts::TIME | facts::MICRO_TIME, _) => {
            let time = time::parse(value.as_str().unwrap_or_default()).expect("a time");
            let nanoseconds = u64::try_from(time.subsec_nanosecond()).expect("not negative");
            [varint(1, time.as_second().cast_unsigned()), varint(2, nanoseconds)].concat()
        }
        (facts::RAW_EXTENSION | facts::FIELDS_V1 | facts::JSON, _) => bytes(1, value.to_string().as_bytes()),
        _ => match (name.strip_prefix(SCHEMA), value) {
            (Some("OrBool"), Value::Bool(value)) => varint(1, u64::from(*value)),
            (Some("OrBool"), schema) => bytes(2, &typed(SCHEMA, schema)),
            (Some("OrArray"), Value::Array(schemas)) => {
                schemas.iter().flat_map(|schema| bytes(2, &typed(SCHEMA, schema))).collect()
            }
            (Some("OrStringArray"), Value::Array(texts)) => {
                texts.iter().flat_map(|text| bytes(2, text.as_str().unwrap_or_default().as_bytes())).collect()
            }
            (Some("OrArray" | "OrStringArray"), schema) => bytes(1, &typed(SCHEMA, schema)),
            _ => message(facts::get(name).expect("facts"), value),
        },
    }
}
