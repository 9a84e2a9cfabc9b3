//! The published API description: every type, its fields and what is said about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What every name begins with; left out of the table.
const PREFIX: &str = "io.k8s.";

/// A type.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) kinds: Vec<Kind>,
    /// The scalar that it is, when it is no struct.
    pub(crate) scalar: Option<Shape>,
    /// Applied as a whole, never field by field.
    pub(crate) atomic: bool,
    pub(crate) fields: Vec<Field>,
}

/// A group, version and kind that a type is sent as.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl Kind {
    pub(crate) fn is_stable(&self) -> bool {
        !self.version.contains("alpha") && !self.version.contains("beta")
    }
}

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// As JSON; zero values are left out.
    pub(crate) default: Option<String>,
    pub(crate) patch_strategy: Option<String>,
    pub(crate) merge_key: Option<String>,
    pub(crate) list_type: Option<String>,
    pub(crate) list_map_keys: Vec<String>,
    pub(crate) map_type: Option<String>,
}

/// What a value looks like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// `string`, `bool`, `int32`, `int64`, `double`, `bytes`, `object` or `any`.
    Scalar(&'static str),
    /// Another type, without the common prefix.
    Type(String),
    List(Box<Shape>),
    Map(Box<Shape>),
}

impl Shape {
    /// The type that it leads to.
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::Scalar(_) => None,
            Self::Type(name) => Some(name),
            Self::List(inner) | Self::Map(inner) => inner.reference(),
        }
    }
}

/// All types of a folder of descriptions, one file a group and version.
///
/// # Errors
/// When a file is not of the form that is known.
pub(crate) fn read(folder: &Path) -> Result<BTreeMap<String, Schema>> {
    let mut schemas = BTreeMap::new();
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        let document: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let types = document["components"]["schemas"].as_object();
        for (name, value) in types.into_iter().flatten() {
            let schema = schema(value).with_context(|| format!("{name} in {}", path.display()))?;
            schemas.insert(short(name).to_owned(), schema);
        }
    }
    Ok(schemas)
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn schema(value: &Value) -> Result<Schema> {
    let kinds = items(value, "x-kubernetes-group-version-kind").map(|kind| Kind {
        group: text(kind, "group").unwrap_or_default(),
        version: text(kind, "version").unwrap_or_default(),
        kind: text(kind, "kind").unwrap_or_default(),
    });
    let required: Vec<&str> = items(value, "required").filter_map(Value::as_str).collect();
    let properties = value["properties"].as_object();
    let fields = properties.into_iter().flatten().map(|(name, property)| {
        field(name, property, required.contains(&name.as_str())).with_context(|| name.clone())
    });
    Ok(Schema {
        kinds: kinds.collect(),
        scalar: if properties.is_some() { None } else { Some(shape(value)?) },
        atomic: value["x-kubernetes-map-type"] == "atomic",
        fields: fields.collect::<Result<_>>()?,
    })
}

fn field(name: &str, value: &Value, required: bool) -> Result<Field> {
    Ok(Field {
        name: name.to_owned(),
        shape: shape(value)?,
        required,
        default: value.get("default").filter(|value| !is_zero(value)).map(Value::to_string),
        patch_strategy: text(value, "x-kubernetes-patch-strategy"),
        merge_key: text(value, "x-kubernetes-patch-merge-key"),
        list_type: text(value, "x-kubernetes-list-type"),
        list_map_keys: items(value, "x-kubernetes-list-map-keys")
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        map_type: text(value, "x-kubernetes-map-type"),
    })
}

/// The generator of the description gives one to every field that Go never leaves out.
fn is_zero(value: &Value) -> bool {
    *value == "" || *value == 0 || *value == false || value.as_object().is_some_and(|map| map.is_empty())
}

fn shape(value: &Value) -> Result<Shape> {
    let inside = &value["allOf"][0];
    if let Some(reference) = text(value, "$ref").or_else(|| text(inside, "$ref")) {
        let (_, name) = reference.rsplit_once('/').context("a reference to a type")?;
        return Ok(Shape::Type(short(name).to_owned()));
    }
    let (kind, format) = (value["type"].as_str(), value["format"].as_str());
    Ok(match (kind, format) {
        (Some("array"), _) => Shape::List(Box::new(shape(&value["items"])?)),
        (Some("object"), _) if value["additionalProperties"].is_object() => {
            Shape::Map(Box::new(shape(&value["additionalProperties"])?))
        }
        (Some("object"), _) => Shape::Scalar("object"),
        (Some("string"), Some("byte")) => Shape::Scalar("bytes"),
        (Some("string"), _) => Shape::Scalar("string"),
        (Some("boolean"), _) => Shape::Scalar("bool"),
        (Some("integer"), Some("int32")) => Shape::Scalar("int32"),
        (Some("integer"), _) => Shape::Scalar("int64"),
        (Some("number"), _) => Shape::Scalar("double"),
        (None, _) => Shape::Scalar("any"),
        other => bail!("a type that is not known: {other:?}"),
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}
