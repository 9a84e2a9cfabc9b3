//! `config view`: the kubeconfig, whole or only what the context in use needs of it.

use anyhow::{Result, bail};
use clap::Args;
use serde_yaml_ng::{Mapping, Value};

use super::{context, current};
use crate::cli::Global;
use crate::commands::get::{Format, View, print_value};
use crate::output::Out;

#[derive(Args)]
pub(crate) struct ViewArgs {
    /// Only the context in use, its cluster and its user
    #[arg(long)]
    pub(crate) minify: bool,
    /// With its secrets
    #[arg(long)]
    pub(crate) raw: bool,
    /// yaml, json or jsonpath=TEMPLATE
    #[arg(short, long)]
    pub(crate) output: Option<View>,
}

/// Shows it.
pub(super) fn run(global: &Global, args: &ViewArgs, mut config: Mapping, out: &mut Out) -> Result<()> {
    if let Some(name) = &global.context {
        config.insert("current-context".into(), name.as_str().into());
    }
    if args.minify {
        minify(&mut config)?;
    }
    if !args.raw {
        hide(&mut config);
    }
    match &args.output {
        Some(View::Json) => print_value(&serde_json::to_value(&config)?, Some(Format::Json), out),
        Some(View::JsonPath(template)) => {
            Ok(out.raw(template.print(&serde_json::to_value(&config)?).as_bytes())?)
        }
        Some(View::Yaml) | None => Ok(out.raw(serde_yaml_ng::to_string(&config)?.as_bytes())?),
        Some(_) => bail!("it is shown as yaml, json or jsonpath=…"),
    }
}

/// Leaves the context in use, and what it names.
fn minify(config: &mut Mapping) -> Result<()> {
    let name = current(config).to_owned();
    let used = context(config, &name)?.clone();
    let named = |key: &str| used.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    for (list, kept) in [("contexts", name), ("clusters", named("cluster")), ("users", named("user"))] {
        if let Some(entries) = config.get_mut(list).and_then(Value::as_sequence_mut) {
            entries.retain(|entry| entry.get("name").and_then(Value::as_str) == Some(kept.as_str()));
        }
    }
    Ok(())
}

/// What opens doors is not for the screen.
fn hide(config: &mut Mapping) {
    for (list, inner) in [("clusters", "cluster"), ("users", "user")] {
        let entries = config.get_mut(list).and_then(Value::as_sequence_mut).into_iter().flatten();
        for entry in entries.filter_map(|entry| entry.get_mut(inner)?.as_mapping_mut()) {
            for (key, value) in entry.iter_mut() {
                let key = key.as_str().unwrap_or_default();
                if key.ends_with("-data") {
                    *value = "DATA+OMITTED".into();
                } else if matches!(key, "token" | "password") {
                    *value = "REDACTED".into();
                }
            }
        }
    }
}
