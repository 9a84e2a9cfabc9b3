//! Values that are no messages in JSON: plain ones, and those with a form of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use super::ProtobufError;
use super::wire::{Payload, Reader, wrong_type};
use crate::facts::{self, Scalar};
use crate::time;

/// A plain value.
pub(super) fn plain(of: Scalar, payload: Payload<'_>) -> Result<Value, ProtobufError> {
    Ok(match (of, payload) {
        (Scalar::String, payload) => payload.text()?.into(),
        (Scalar::Bytes, payload) => STANDARD.encode(payload.bytes()?).into(),
        // An empty entry of a map is its zero.
        (_, Payload::Bytes([])) => Value::Null,
        (Scalar::Bool, payload) => (payload.varint()? != 0).into(),
        (Scalar::Int32, payload) => {
            i32::try_from(payload.varint()?.cast_signed()).map_err(|_| too_large())?.into()
        }
        (Scalar::Int64, payload) => payload.varint()?.cast_signed().into(),
        (Scalar::Double, Payload::Fixed64(bits)) => f64::from_bits(bits).into(),
        (Scalar::Double, Payload::Fixed32(bits)) => f64::from(f32::from_bits(bits)).into(),
        (Scalar::Double, _) => return Err(wrong_type()),
        (Scalar::Object | Scalar::Any, payload) => json(payload.bytes()?)?,
    })
}

fn too_large() -> ProtobufError {
    ProtobufError::new("a number of more than 32 bits")
}

/// Whether a list of these may be packed.
pub(super) fn is_number(of: Scalar) -> bool {
    matches!(of, Scalar::Bool | Scalar::Int32 | Scalar::Int64)
}

/// A packed list of numbers.
pub(super) fn packed(of: Scalar, mut bytes: &[u8]) -> Result<Vec<Value>, ProtobufError> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let number = prost::encoding::decode_varint(&mut bytes);
        let number = number.map_err(|_| ProtobufError::new("broken protobuf"))?;
        items.push(plain(of, Payload::Varint(number))?);
    }
    Ok(items)
}

/// A type that JSON has as something other than a map of its fields; `None` for others.
pub(super) fn named(name: &str, bytes: &[u8]) -> Result<Option<Value>, ProtobufError> {
    Ok(Some(match name {
        facts::TIME => timestamp(bytes, time::rfc3339)?,
        facts::MICRO_TIME => timestamp(bytes, time::rfc3339_micro)?,
        facts::QUANTITY => quantity(bytes)?,
        facts::INT_OR_STRING => int_or_string(bytes)?,
        facts::RAW_EXTENSION | facts::FIELDS_V1 | facts::JSON => match first(bytes)? {
            Some(payload) => json(payload.bytes()?)?,
            None => Value::Null,
        },
        _ => return Ok(None),
    }))
}

/// Field 1 of a message, for those that are not more than that.
fn first(bytes: &[u8]) -> Result<Option<Payload<'_>>, ProtobufError> {
    let mut found = None;
    for field in Reader::new(bytes) {
        if let (1, payload) = field? {
            found = Some(payload);
        }
    }
    Ok(found)
}

fn json(bytes: &[u8]) -> Result<Value, ProtobufError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|error| ProtobufError::new(format!("no JSON: {error}")))
}

fn quantity(bytes: &[u8]) -> Result<Value, ProtobufError> {
    Ok(match first(bytes)? {
        Some(payload) if !payload.bytes()?.is_empty() => payload.text()?.into(),
        _ => "0".into(),
    })
}

/// Which of the two it is in field 1, then the number, then the text.
fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0_i64, "");
    for field in Reader::new(bytes) {
        match field? {
            (1, payload) => is_text = payload.varint()? != 0,
            (2, payload) => number = payload.varint()?.cast_signed(),
            (3, payload) => text = payload.text()?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

/// Seconds and nanoseconds; nothing for a time that is not set.
fn timestamp(bytes: &[u8], shown: fn(Timestamp) -> String) -> Result<Value, ProtobufError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    for field in Reader::new(bytes) {
        match field? {
            (1, payload) => seconds = payload.varint()?.cast_signed(),
            (2, payload) => nanoseconds = payload.varint()?.cast_signed(),
            _ => {}
        }
    }
    let nanoseconds = i32::try_from(nanoseconds).ok();
    let time = nanoseconds.and_then(|nanoseconds| Timestamp::new(seconds, nanoseconds).ok());
    Ok(shown(time.ok_or_else(|| ProtobufError::new("no point in time"))?).into())
}
