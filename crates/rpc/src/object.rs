//! Objects on the wire: `google.protobuf.Struct` for people, JSON bytes for
//! programs. A Struct number that is integral and within 2^53 becomes an integer.

use prost_types::{ListValue, Struct, Value as ProtoValue, value::Kind};
use serde_json::{Map, Number, Value};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::v1::{self, object::Body};

/// The largest integer that a double holds without loss, 2^53.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Encodes an object as the request asked for it.
#[must_use]
pub fn encode(object: &Object, encoding: v1::Encoding) -> v1::Object {
    let body = match encoding {
        v1::Encoding::Json => Body::Json(object.to_json().into()),
        v1::Encoding::Unspecified | v1::Encoding::Struct => Body::Struct(to_struct(object.as_map())),
    };
    v1::Object { body: Some(body) }
}

/// Decodes an object of a request or an answer.
///
/// # Errors
/// `BadRequest` when it is absent, not JSON, or not a JSON object.
pub fn decode(object: Option<v1::Object>) -> Result<Object, ApiError> {
    match decode_value(object)? {
        Value::Object(map) => Ok(Object::from_map(map)),
        other => Err(bad(format!("object: expected a JSON object, got {other}"))),
    }
}

/// Decodes any JSON value, as a patch may be a list.
///
/// # Errors
/// `BadRequest` when it is absent or not JSON.
pub fn decode_value(object: Option<v1::Object>) -> Result<Value, ApiError> {
    match object.and_then(|object| object.body) {
        Some(Body::Json(json)) => {
            serde_json::from_slice(&json).map_err(|error| bad(format!("object.json: {error}")))
        }
        Some(Body::Struct(fields)) => Ok(Value::Object(from_struct(fields))),
        None => Err(bad("object: give one, as `struct` or as `json`".into())),
    }
}

fn bad(message: String) -> ApiError {
    ApiError::new(Reason::BadRequest, message)
}

fn to_struct(map: &Map<String, Value>) -> Struct {
    let fields = map.iter().map(|(k, v)| (k.clone(), to_proto(v))).collect();
    Struct { fields }
}

fn to_proto(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(b) => Kind::BoolValue(*b),
        Value::Number(n) => Kind::NumberValue(n.as_f64().unwrap_or_default()),
        Value::String(s) => Kind::StringValue(s.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(to_proto).collect() }),
        Value::Object(map) => Kind::StructValue(to_struct(map)),
    };
    ProtoValue { kind: Some(kind) }
}

fn from_struct(fields: Struct) -> Map<String, Value> {
    fields.fields.into_iter().map(|(k, v)| (k, from_proto(v))).collect()
}

fn from_proto(value: ProtoValue) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(b)) => Value::Bool(b),
        Some(Kind::NumberValue(n)) => number(n),
        Some(Kind::StringValue(s)) => Value::String(s),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(from_proto).collect(),
        Some(Kind::StructValue(fields)) => Value::Object(from_struct(fields)),
    }
}

#[allow(clippy::cast_possible_truncation)]
fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() <= MAX_SAFE_INTEGER {
        Value::Number((n as i64).into())
    } else {
        Number::from_f64(n).map_or(Value::Null, Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_encodings_round_trip() {
        let value = json!({"spec": {"replicas": 3, "ratio": 0.5, "on": true, "list": [1, "a", null]}});
        let object = Object::from_json(value.to_string().as_bytes()).expect("an object");
        for encoding in [v1::Encoding::Struct, v1::Encoding::Json] {
            assert_eq!(decode(Some(encode(&object, encoding))).expect("decodes"), object);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let list = v1::Object { body: Some(Body::Json("[1]".into())) };
        let error = decode(Some(list)).expect_err("a list is no object");
        assert_eq!(error.message, "object: expected a JSON object, got [1]");
        assert_eq!(
            decode(None).expect_err("nothing is no object").message,
            "object: give one, as `struct` or as `json`"
        );
    }
}
