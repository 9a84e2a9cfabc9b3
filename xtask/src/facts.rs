//! `cargo xtask facts`: writes the table of facts, `crates/api/src/facts/table.txt`, anew
//! from what Kubernetes publishes as Go modules: the API description (fields, types,
//! defaults, merge keys) and the Go structs (protobuf numbers, enumerations).
//!
//! Data only: no descriptions are taken over. The grammar stands at the table's head and
//! in `crates/api/src/facts/parse.rs`, which reads it.

mod go_modules;
mod go_types;
mod openapi;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::go_types::GoTypes;
use self::openapi::Schema;

/// Of Kubernetes; its libraries have the same number with a 0 in front.
const RELEASE: &str = "35.4";
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/api/src/facts/table.txt");

/// The libraries whose structs become objects.
const LIBRARIES: &[&str] =
    &["k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator"];

/// Downloads what is missing, reads it, writes the table.
///
/// # Errors
/// When a module cannot be had, or is not as it was when this was written.
pub(crate) fn run() -> Result<()> {
    let main = go_modules::download("k8s.io/kubernetes", &format!("v1.{RELEASE}"))?;
    let schemas = openapi::read(&main.join("api/openapi-spec/v3"))?;
    let mut go = GoTypes::default();
    for library in LIBRARIES {
        let folder = go_modules::download(library, &format!("v0.{RELEASE}"))?;
        go.read_library(library, &folder)?;
    }
    let wanted = reachable(&schemas);
    ensure!(wanted.len() > 300, "only {} types: has the description moved?", wanted.len());
    let table = text::write(RELEASE, &schemas, &wanted, &go)?;
    fs::write(Path::new(TABLE), &table).context(TABLE)?;
    println!("facts: {} types, {} bytes", wanted.len(), table.len());
    Ok(())
}

/// The types of every stable kind, lists aside: they all look alike.
fn reachable(schemas: &BTreeMap<String, Schema>) -> BTreeSet<&str> {
    let roots = schemas.iter().filter(|(_, schema)| schema.kinds.iter().any(openapi::Kind::is_stable));
    let mut open: Vec<&str> = roots
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.ends_with("List") && !name.ends_with("WatchEvent"))
        .collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            let fields = schemas.get(name).into_iter().flat_map(|schema| &schema.fields);
            open.extend(fields.filter_map(|field| field.shape.reference()));
        }
    }
    found
}
