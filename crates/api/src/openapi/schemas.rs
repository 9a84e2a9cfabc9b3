//! Schemas of types, from the facts, with everything that they lead to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{paths, texts};
use crate::facts::{self, Field, Kind, List, Scalar, Shape, Type};
use crate::resource::Resource;

/// What every name in the facts begins with elsewhere.
pub(super) const PREFIX: &str = "io.k8s.";

/// The body of a delete.
pub(super) const DELETE_OPTIONS: &str = "apimachinery.pkg.apis.meta.v1.DeleteOptions";
/// The answer where there is no object to answer with.
pub(super) const STATUS: &str = "apimachinery.pkg.apis.meta.v1.Status";
const LIST_META: &str = "apimachinery.pkg.apis.meta.v1.ListMeta";
/// What is needed whatever the kinds.
const ALWAYS: &[&str] = &[DELETE_OPTIONS, STATUS, LIST_META];
/// The body of a patch, of which nothing is known beforehand.
pub(super) const PATCH: &str = "apimachinery.pkg.apis.meta.v1.Patch";

/// The schemas that some kinds need, lists of them and patches included.
pub(super) fn of_rows(rows: &[&Resource]) -> Map<String, Value> {
    let mut open: Vec<&Type> = ALWAYS.iter().filter_map(|name| facts::get(name)).collect();
    let mut schemas = Map::new();
    for row in rows {
        let Some(of) = facts::of_kind(&row.api_version(), row.kind) else { continue };
        open.push(of);
        open.extend(paths::bodies(row).filter_map(|(version, kind)| facts::of_kind(version, kind)));
        schemas.insert(format!("{PREFIX}{}List", of.name), list(row, of));
    }
    schemas.insert(format!("{PREFIX}{PATCH}"), described(texts::of(PATCH, ""), json!({"type": "object"})));
    let mut seen = BTreeSet::new();
    while let Some(of) = open.pop() {
        if seen.insert(of.name) {
            schemas.insert(format!("{PREFIX}{}", of.name), schema(of));
            open.extend(of.fields.iter().filter_map(|field| facts::get(field.shape.reference()?)));
        }
    }
    schemas
}

/// A reference to a type.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{PREFIX}{name}")})
}

/// A group, version and kind, as the extension has it.
pub(super) fn kind(kind: Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn list(row: &Resource, of: &Type) -> Value {
    let name = format!("{}List", row.kind);
    let kind = json!([{"group": row.group, "version": row.versions[0], "kind": name}]);
    json!({
        "type": "object",
        "description": format!("Objects of the kind {}.", row.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": reference(LIST_META),
            "items": {"type": "array", "items": reference(of.name)},
        },
        "x-kubernetes-group-version-kind": kind,
    })
}

fn schema(of: &Type) -> Value {
    let mut schema = match &of.scalar {
        Some(shape) => scalar_type(of, shape),
        None => json!({"type": "object"}),
    };
    let required: Vec<&str> =
        of.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !of.fields.is_empty() {
        let fields = of.fields.iter().map(|field| (field.name.to_owned(), property(of, field)));
        schema["properties"] = Value::Object(fields.collect());
    }
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if !of.kinds.is_empty() {
        schema["x-kubernetes-group-version-kind"] = of.kinds.iter().copied().map(kind).collect();
    }
    if of.atomic {
        schema["x-kubernetes-map-type"] = "atomic".into();
    }
    described(texts::of(of.name, ""), schema)
}

/// Scalars that JSON has in more than one form.
fn scalar_type(of: &Type, shape: &Shape) -> Value {
    match of.name {
        facts::QUANTITY => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        facts::INT_OR_STRING => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        facts::TIME | facts::MICRO_TIME => json!({"type": "string", "format": "date-time"}),
        _ => value(shape),
    }
}

fn property(of: &Type, field: &Field) -> Value {
    let mut more = Map::new();
    let default = field.default.and_then(|json| serde_json::from_str(json).ok());
    let values: Vec<&str> = field.values().collect();
    for (key, value) in [
        ("description", texts::of(of.name, field.name).map(Value::from)),
        ("default", default),
        ("enum", (!values.is_empty()).then(|| values.into()).filter(|_| !is_list(&field.shape))),
        ("x-kubernetes-patch-merge-key", some(field.merge_key)),
        ("x-kubernetes-patch-strategy", some(field.patch_strategy)),
        ("x-kubernetes-map-type", field.atomic.then(|| "atomic".into())),
        ("x-kubernetes-list-type", field.list.map(list_type)),
        ("x-kubernetes-list-map-keys", field.list.map(list_keys).filter(|keys| *keys != json!([]))),
    ] {
        more.extend(value.map(|value| (key.to_owned(), value)));
    }
    let mut property = value(&field.shape);
    // Nothing may stand beside a reference.
    if !more.is_empty() && property.get("$ref").is_some() {
        property = json!({"allOf": [property]});
    }
    if let Value::Object(map) = &mut property {
        map.append(&mut more);
    }
    property
}

fn some(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

fn is_list(shape: &Shape) -> bool {
    matches!(shape, Shape::List(_) | Shape::Map(_))
}

fn list_type(list: List) -> Value {
    match list {
        List::Atomic => "atomic",
        List::Set => "set",
        List::Map(_) => "map",
    }
    .into()
}

fn list_keys(list: List) -> Value {
    list.keys().collect()
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Type(name) => reference(name),
        Shape::List(inner) => json!({"type": "array", "items": value(inner)}),
        Shape::Map(inner) => json!({"type": "object", "additionalProperties": value(inner)}),
        Shape::Scalar(scalar) => match scalar {
            Scalar::String => json!({"type": "string"}),
            Scalar::Bool => json!({"type": "boolean"}),
            Scalar::Int32 => json!({"type": "integer", "format": "int32"}),
            Scalar::Int64 => json!({"type": "integer", "format": "int64"}),
            Scalar::Double => json!({"type": "number", "format": "double"}),
            Scalar::Bytes => json!({"type": "string", "format": "byte"}),
            Scalar::Object => json!({"type": "object"}),
            Scalar::Any => json!({}),
        },
    }
}

fn described(text: Option<String>, mut schema: Value) -> Value {
    if let Some(text) = text {
        schema["description"] = text.into();
    }
    schema
}
