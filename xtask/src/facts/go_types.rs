//! What only the Go structs say: protobuf numbers, which structs stand inside others
//! without a name in JSON, and the values of enumerations.
//!
//! Reads Go as gofmt leaves it, line by line: a struct's field is one line with its tag.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// A type: its package (`api.core.v1`) and its name.
type Name = (String, String);

/// Structs and enumerations of all libraries.
#[derive(Debug, Default)]
pub(crate) struct GoTypes {
    structs: BTreeMap<Name, Vec<GoField>>,
    enumerations: BTreeSet<Name>,
    values: BTreeMap<Name, BTreeSet<String>>,
}

#[derive(Debug)]
struct GoField {
    json: String,
    /// Its fields are in JSON those of the struct around it.
    inline: bool,
    number: Option<u32>,
    /// It may be missing, so that its zero is a value.
    pointer: bool,
    /// A list that protobuf has in a message of its own, as field 1.
    wrapped: bool,
    of: Name,
}

/// What Go knows of a field of JSON's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The numbers to go by from message to message; empty when protobuf leaves it out.
    pub(crate) numbers: Vec<u32>,
    /// Its zero is a value of its own.
    pub(crate) pointer: bool,
    /// The values that it may have, when they are known.
    pub(crate) values: Vec<String>,
}

impl GoTypes {
    /// Reads every package of a module.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn read_library(&mut self, module: &str, folder: &Path) -> Result<()> {
        for entry in WalkDir::new(folder).sort_by_file_name() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if !name.ends_with(".go") || name.ends_with("_test.go") || name.ends_with(".pb.go") {
                continue;
            }
            let inside = entry.path().parent().context("a file lies in a folder")?.strip_prefix(folder)?;
            let text = fs::read_to_string(entry.path())?;
            self.read_file(&package(&format!("{module}/{}", inside.display())), &text);
        }
        Ok(())
    }

    fn read_file(&mut self, package: &str, text: &str) {
        let mut file = File { package, imports: BTreeMap::new() };
        let mut open: Option<(Name, Vec<GoField>)> = None;
        let mut said_enum = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["//", "+enum", ..] => said_enum = true,
                ["type", name, "struct", "{"] => open = Some((file.local(name), Vec::new())),
                ["type", name, "string", ..] if said_enum => {
                    self.enumerations.insert(file.local(name));
                }
                ["}"] => self.structs.extend(open.take()),
                ["import", path] | [path] if path.starts_with('"') => file.import(None, path),
                ["import", alias, path] | [alias, path] if path.starts_with('"') => {
                    file.import(Some(alias), path);
                }
                ["const", _, of, "=", value, ..] | [_, of, "=", value, ..] if value.starts_with('"') => {
                    let values = self.values.entry(file.local(of)).or_default();
                    values.insert(value.trim_matches('"').to_owned());
                }
                _ => {
                    if let Some((_, fields)) = &mut open {
                        fields.extend(file.field(line));
                    }
                }
            }
            said_enum &= line.starts_with("//");
        }
    }

    /// What is known of the fields of a type, by their names in JSON.
    pub(crate) fn fields(&self, of: &str) -> BTreeMap<String, Known> {
        let mut known = BTreeMap::new();
        if let Some((package, name)) = of.rsplit_once('.') {
            self.gather(&(package.to_owned(), name.to_owned()), &[], true, &mut known);
        }
        known
    }

    fn gather(&self, of: &Name, way: &[u32], numbered: bool, known: &mut BTreeMap<String, Known>) {
        for field in self.structs.get(of).into_iter().flatten() {
            let numbered = numbered && field.number.is_some();
            let mut numbers = way.to_vec();
            numbers.extend(field.number);
            if field.inline {
                self.gather(&field.of, &numbers, numbered, known);
                continue;
            }
            numbers.extend(field.wrapped.then_some(1));
            let values = self.values.get(&field.of).filter(|_| self.enumerations.contains(&field.of));
            let values = values.into_iter().flatten().cloned().collect();
            let numbers = if numbered { numbers } else { Vec::new() };
            known.insert(field.json.clone(), Known { numbers, pointer: field.pointer, values });
        }
    }
}

/// `k8s.io/api/core/v1` as the description spells it: `api.core.v1`.
fn package(path: &str) -> String {
    path.trim_start_matches("k8s.io/").trim_end_matches('/').replace('/', ".")
}

/// What a file's types are called by.
struct File<'a> {
    package: &'a str,
    imports: BTreeMap<String, String>,
}

impl File<'_> {
    fn import(&mut self, alias: Option<&&str>, path: &str) {
        let path = path.trim_matches('"');
        let last = path.rsplit('/').next().unwrap_or(path);
        self.imports.insert(alias.map_or(last, |alias| alias).to_owned(), package(path));
    }

    fn local(&self, name: &str) -> Name {
        (self.package.to_owned(), name.to_owned())
    }

    /// The type at the end of `*v1.Thing`, `[]Thing` or `map[string]Thing`.
    fn resolve(&self, go: &str) -> Name {
        let name = go.rsplit([']', '*']).next().unwrap_or(go);
        match name.split_once('.') {
            Some((alias, name)) => (self.imports.get(alias).cloned().unwrap_or_default(), name.to_owned()),
            None => self.local(name),
        }
    }

    /// A line such as `Name string` with its tag between backquotes.
    fn field(&self, line: &str) -> Option<GoField> {
        let (declaration, tags) = line.split_once('`')?;
        let go = declaration.split_whitespace().last()?;
        let json = tag(tags, "json")?;
        let (name, options) = json.split_once(',').unwrap_or((json, ""));
        let protobuf: Vec<&str> =
            tag(tags, "protobuf").map(|tag| tag.split(',').collect()).unwrap_or_default();
        let of = self.resolve(go);
        Some(GoField {
            json: name.to_owned(),
            inline: options.contains("inline"),
            number: protobuf.get(1).and_then(|number| number.parse().ok()),
            pointer: go.starts_with('*'),
            wrapped: of.1 == "Verbs" && protobuf.get(2) == Some(&"opt"),
            of,
        })
    }
}

fn tag<'a>(tags: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tags.split_once(&format!("{name}:\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mode says how.
// +enum
type Mode string

const (
	Slow Mode = "Slow"
	// Fast is better.
	Fast Mode = "Fast"
)

type Source struct {
	// Path of it.
	Path *string `json:"path,omitempty" protobuf:"bytes,3,opt,name=path"`
}

type Thing struct {
	metav1.TypeMeta `json:",inline"`
	Modes  []Mode `json:"modes" protobuf:"bytes,1,rep,name=modes,casttype=Mode"`
	Source `json:",inline" protobuf:"bytes,2,opt,name=source"`
	Schema string `json:"$schema" protobuf:"bytes,7,opt,name=schema"`
}
"#;

    #[test]
    fn numbers_lead_through_structs_without_a_name() {
        let mut go = GoTypes::default();
        go.read_file("api.core.v1", SOURCE);
        go.read_file(
            "apimachinery.pkg.apis.meta.v1",
            "type TypeMeta struct {\n\tKind string `json:\"kind\" protobuf:\"bytes,1,opt,name=kind\"`\n}\n",
        );
        let known = |numbers: &[u32], values: &[&str]| Known {
            numbers: numbers.to_vec(),
            pointer: false,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let wanted = [
            ("$schema", known(&[7], &[])),
            ("kind", known(&[], &[])),
            ("modes", known(&[1], &["Fast", "Slow"])),
            ("path", Known { pointer: true, ..known(&[2, 3], &[]) }),
        ];
        let wanted: BTreeMap<String, Known> =
            wanted.into_iter().map(|(name, known)| (name.to_owned(), known)).collect();
        assert_eq!(go.fields("api.core.v1.Thing"), wanted);
    }
}
