//! `create configmap` and `create secret generic`: keys and values from words and files.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct DataArgs {
    pub(crate) name: String,
    /// A key and its value
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) from_literal: Vec<String>,
    /// A file (or a folder of them), under its own name or another key
    #[arg(long, value_name = "[KEY=]FILE")]
    pub(crate) from_file: Vec<String>,
    /// A file with a line KEY=VALUE for each key, such as .env
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_literal", "from_file"])]
    pub(crate) from_env_file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The ConfigMap; what is no text goes under `binaryData`.
pub(super) fn config_map(args: &DataArgs) -> Result<Object> {
    let mut object = shell("v1", "ConfigMap", &args.name);
    let (mut texts, mut binary) = (Map::new(), Map::new());
    for (key, value) in data(args)? {
        match String::from_utf8(value) {
            Ok(text) => texts.insert(key, Value::String(text)),
            Err(error) => binary.insert(key, Value::String(STANDARD.encode(error.as_bytes()))),
        };
    }
    for (field, map) in [("data", texts), ("binaryData", binary)] {
        if !map.is_empty() {
            object.set(&[field], map);
        }
    }
    Ok(object)
}

/// Keys and values, in the order that they were named in.
pub(super) fn data(args: &DataArgs) -> Result<Vec<(String, Vec<u8>)>> {
    let mut data: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |key: &str, value: Vec<u8>| -> Result<()> {
        if data.iter().any(|(known, _)| known == key) {
            bail!("the key {key:?} is given twice");
        }
        data.push((key.to_owned(), value));
        Ok(())
    };
    for literal in &args.from_literal {
        let pair = literal.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or_else(|| anyhow!("--from-literal {literal:?}: write KEY=VALUE"))?;
        add(key, value.as_bytes().to_vec())?;
    }
    for named in &args.from_file {
        for (key, path) in files(named)? {
            let value = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            add(&key, value)?;
        }
    }
    for path in &args.from_env_file {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        for (key, value) in of_lines(&text).with_context(|| path.display().to_string())? {
            add(key, value.as_bytes().to_vec())?;
        }
    }
    Ok(data)
}

/// `KEY=VALUE` of each line; empty lines and those that begin with # say nothing.
fn of_lines(text: &str) -> Result<Vec<(&str, &str)>> {
    let mut pairs = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.split_once('=').filter(|(key, _)| !key.is_empty());
        pairs.push(pair.ok_or_else(|| anyhow!("line {}: write KEY=VALUE", index + 1))?);
    }
    Ok(pairs)
}

/// The keys and files that one `--from-file` stands for.
fn files(named: &str) -> Result<Vec<(String, PathBuf)>> {
    if let Some((key, path)) = named.split_once('=') {
        return Ok(vec![(key.to_owned(), PathBuf::from(path))]);
    }
    let path = PathBuf::from(named);
    let key = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.ok_or_else(|| anyhow!("--from-file {named:?}: it has no file name, write KEY=FILE"))
    };
    if !path.is_dir() {
        return Ok(vec![(key(&path)?, path)]);
    }
    let entries = std::fs::read_dir(&path).with_context(|| format!("read the folder {named}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            files.push((key(&path)?, path));
        }
    }
    files.sort();
    Ok(files)
}
