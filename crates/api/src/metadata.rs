//! What must hold of every object's `metadata`, whatever its kind.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::resource::Resource;

/// The sum of all annotations' keys and values, in bytes.
pub const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;

const STANDARD_FINALIZERS: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// Every broken rule of an object that is about to be created: `metadata.name` stands
/// already, generated or not.
#[must_use]
pub fn validate(row: &Resource, object: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let metadata = At::field(object, "metadata");
    check_name(row, &metadata, &mut errors);
    check_namespace(row, &metadata, &mut errors);
    labels(&metadata.key("labels"), &mut errors);
    annotations(&metadata.key("annotations"), &mut errors);
    owner_references(&metadata, &mut errors);
    finalizers(&metadata, &mut errors);
    errors
}

/// Every broken rule of a change, beside [`validate`].
#[must_use]
pub fn validate_update(_row: &Resource, new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (new_meta, old_meta) = (At::field(new, "metadata"), At::field(old, "metadata"));
    for field in ["name", "namespace", "uid", "creationTimestamp"] {
        let (new, old) = (new_meta.key(field), old_meta.key(field));
        // What an updater leaves out, the server fills in.
        if new.is_set() {
            new.immutable(&old, &mut errors);
        }
    }
    if old.is_terminating() {
        no_new_finalizers(&new_meta, &old_meta, &mut errors);
    }
    errors
}

/// A map of labels, wherever it stands: each key and value must be one.
pub(crate) fn labels(labels: &At<'_>, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.entries() {
        errors.extend(name::qualified(key).err().map(|why| about_key(labels, key, &why)));
        if let Err(why) = name::label_value(value.text()) {
            errors.push(about_key(labels, value.text(), &why));
        }
    }
}

pub(crate) fn annotations(annotations: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut bytes = 0;
    for (key, value) in annotations.entries() {
        bytes += key.len() + value.text().len();
        // Keys of annotations may have capitals where those of labels may not.
        let rule = name::qualified(&key.to_lowercase());
        errors.extend(rule.err().map(|why| about_key(annotations, key, &why)));
    }
    if bytes > MAX_ANNOTATIONS_BYTES {
        errors.push(annotations.too_long(MAX_ANNOTATIONS_BYTES));
    }
}

fn about_key(map: &At<'_>, key: &str, why: &str) -> FieldError {
    At { path: map.path.clone(), value: &json!(key) }.invalid(why)
}

fn check_name(row: &Resource, metadata: &At<'_>, errors: &mut Vec<FieldError>) {
    let (name, base) = (metadata.key("name"), metadata.key("generateName"));
    if !base.text().is_empty() {
        let example = name::generated(base.text(), "aaaaa");
        errors.extend(row.strategy.validate_name(&example).err().map(|why| base.invalid(&why)));
    }
    if name.text().is_empty() {
        errors.push(name.required("name or generateName is required"));
    } else {
        errors.extend(row.strategy.validate_name(name.text()).err().map(|why| name.invalid(&why)));
    }
}

fn check_namespace(row: &Resource, metadata: &At<'_>, errors: &mut Vec<FieldError>) {
    let namespace = metadata.key("namespace");
    if row.namespaced {
        namespace.needs(name::dns_label, errors);
    } else if !namespace.is_empty() {
        errors.push(namespace.forbidden("not allowed on this type"));
    }
}

fn owner_references(metadata: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut controllers: Vec<&str> = Vec::new();
    for owner in metadata.items("ownerReferences") {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.text_of(field).is_empty() {
                let what = if field == "apiVersion" { "version" } else { field };
                errors.push(owner.key(field).invalid(&format!("{what} must not be empty")));
            }
        }
        if owner.key("controller").is_true() {
            controllers.push(owner.text_of("name"));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        let list = metadata.key("ownerReferences");
        errors.push(FieldError::invalid(list.path, why));
    }
}

fn finalizers(metadata: &At<'_>, errors: &mut Vec<FieldError>) {
    for finalizer in metadata.items("finalizers") {
        let text = finalizer.text();
        if let Err(why) = name::qualified(text) {
            errors.push(finalizer.invalid(&why));
        } else if !text.contains('/') && !STANDARD_FINALIZERS.contains(&text) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(finalizer.invalid(why));
        }
    }
}

fn no_new_finalizers(new: &At<'_>, old: &At<'_>, errors: &mut Vec<FieldError>) {
    let known: BTreeSet<&str> = old.items("finalizers").iter().map(At::text).collect();
    let added: Vec<Value> = new
        .items("finalizers")
        .iter()
        .filter(|finalizer| !known.contains(finalizer.text()))
        .map(|finalizer| finalizer.value.clone())
        .collect();
    if !added.is_empty() {
        let added = Value::Array(added);
        errors.push(new.key("finalizers").forbidden(&format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use expect_test::{Expect, expect};

    fn object(metadata: Value) -> Object {
        let mut object = Object::default();
        object.set(&["metadata"], metadata);
        object
    }

    fn shown(errors: &[FieldError]) -> String {
        errors.iter().map(|e| format!("{}: {}\n", e.field, e.message)).collect()
    }

    fn check(plural: &str, metadata: Value, expected: Expect) {
        let row = table::find("", plural).expect("a row");
        expected.assert_eq(&shown(&validate(row, &object(metadata))));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        check(
            "pods",
            json!({"name": "Web_1", "labels": {"-a": "b", "ok": "no/slash"}, "annotations": {"a b": ""},
                "finalizers": ["mine", "x.io/f"], "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": true},
                    {"apiVersion": "v1", "kind": "Pod", "name": "b", "uid": "", "controller": true}]}),
            expect![[r#"
                metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
                metadata.namespace: Required value
                metadata.labels: Invalid value: "-a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
                metadata.labels: Invalid value: "no/slash": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
                metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
                metadata.ownerReferences[1].uid: Invalid value: "": uid must not be empty
                metadata.ownerReferences: Only one reference can have Controller set to true. Found "true" in references for a and b
                metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified
            "#]],
        );
        check(
            "nodes",
            json!({"namespace": "a"}),
            expect![[r#"
            metadata.name: Required value: name or generateName is required
            metadata.namespace: Forbidden: not allowed on this type
        "#]],
        );
    }

    #[test]
    fn annotations_have_a_limit() {
        let large = "x".repeat(MAX_ANNOTATIONS_BYTES);
        check(
            "nodes",
            json!({"name": "a", "annotations": {"a": large}}),
            expect![[r#"
                metadata.annotations: Too long: may not be more than 262144 bytes
            "#]],
        );
    }

    #[test]
    fn identity_and_finalizers_are_guarded_on_update() {
        let row = table::find("", "nodes").expect("a row");
        let old = json!({"name": "a", "uid": "1", "deletionTimestamp": "2026-11-24T10:00:00Z"});
        let new = json!({"name": "a", "uid": "2", "finalizers": ["x.io/late"]});
        let errors = validate_update(row, &object(new), &object(old));
        expect![[r#"
            metadata.uid: Invalid value: "2": field is immutable
            metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ["x.io/late"]
        "#]]
        .assert_eq(&shown(&errors));
    }
}
