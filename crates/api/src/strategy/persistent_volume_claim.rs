//! PersistentVolumeClaims.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::defaults::{fill, spec};
use super::pod_template::label_selector;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::quantity::Quantity;
use crate::resource::{Column, Strategy};

/// In the order in which they are shown, with their short forms.
const MODES: [(&str, &str); 4] = [
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];

/// The strategy of PersistentVolumeClaims.
pub(crate) struct PersistentVolumeClaim;

impl Strategy for PersistentVolumeClaim {
    fn prepare_create(&self, object: &mut Object) {
        object.set(&["status"], json!({"phase": "Pending"}));
    }

    fn default_fields(&self, object: &mut Object) {
        if let Some(spec) = spec(object) {
            fill(spec, "volumeMode", "Filesystem");
        }
        if object.text(&["status", "phase"]).is_empty() {
            object.set(&["status", "phase"], "Pending");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        access_modes(&spec, &mut errors);
        spec.key("volumeMode").one_of(&["Block", "Filesystem"], &mut errors);
        label_selector(&spec.key("selector"), &mut errors);
        storage(&spec, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let bound = old.text(&["status", "phase"]) == "Bound";
        let named = !old.text(&["spec", "volumeName"]).is_empty();
        if fixed(new, bound, named) == fixed(old, bound, named) {
            return Vec::new();
        }
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        vec![At::field(new, "spec").forbidden(why)]
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("STATUS"),
                Column::shown("VOLUME"),
                Column::shown("CAPACITY"),
                Column::shown("ACCESS MODES"),
                Column::shown("STORAGECLASS"),
                Column::shown("VOLUMEATTRIBUTESCLASS"),
                Column::wide("VOLUMEMODE"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let volume = object.text(&["spec", "volumeName"]);
        let of_volume = |text: String| if volume.is_empty() { String::new() } else { text };
        let or = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
        let phase = object.text(&["status", "phase"]);
        vec![
            if object.is_terminating() { "Terminating" } else { phase }.to_owned(),
            volume.to_owned(),
            of_volume(object.text(&["status", "capacity", "storage"]).to_owned()),
            of_volume(modes(object)),
            object.text(&["spec", "storageClassName"]).to_owned(),
            or(object.text(&["spec", "volumeAttributesClassName"]), "<unset>"),
            or(object.text(&["spec", "volumeMode"]), "<unset>"),
        ]
    }
}

fn modes(claim: &Object) -> String {
    let has = |mode: &str| list(claim, &["status", "accessModes"]).any(|it| it.as_str() == Some(mode));
    let shown = MODES.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short);
    shown.collect::<Vec<_>>().join(",")
}

fn access_modes(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let modes = spec.items("accessModes");
    if modes.is_empty() {
        errors.push(spec.key("accessModes").required("at least 1 access mode is required"));
    }
    for mode in &modes {
        if !MODES.iter().any(|(known, _)| *known == mode.text()) {
            errors.push(mode.not_supported(&[
                "ReadOnlyMany",
                "ReadWriteMany",
                "ReadWriteOnce",
                "ReadWriteOncePod",
            ]));
        }
    }
    let different: BTreeSet<&str> = modes.iter().map(At::text).collect();
    if different.len() > 1 && different.contains("ReadWriteOncePod") {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.push(spec.key("accessModes").forbidden(why));
    }
}

fn storage(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let storage = spec.key("resources").key("requests").key("storage");
    let at = At { path: format!("{}.resources[storage]", spec.path), value: storage.value };
    let Some(text) = storage.value.as_str() else {
        errors.push(at.required(""));
        return;
    };
    let is_some = Quantity::parse(text).is_ok_and(|amount| !amount.is_zero() && !amount.is_negative());
    if !is_some {
        errors.push(at.invalid("must be greater than zero"));
    }
}

/// The spec without what may change: a claim that is not bound may be given a volume, one that is may grow.
fn fixed(claim: &Object, bound: bool, named: bool) -> Map<String, Value> {
    let mut spec = claim.get(&["spec"]).and_then(Value::as_object).cloned().unwrap_or_default();
    if !named {
        spec.remove("volumeName");
    }
    if bound {
        spec.remove("volumeAttributesClassName");
        if let Some(resources) = spec.get_mut("resources").and_then(Value::as_object_mut) {
            resources.remove("requests");
        }
    }
    spec
}
