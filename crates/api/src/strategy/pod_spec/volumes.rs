//! The rules of volumes.

use std::collections::BTreeSet;

use super::containers::sub_path;
use crate::at::At;
use crate::error::FieldError;
use crate::name;

/// What a source of a projected volume may be.
const PROJECTED: [&str; 6] =
    ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];

/// Gives the names of all volumes, for the mounts that use them.
pub(super) fn validate<'a>(spec: &At<'a>, errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for volume in spec.items("volumes") {
        let own = volume.key("name");
        own.needs(name::dns_label, errors);
        if !own.text().is_empty() && !names.insert(own.text()) {
            errors.push(own.duplicate());
        }
        source(&volume, errors);
    }
    names
}

fn source(volume: &At<'_>, errors: &mut Vec<FieldError>) {
    let sources: Vec<(&str, At<'_>)> = volume
        .map()
        .into_iter()
        .flat_map(|map| map.keys())
        .filter(|key| *key != "name")
        .map(|key| (key.as_str(), volume.key(key)))
        .collect();
    if sources.is_empty() {
        errors.push(volume.required("must specify a volume type"));
    }
    for (_, extra) in sources.iter().skip(1) {
        errors.push(extra.forbidden("may not specify more than 1 volume type"));
    }
    let Some((kind, source)) = sources.first() else { return };
    match *kind {
        "hostPath" => host_path(source, errors),
        "configMap" => items(source, "name", errors),
        "secret" => items(source, "secretName", errors),
        "persistentVolumeClaim" => source.key("claimName").needs(name::dns_subdomain, errors),
        "downwardAPI" => {
            mode(&source.key("defaultMode"), errors);
            downward_items(source, errors);
        }
        "projected" => projected(source, errors),
        "emptyDir" => source.key("medium").one_of(&["Memory", "HugePages"], errors),
        _ => {}
    }
}

fn host_path(source: &At<'_>, errors: &mut Vec<FieldError>) {
    let path = source.key("path");
    if path.is_empty() {
        errors.push(path.required(""));
    } else if path.text().split('/').any(|part| part == "..") {
        errors.push(path.invalid("must not contain '..'"));
    }
    let kinds =
        ["BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    source.key("type").one_of(&kinds, errors);
}

fn items(source: &At<'_>, name_field: &str, errors: &mut Vec<FieldError>) {
    if source.key(name_field).is_empty() {
        errors.push(source.key(name_field).required(""));
    }
    mode(&source.key("defaultMode"), errors);
    for item in source.items("items") {
        item.key("key").needs(name::config_key, errors);
        if item.key("path").is_empty() {
            errors.push(item.key("path").required(""));
        }
        local_path(&item.key("path"), errors);
        mode(&item.key("mode"), errors);
    }
}

/// What Kubernetes says of an item names the source, not the item.
fn downward_items(source: &At<'_>, errors: &mut Vec<FieldError>) {
    for item in source.items("items") {
        let item = At { path: source.path.clone(), value: item.value };
        let path = item.key("path");
        if path.is_empty() {
            errors.push(path.required(""));
        }
        local_path(&path, errors);
        match (item.key("fieldRef").is_set(), item.key("resourceFieldRef").is_set()) {
            (true, true) => {
                // That word is what Kubernetes shows for the value.
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                let message = format!("Invalid value: \"resource\": {why}");
                errors.push(FieldError::invalid(item.path.clone(), message));
            }
            (false, false) => errors.push(item.required("one of fieldRef and resourceFieldRef is required")),
            _ => {}
        }
        mode(&item.key("mode"), errors);
    }
}

fn projected(volume: &At<'_>, errors: &mut Vec<FieldError>) {
    mode(&volume.key("defaultMode"), errors);
    for source in volume.items("sources") {
        for kind in ["secret", "configMap"] {
            let of_kind = source.key(kind);
            if of_kind.is_set() {
                items(&of_kind, "name", errors);
            }
        }
        downward_items(&source.key("downwardAPI"), errors);
        let token = source.key("serviceAccountToken");
        if token.is_set() {
            // What Kubernetes says of it names the volume, not the source.
            let path = At { path: volume.key("path").path, value: token.key("path").value };
            if path.is_empty() {
                errors.push(path.required(""));
            }
            local_path(&path, errors);
        }
        if PROJECTED.into_iter().filter(|kind| source.key(kind).is_set()).count() > 1 {
            errors.push(source.forbidden("may not specify more than 1 volume type per source"));
        }
    }
}

/// Where a file stands in a volume: a path within it, beside what the agent keeps there itself.
fn local_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    sub_path(path, errors);
    // The other rule has told of a folder `..` already.
    if path.text().starts_with("..") && !path.text().starts_with("../") {
        errors.push(path.invalid("must not start with '..'"));
    }
}

fn mode(mode: &At<'_>, errors: &mut Vec<FieldError>) {
    if mode.int().is_some_and(|bits| !(0..=0o777).contains(&bits)) {
        let why = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(mode.invalid(why));
    }
}

/// A name of something that is not there.
pub(super) fn not_found(at: &At<'_>) -> FieldError {
    FieldError::new("FieldValueNotFound", at.path.clone(), format!("Not found: {}", at.value))
}
