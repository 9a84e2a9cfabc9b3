//! The table as text: a line a type, a line a field, everything in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::go_types::{GoTypes, Known};
use super::openapi::{Field, Kind, Schema, Shape};

/// A type that is sent as more kinds than these (options of every group) is of no one kind.
const MOST_KINDS: usize = 4;

/// The whole table.
///
/// # Errors
/// When a type is named that the description does not have.
pub(crate) fn write(
    release: &str,
    schemas: &BTreeMap<String, Schema>,
    wanted: &BTreeSet<&str>,
    go: &GoTypes,
) -> Result<String> {
    let mut out = format!(
        "# Facts about the objects of Kubernetes 1.{release}, by `cargo xtask facts`; not to be edited.\n\
         # type [group/version/Kind] [= scalar] [atomic]\n\
         #  field protobuf-numbers type [flag]...\n"
    );
    for name in wanted {
        let schema = schemas.get(*name).with_context(|| format!("{name} is not described"))?;
        write_type(&mut out, name, schema);
        let known = go.fields(name);
        for field in &schema.fields {
            let nothing = Known::default();
            write_field(&mut out, field, known.get(&field.name).unwrap_or(&nothing));
        }
    }
    Ok(out)
}

fn write_type(out: &mut String, name: &str, schema: &Schema) {
    out.push_str(name);
    if schema.kinds.len() <= MOST_KINDS {
        for Kind { group, version, kind } in &schema.kinds {
            let _ = write!(out, " {group}/{version}/{kind}");
        }
    }
    if let Some(scalar) = &schema.scalar {
        let _ = write!(out, " = {}", shape(scalar));
    }
    out.push_str(if schema.atomic { " atomic\n" } else { "\n" });
}

fn write_field(out: &mut String, field: &Field, known: &Known) {
    let numbers: Vec<String> = known.numbers.iter().map(u32::to_string).collect();
    let numbers = if numbers.is_empty() { "-".to_owned() } else { numbers.join(".") };
    let _ = write!(out, " {} {numbers} {}", field.name, shape(&field.shape));
    if field.required {
        out.push_str(" required");
    }
    if known.pointer && has_zero(&field.shape) {
        out.push_str(" pointer");
    }
    let keys = field.list_map_keys.join(",");
    for (flag, value) in [
        ("default", field.default.clone()),
        ("patch", field.patch_strategy.clone()),
        ("merge-key", field.merge_key.clone()),
        ("list", field.list_type.clone()),
        ("keys", (!keys.is_empty()).then_some(keys)),
        ("map", field.map_type.clone()),
        ("enum", (!known.values.is_empty()).then(|| known.values.join("|"))),
    ] {
        if let Some(value) = value {
            let _ = write!(out, " {flag}={value}");
        }
    }
    out.push('\n');
}

/// Messages and lists are missing when they are missing.
fn has_zero(of: &Shape) -> bool {
    match of {
        Shape::Scalar(_) => true,
        Shape::Type(name) => name.ends_with(".IntOrString"),
        Shape::List(_) | Shape::Map(_) => false,
    }
}

fn shape(of: &Shape) -> String {
    match of {
        Shape::Scalar(name) => (*name).to_owned(),
        Shape::Type(name) => name.clone(),
        Shape::List(inner) => format!("[{}]", shape(inner)),
        Shape::Map(inner) => format!("{{{}}}", shape(inner)),
    }
}
