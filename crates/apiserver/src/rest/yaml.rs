//! Bodies in YAML. An alias (`*a`) stands for all that its anchor names, so a small text can stand
//! for any amount: what it would be as JSON is counted, and bounded, before it is made.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml_ng::Deserializer;
use xebec_api::error::{ApiError, Reason};

/// Reads a document that has at most `most_bytes` as JSON.
///
/// # Errors
/// `RequestEntityTooLarge`, or `BadRequest` when it is none.
pub(super) fn decode(bytes: &[u8], most_bytes: usize) -> Result<Value, ApiError> {
    let budget = Budget { left: Cell::new(Some(most_bytes)) };
    Node(&budget).deserialize(Deserializer::from_slice(bytes)).map_err(|error| {
        if budget.left.get().is_none() {
            let message = format!("Request entity too large: as JSON it has more than {most_bytes} bytes");
            return ApiError::new(Reason::RequestEntityTooLarge, message);
        }
        ApiError::new(Reason::BadRequest, format!("the body of the request is no YAML: {error}"))
    })
}

/// The bytes of JSON that may still come; `None` once they were more.
struct Budget {
    left: Cell<Option<usize>>,
}

impl Budget {
    fn take<E: de::Error>(&self, bytes: usize) -> Result<(), E> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().map(drop).ok_or_else(|| E::custom("too large"))
    }

    /// A text in its quotes, before it is copied.
    fn text<E: de::Error>(&self, text: &str) -> Result<String, E> {
        self.take(text.len() + 2)?;
        Ok(text.to_owned())
    }

    /// A number, a switch, nothing, or the brackets of what has parts.
    fn mark<E: de::Error>(&self, value: Value) -> Result<Value, E> {
        self.take(1)?;
        Ok(value)
    }
}

/// Any value, as `serde_json::Value` reads it.
struct Node<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.0.mark(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.0.mark(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.0.mark(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.0.mark(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.text(text).map(Value::String)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.0.mark(Value::Null)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.0.mark(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        self.0.take(2)?;
        while let Some(item) = items.next_element_seed(Node(self.0))? {
            self.0.take(1)?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        self.0.take(2)?;
        while let Some(key) = entries.next_key_seed(Key(self.0))? {
            self.0.take(2)?;
            map.insert(key, entries.next_value_seed(Node(self.0))?);
        }
        Ok(Value::Object(map))
    }
}

/// A key of a map, a text whatever it looks like.
struct Key<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        self.0.text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MOST: usize = 3 << 20;

    #[test]
    fn every_yaml_is_what_serde_makes_of_it() {
        for text in [
            "",
            "a: 1\nb: -2\nc: 1.5\nd: true\ne: ~\nf: [x, 'y', \"z\", .inf]\n1: {true: a}\n",
            "base: &b {a: [1, 2]}\ncopy: *b\nagain: [*b, *b]\n",
            "- |\n  two\n  lines\n- 18446744073709551615\n",
            "plain",
        ] {
            let wanted: Value = serde_yaml_ng::from_str(text).expect(text);
            assert_eq!(decode(text.as_bytes(), MOST), Ok(wanted), "{text}");
        }
        for text in ["a: b: c", "!tag x", "a: 1\n---\nb: 2\n", "a: *nowhere", "a: &a [*a]"] {
            let refused = decode(text.as_bytes(), MOST).expect_err(text);
            assert_eq!(refused.reason, Reason::BadRequest, "{text}");
            let wanted = serde_yaml_ng::from_str::<Value>(text).expect_err(text).to_string();
            assert_eq!(refused.message, format!("the body of the request is no YAML: {wanted}"));
        }
    }

    #[test]
    fn what_aliases_stand_for_is_counted_before_it_is_made() {
        let text = "x".repeat(1 << 20);
        let aliases = "*a, ".repeat(600_000);
        let nested: String =
            (1..9).map(|level| format!("l{level}: &l{level} [{}]\n", below(level))).collect();
        for bomb in
            [format!("a: &a {text}\nb: [{aliases}]\n"), format!("a: &a {{k: {text}}}\nb: [{aliases}]\n")]
        {
            let refused = decode(bomb.as_bytes(), MOST).expect_err("too large");
            assert_eq!(refused.reason, Reason::RequestEntityTooLarge, "{}", refused.message);
            assert_eq!(refused.message, "Request entity too large: as JSON it has more than 3145728 bytes");
        }
        assert!(decode(format!("l0: &l0 [1, 2, 3]\n{nested}").as_bytes(), MOST).is_err());
        assert_eq!(decode(b"[&a xx, *a]", 12), Ok(json!(["xx", "xx"])));
        assert!(decode(b"[&a xx, *a]", 11).is_err());
    }

    fn below(level: usize) -> String {
        vec![format!("*l{}", level - 1); 30].join(", ")
    }
}
