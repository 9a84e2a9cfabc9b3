//! Manifests: files, folders and standard input, as a list of documents. One that does not
//! parse is one broken document, with its number and line; the others are still good.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;

use crate::session::Session;

/// Where a document stands, for errors: `web.yaml: document 2 (line 14)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(String);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object out of a manifest, or why there is none.
pub(crate) type Document = Result<(&'static Resource, Object), String>;

/// Which manifests are meant.
#[derive(Args, Clone, Default)]
pub(crate) struct Files {
    /// What these files and folders name; - for standard input
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) filename: Vec<PathBuf>,
    /// Folders within folders too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

impl Files {
    /// None are named.
    pub(crate) fn is_empty(&self) -> bool {
        self.filename.is_empty()
    }
}

/// Every document of every source, in order. `-` is standard input.
pub(crate) fn read(session: &Session, files: &Files) -> Result<Vec<Document>> {
    let sources = &files.filename;
    if sources.is_empty() {
        bail!("name what is meant by -f: a file, a folder, or - for standard input");
    }
    let mut documents = Vec::new();
    for source in sources {
        refuse_addresses(source)?;
        if source == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("read standard input")?;
            documents.extend(parse("standard input", &text));
            continue;
        }
        for path in within(source, files.recursive)? {
            let name = path.display().to_string();
            match fs::read_to_string(&path) {
                Ok(text) => documents.extend(parse(&name, &text)),
                Err(error) => documents.push(Err((Place(name), error.to_string()))),
            }
        }
    }
    if documents.is_empty() {
        bail!(
            "there is no object in {}",
            sources.iter().map(|s| s.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(documents.into_iter().map(|document| address(session, document)).collect())
}

/// Nothing is fetched here: an address is no file that is missing.
fn refuse_addresses(source: &Path) -> Result<()> {
    let text = source.to_string_lossy();
    if text.starts_with("http://") || text.starts_with("https://") {
        bail!(
            "{text} is an address, and xctl reads files: `curl -fsSL {text}` fetches it, pass that on to -f -"
        );
    }
    Ok(())
}

fn within(source: &Path, recursive: bool) -> Result<Vec<PathBuf>> {
    let kind = fs::metadata(source).with_context(|| format!("read {}", source.display()))?;
    if !kind.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(source)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| format!("read the folder {}", source.display()))?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            if recursive {
                files.extend(within(&path, true)?);
            }
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            files.push(path);
        }
    }
    Ok(files)
}

type Parsed = Result<(Place, Object), (Place, String)>;

/// The objects of one text. Lists are taken apart; documents that hold nothing are none.
fn parse(source: &str, text: &str) -> Vec<Parsed> {
    let mut objects = Vec::new();
    for (index, (first_line, document)) in split(text).into_iter().enumerate() {
        let place = |line: usize| Place(format!("{source}: document {} (line {line})", index + 1));
        match to_json(document) {
            Ok(Value::Null) => {}
            Ok(Value::Object(mut map)) => {
                map.values_mut().for_each(octal_modes);
                let object = Object::from_map(map);
                objects.extend(items(object).into_iter().map(|item| match item {
                    Ok(object) => Ok((place(first_line), object)),
                    Err(message) => Err((place(first_line), message)),
                }));
            }
            Ok(other) => {
                let message =
                    format!("expected an object with apiVersion and kind, found {}", kind_of(&other));
                objects.push(Err((place(first_line), message)));
            }
            Err((line, message)) => objects.push(Err((place(first_line + line.saturating_sub(1)), message))),
        }
    }
    objects
}

/// The modes of volumes' files, such as 0400: a number in the YAML 1.1 that Kubernetes'
/// users write, and a text in the YAML 1.2 that is read here.
fn octal_modes(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(octal_modes),
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "volumes" => modes_in(field),
                    // Free text, which is nobody's to read.
                    "data" | "stringData" | "annotations" | "labels" => {}
                    _ => octal_modes(field),
                }
            }
        }
        _ => {}
    }
}

fn modes_in(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(modes_in),
        Value::Object(fields) => {
            for (name, field) in fields {
                let octal = field.as_str().filter(|text| text.starts_with('0') && text.len() > 1);
                let octal = octal.and_then(|text| u32::from_str_radix(text, 8).ok());
                match octal {
                    Some(mode) if matches!(name.as_str(), "mode" | "defaultMode") => *field = mode.into(),
                    _ => modes_in(field),
                }
            }
        }
        _ => {}
    }
}

/// Documents with the number of their first line.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- ") {
            documents.push((first_line, &text[start..offset]));
            start = end;
            first_line = index + 2;
        }
        offset = end;
    }
    documents.push((first_line, &text[start..]));
    let is_blank = |text: &str| text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'));
    documents.retain(|(_, document)| !is_blank(document));
    documents
}

fn to_json(document: &str) -> Result<Value, (usize, String)> {
    let at = |error: &serde_yaml_ng::Error| error.location().map_or(1, |location| location.line());
    let read = || -> Result<Value, serde_yaml_ng::Error> {
        let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(document)?;
        yaml.apply_merge()?;
        serde_yaml_ng::from_value(yaml)
    };
    read().map_err(|error| {
        let text = error.to_string();
        // The place is told once, by its line in the file.
        let text = text.split(" at line ").next().unwrap_or(&text).to_owned();
        (at(&error), text)
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        _ => "something else",
    }
}

fn items(mut object: Object) -> Vec<Result<Object, String>> {
    if object.kind() != "List" {
        return vec![Ok(object)];
    }
    match object.remove(&["items"]) {
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(map) => Ok(Object::from_map(map)),
                other => Err(format!("items: expected objects, found {}", kind_of(&other))),
            })
            .collect(),
        _ => vec![Err("items: expected a list".to_owned())],
    }
}

/// Finds the kind and settles the namespace.
fn address(session: &Session, parsed: Parsed) -> Document {
    let (place, mut object) = parsed.map_err(|(place, message)| format!("{place}: {message}"))?;
    for field in ["apiVersion", "kind"] {
        if object.text(&[field]).is_empty() {
            return Err(format!("{place}: {field}: missing"));
        }
    }
    let row = table::by_kind(object.api_version(), object.kind()).ok_or_else(|| {
        let (version, kind) = (object.api_version(), object.kind());
        let near = table::all().iter().find(|row| row.kind == kind);
        let hint = near.map_or_else(
            || "`xctl api-resources` lists the kinds there are".to_owned(),
            |row| format!("its apiVersion is {}", row.api_version()),
        );
        format!("{place}: there is no kind {kind:?} in {version:?}: {hint}")
    })?;
    settle_namespace(session, row, &mut object).map_err(|message| format!("{place}: {message}"))?;
    Ok((row, object))
}

fn settle_namespace(session: &Session, row: &Resource, object: &mut Object) -> Result<(), String> {
    if !row.namespaced {
        object.remove(&["metadata", "namespace"]);
        return Ok(());
    }
    match object.namespace() {
        "" => object.set(&["metadata", "namespace"], session.namespace.clone()),
        named if session.namespace_is_forced && named != session.namespace => {
            return Err(format!("metadata.namespace: it is {named:?}, but -n says {:?}", session.namespace));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let tell = |parsed: Parsed| match parsed {
            Ok((place, object)) => format!("{place}: {}", String::from_utf8_lossy(&object.to_json())),
            Err((place, message)) => format!("{place}: error: {message}"),
        };
        parse("f", text).into_iter().map(tell).collect()
    }

    #[test]
    fn documents_are_numbered_and_a_broken_one_breaks_no_other() {
        let text = "# only words\n---\na: 1\n---\n\n---\nb:\n  c: [1,\n---\nd: 'yes'\ne: 0.5\n--- \n- 1\n";
        assert_eq!(
            told(text),
            [
                "f: document 1 (line 3): {\"a\":1}",
                "f: document 2 (line 9): error: did not find expected node content",
                "f: document 3 (line 10): {\"d\":\"yes\",\"e\":0.5}",
                "f: document 4 (line 13): error: expected an object with apiVersion and kind, found a list",
            ]
        );
    }

    #[test]
    fn modes_of_volumes_may_be_octal_as_in_yaml_1_1() {
        let text = "spec:\n  volumes:\n  - secret: {defaultMode: 0400, items: [{key: a, mode: 0644}]}\n  mode: '0400'\n";
        let wanted = r#"{"spec":{"mode":"0400","volumes":[{"secret":{"defaultMode":256,"items":[{"key":"a","mode":420}]}}]}}"#;
        assert_eq!(told(text), [format!("f: document 1 (line 1): {wanted}")]);
        let text = "data: {volumes: '0400', defaultMode: '0400'}";
        let wanted = r#"{"data":{"defaultMode":"0400","volumes":"0400"}}"#;
        assert_eq!(told(text), [format!("f: document 1 (line 1): {wanted}")]);
    }

    #[test]
    fn lists_are_taken_apart_and_anchors_resolved() {
        let text = "kind: List\nitems:\n- {a: 1}\n- 2\n---\nx: &x {k: v}\ny: {<<: *x, z: 1}\n";
        assert_eq!(
            told(text),
            [
                "f: document 1 (line 1): {\"a\":1}",
                "f: document 1 (line 1): error: items: expected objects, found a number",
                "f: document 2 (line 6): {\"x\":{\"k\":\"v\"},\"y\":{\"k\":\"v\",\"z\":1}}",
            ]
        );
    }
}
