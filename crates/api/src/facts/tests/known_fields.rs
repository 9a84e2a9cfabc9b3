//! The same fields as `k8s-openapi`: an object with every field that the facts know is
//! decoded by the row's type, and the type's own field names are read off as it is decoded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Value, json};

use crate::facts::{self, Scalar, Shape, Type};
use crate::table;

/// Deep enough for everything but schemas of custom resources, which hold themselves.
const MOST_DEPTH: usize = 16;

/// An object with every field that the facts know.
fn filled(of: &Type, inside: &mut Vec<&'static str>) -> Value {
    if let Some(shape) = &of.scalar {
        return scalar(of, shape);
    }
    let fields = of.fields.iter().filter_map(|field| {
        let value = match field.shape.reference() {
            Some(name) if inside.contains(&name) => return None,
            Some(name) => {
                inside.push(name);
                let value = shaped(&field.shape, inside);
                inside.pop();
                value
            }
            None => shaped(&field.shape, inside),
        };
        Some((field.name.to_owned(), value))
    });
    let mut object = Value::Object(fields.collect());
    if let Some(kind) = of.kinds.first() {
        let slash = if kind.group.is_empty() { "" } else { "/" };
        object["apiVersion"] = format!("{}{slash}{}", kind.group, kind.version).into();
        object["kind"] = kind.kind.into();
    }
    object
}

fn shaped(shape: &Shape, inside: &mut Vec<&'static str>) -> Value {
    match shape {
        Shape::Type(name) => filled(facts::get(name).expect("a type"), inside),
        Shape::List(inner) => Value::Array(vec![shaped(inner, inside)]),
        Shape::Map(inner) => json!({"key": shaped(inner, inside)}),
        Shape::Scalar(Scalar::String | Scalar::Bytes) => json!(""),
        Shape::Scalar(Scalar::Bool) => json!(true),
        Shape::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Double) => json!(1),
        Shape::Scalar(Scalar::Object | Scalar::Any) => json!({}),
    }
}

fn scalar(of: &Type, shape: &Shape) -> Value {
    match of.name.rsplit('.').next() {
        Some("Time" | "MicroTime") => json!("2026-01-02T03:04:05Z"),
        Some("Quantity") => json!("1"),
        Some("IntOrString") => json!(1),
        _ => shaped(shape, &mut Vec::new()),
    }
}

#[test]
fn k8s_openapi_knows_every_field_of_the_facts() {
    for row in table::all() {
        let of = facts::of_kind(&row.api_version(), row.kind).expect("facts");
        let object = filled(of, &mut Vec::new());
        let findings = (row.inspect)(&object).unwrap_or_else(|error| panic!("{}: {error:?}", row.kind));
        let unknown: Vec<&str> = findings.unknown.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(unknown, [""; 0], "{}", row.kind);
    }
}

/// The names of the fields of each struct, by the struct's own short name.
type Seen = BTreeMap<&'static str, BTreeSet<&'static str>>;

#[test]
fn the_facts_know_every_field_of_k8s_openapi() {
    use k8s_openapi::api::{apps::v1::Deployment, core::v1, networking::v1::Ingress};
    let seen = RefCell::new(Seen::new());
    let probe = Probe { seen: &seen, depth: 0 };
    Deployment::deserialize(probe).expect("a Deployment");
    Ingress::deserialize(probe).expect("an Ingress");
    v1::Pod::deserialize(probe).expect("a Pod");
    v1::Node::deserialize(probe).expect("a Node");
    v1::Service::deserialize(probe).expect("a Service");
    v1::PersistentVolume::deserialize(probe).expect("a PersistentVolume");
    let seen = seen.into_inner();
    assert!(seen.len() > 120, "{} structs", seen.len());
    for (name, fields) in seen {
        let known = facts::all().iter().filter(|of| of.name.rsplit('.').next() == Some(name));
        let known: Vec<BTreeSet<&str>> =
            known.map(|of| of.fields.iter().map(|field| field.name).collect()).collect();
        assert!(known.contains(&fields), "{name}: {fields:?}\nis none of {known:?}");
    }
}

/// Gives every struct all of its fields, and writes them down.
#[derive(Clone, Copy)]
struct Probe<'a> {
    seen: &'a RefCell<Seen>,
    depth: usize,
}

impl Probe<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("1")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen.borrow_mut().entry(name).or_default().extend(fields);
        visitor.visit_map(Entries { names: fields, of: self })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.depth > MOST_DEPTH { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            "Time" | "MicroTime" => {
                visitor.visit_newtype_struct(StrDeserializer::new("2026-01-02T03:04:05Z"))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(One { of: Some(self) })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { names: &["key"], of: self })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(1)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(1.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("")
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char str bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

struct Entries<'a> {
    names: &'static [&'static str],
    of: Probe<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((name, rest)) = self.names.split_first() {
            self.names = rest;
            // A whole object wants its own here; they are written down already.
            if !matches!(*name, "apiVersion" | "kind") {
                return seed.deserialize(StrDeserializer::new(name)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.of.deeper())
    }
}

struct One<'a> {
    of: Option<Probe<'a>>,
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.of.take().map(|of| seed.deserialize(of.deeper())).transpose()
    }
}
