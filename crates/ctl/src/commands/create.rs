//! `create`: makes objects that are not there yet, from manifests or from the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use xebec_api::object::Object;
use xebec_api::table;

use crate::commands::apply::explain;
use crate::commands::get::{Format, print_value};
use crate::dry_run::DryRun;
use crate::manifest;
use crate::output::Out;
use crate::session::{Session, reference};

/// What to create.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CreateArgs {
    /// Files and folders, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) kind: Option<Kind>,
}

#[derive(Subcommand)]
pub(crate) enum Kind {
    /// A ConfigMap
    #[command(visible_alias = "cm")]
    Configmap(DataArgs),
    /// A Secret
    #[command(subcommand)]
    Secret(SecretKind),
    /// A Namespace
    #[command(visible_alias = "ns")]
    Namespace(NameArgs),
}

#[derive(Subcommand)]
pub(crate) enum SecretKind {
    /// One with any keys
    Generic(DataArgs),
}

#[derive(Args)]
pub(crate) struct NameArgs {
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

#[derive(Args)]
pub(crate) struct DataArgs {
    pub(crate) name: String,
    /// A key and its value
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) from_literal: Vec<String>,
    /// A file (or a folder of them), under its own name or another key
    #[arg(long, value_name = "[KEY=]FILE")]
    pub(crate) from_file: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

#[derive(Args)]
pub(crate) struct OnlyArgs {
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    /// How to print it
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
}

/// Creates each of them.
pub(crate) async fn run(session: &Session, args: &CreateArgs, out: &mut Out) -> Result<ExitCode> {
    let Some(kind) = &args.kind else {
        if args.filename.is_empty() {
            bail!("say what to create: -f FILE, configmap, secret generic or namespace");
        }
        return from_files(session, args, out).await;
    };
    let (mut object, only) = match kind {
        Kind::Namespace(args) => (shell("Namespace", &args.name), &args.only),
        Kind::Configmap(args) => (config_map(args)?, &args.only),
        Kind::Secret(SecretKind::Generic(args)) => (secret(args)?, &args.only),
    };
    let row = table::by_kind("v1", object.kind()).ok_or_else(|| anyhow!("the resource table lacks a row"))?;
    if row.namespaced {
        object.set(&["metadata", "namespace"], session.namespace.clone());
    }
    if !only.dry_run.is_client() {
        object = only.dry_run.session(session).client.create(row, &object).await?;
    }
    match only.output {
        Some(Format::Json | Format::Yaml) => print_value(&object.into_value(), only.output, out)?,
        _ => out.line(format!("{} created{}", reference(row, object.name()), only.dry_run.mark()))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_files(session: &Session, args: &CreateArgs, out: &mut Out) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for document in manifest::read(session, &args.filename, false)? {
        let outcome = match &document {
            Ok((row, object)) => session
                .client
                .create(*row, object)
                .await
                .map_err(|error| explain(row, object, &error))
                .map(|made| format!("{} created", reference(row, made.name()))),
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(line) => out.line(line)?,
            Err(error) => {
                out.error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn shell(kind: &str, name: &str) -> Object {
    let mut object = Object::default();
    object.set(&["apiVersion"], "v1");
    object.set(&["kind"], kind);
    object.set(&["metadata"], json!({"name": name}));
    object
}

fn config_map(args: &DataArgs) -> Result<Object> {
    let mut object = shell("ConfigMap", &args.name);
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

fn secret(args: &DataArgs) -> Result<Object> {
    let mut object = shell("Secret", &args.name);
    object.set(&["type"], "Opaque");
    let data: Map<String, Value> =
        data(args)?.into_iter().map(|(key, value)| (key, STANDARD.encode(value).into())).collect();
    object.set(&["data"], data);
    Ok(object)
}

/// Keys and values, in the order that they were named in.
fn data(args: &DataArgs) -> Result<Vec<(String, Vec<u8>)>> {
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
    Ok(data)
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
