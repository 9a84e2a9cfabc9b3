//! The rules of environment variables.

use crate::at::At;
use crate::error::FieldError;
use crate::name;

const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const AMOUNTS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// `env` and `envFrom` of a container.
pub(super) fn validate(container: &At<'_>, errors: &mut Vec<FieldError>) {
    for variable in container.items("env") {
        variable.key("name").needs(name::env_name, errors);
        let from = variable.key("valueFrom");
        if from.is_set() {
            value_from(&variable, &from, errors);
        }
    }
    for source in container.items("envFrom") {
        env_from(&source, errors);
    }
}

fn value_from(variable: &At<'_>, from: &At<'_>, errors: &mut Vec<FieldError>) {
    let given: Vec<&str> = SOURCES.into_iter().filter(|source| from.key(source).is_set()).collect();
    match given.as_slice() {
        [] => errors.push(from.invalid(
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        )),
        [_] if !variable.text_of("value").is_empty() => {
            errors.push(from.invalid("may not be specified when `value` is not empty"));
        }
        [_] => {}
        _ => errors.push(from.invalid("may not have more than one field specified at a time")),
    }
    for source in given {
        let reference = from.key(source);
        match source {
            "fieldRef" => field_ref(&reference, errors),
            "resourceFieldRef" => amount_ref(&reference, errors),
            "configMapKeyRef" | "secretKeyRef" => key_ref(&reference, errors),
            _ => {}
        }
    }
}

fn field_ref(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    let path = reference.key("fieldPath");
    let subscripted = ["metadata.labels['", "metadata.annotations['"]
        .iter()
        .any(|prefix| path.text().starts_with(prefix) && path.text().ends_with("']"));
    if path.is_empty() {
        errors.push(path.required(""));
    } else if !subscripted && !FIELDS.contains(&path.text()) {
        errors.push(path.not_supported(&FIELDS));
    }
}

fn amount_ref(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    let resource = reference.key("resource");
    let huge = resource.text().contains(".hugepages-");
    if resource.is_empty() {
        errors.push(resource.required(""));
    } else if !huge && !AMOUNTS.contains(&resource.text()) {
        errors.push(resource.not_supported(&AMOUNTS));
    }
}

fn key_ref(reference: &At<'_>, errors: &mut Vec<FieldError>) {
    reference.key("name").needs(name::dns_subdomain, errors);
    reference.key("key").needs(name::config_key, errors);
}

fn env_from(source: &At<'_>, errors: &mut Vec<FieldError>) {
    let prefix = source.key("prefix");
    if !prefix.is_empty() {
        prefix.obeys(name::env_name, errors);
    }
    let given: Vec<At<'_>> =
        ["configMapRef", "secretRef"].map(|kind| source.key(kind)).into_iter().filter(At::is_set).collect();
    match given.as_slice() {
        [] => errors.push(source.invalid("must specify one of: `configMapRef` or `secretRef`")),
        [one] => one.key("name").needs(name::dns_subdomain, errors),
        _ => errors.push(source.invalid("may not have more than one field specified at a time")),
    }
}
