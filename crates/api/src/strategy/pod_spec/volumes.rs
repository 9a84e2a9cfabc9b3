//! The rules of volumes.

use std::collections::BTreeSet;

use super::containers::sub_path;
use crate::at::At;
use crate::error::FieldError;
use crate::name;

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
        "projected" => mode(&source.key("defaultMode"), errors),
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
        sub_path(&item.key("path"), errors);
        mode(&item.key("mode"), errors);
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
