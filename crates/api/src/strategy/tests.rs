//! Every row of the table through what all kinds must hold, and the kinds' own rules by
//! their whole outputs.

mod cells;
mod defaults;
mod rules;

use serde_json::{Value, json};

use crate::check;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::Resource;
use crate::table;

/// 2026-11-24T10:00:00Z.
const NOW: i64 = 1_795_514_400;

fn object(value: &Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("an object")
}

fn row(object: &Object) -> &'static Resource {
    table::by_kind(object.api_version(), object.kind()).expect("a row")
}

/// Through decoding and defaulting, as the apiserver does it.
fn admitted(value: &Value) -> Object {
    let mut object = object(value);
    let row = row(&object);
    let unknown = check::decode(row, &mut object).expect("decodes");
    assert_eq!(unknown, [], "unknown fields");
    row.strategy.prepare_create(&mut object);
    row.strategy.default_fields(&mut object);
    object
}

fn shown(errors: &[FieldError]) -> String {
    errors.iter().map(|e| format!("{}: {}\n", e.field, e.message)).collect()
}

/// What is wrong with a new object.
fn refused(value: &Value) -> String {
    let object = admitted(value);
    shown(&row(&object).strategy.validate(&object))
}

/// What is wrong with a change.
fn change_refused(new: &Value, old: &Value) -> String {
    let old = admitted(old);
    let mut new = object(new);
    let strategy = row(&new).strategy;
    strategy.prepare_update(&mut new, &old);
    strategy.default_fields(&mut new);
    shown(&strategy.validate_update(&new, &old))
}

fn pretty(object: &Object) -> String {
    serde_json::to_string_pretty(object.as_map()).expect("JSON")
}

fn minimal(row: &Resource) -> Value {
    let metadata = if row.namespaced { json!({"name": "a", "namespace": "b"}) } else { json!({"name": "a"}) };
    json!({"apiVersion": row.api_version(), "kind": row.kind, "metadata": metadata})
}

#[test]
fn every_row_takes_a_minimal_object() {
    for row in table::all() {
        let object = admitted(&minimal(row));
        assert_eq!(crate::metadata::validate(row, &object), [], "{}", row.kind);
        // Defaults are fields that the type knows, of the right types.
        assert_eq!((row.check)(&object), Ok(Vec::new()), "{}", row.kind);
    }
}

#[test]
fn defaulting_twice_changes_nothing() {
    for row in table::all() {
        let once = admitted(&minimal(row));
        let mut twice = once.clone();
        row.strategy.default_fields(&mut twice);
        assert_eq!(once, twice, "{}", row.kind);
    }
}

#[test]
fn every_row_has_a_cell_for_each_heading() {
    for row in table::all() {
        let object = admitted(&minimal(row));
        for (wide, namespaces) in [(false, false), (true, false), (true, true)] {
            let headers = crate::table_view::headers(row, wide, namespaces);
            let cells = crate::table_view::cells(row, &object, wide, namespaces, NOW);
            assert_eq!(headers.len(), cells.len(), "{}: {headers:?}", row.kind);
        }
    }
}

/// Strategies see only what decodes; should something else ever reach them, they must not panic.
#[test]
fn no_strategy_panics_on_odd_shapes() {
    let odd = [json!("a"), json!(1), json!([1, "a", {}]), json!({"a": "b"}), json!(true), Value::Null];
    let fields = ["spec", "status", "data", "rules", "subjects", "roleRef", "endpoints", "ports", "metadata"];
    let deep = ["containers", "template", "ports", "volumes", "selector", "strategy", "taints", "rules"];
    for row in table::all() {
        for value in &odd {
            for field in fields {
                let mut whole = object(&minimal(row));
                whole.set(&[field], value.clone());
                exercise(row, whole);
            }
            for field in deep {
                let mut whole = object(&minimal(row));
                whole.set(&["spec", field], value.clone());
                whole.set(&["spec", "template", "spec", field], value.clone());
                exercise(row, whole);
            }
        }
    }
}

/// The manifests that a new user meets first are taken as they are.
#[test]
fn the_examples_are_admitted() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/webshop");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path())
    {
        if entry.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&entry).expect("a manifest");
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let mut value = <Value as serde::Deserialize>::deserialize(document).expect("YAML");
            if value["metadata"]["namespace"].is_null() && value["kind"] != "Namespace" {
                value["metadata"]["namespace"] = json!("default");
            }
            let object = admitted(&value);
            let row = row(&object);
            let mut errors = crate::metadata::validate(row, &object);
            errors.extend(row.strategy.validate(&object));
            assert_eq!(shown(&errors), "", "{} {}", object.kind(), object.name());
            count += 1;
        }
    }
    assert!(count >= 14, "{count} documents");
}

fn exercise(row: &Resource, mut object: Object) {
    let old = object.clone();
    row.strategy.prepare_create(&mut object);
    row.strategy.prepare_update(&mut object, &old);
    row.strategy.default_fields(&mut object);
    let _ = row.strategy.validate(&object);
    let _ = row.strategy.validate_update(&object, &old);
    let _ = crate::table_view::cells(row, &object, true, true, NOW);
    let _ = crate::metadata::validate(row, &object);
}
