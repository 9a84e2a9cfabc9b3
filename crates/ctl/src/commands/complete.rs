//! `__complete`, which the shells' scripts run, and `completion`, which prints them.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use xebec_client::ListParams;

use crate::cli::Global;
use crate::complete::{self, Shell, Wanted};
use crate::output::Out;
use crate::session::Session;
use crate::{asked, config, pod_of};

/// Who presses a key waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Names that are offered at most.
const MOST_OFFERED: usize = 1000;

#[derive(Args)]
pub(crate) struct CompleteArgs {
    /// The words behind the program's name; the last one is being written
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Args)]
pub(crate) struct CompletionArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Prints a shell's script.
pub(crate) fn print_script(args: &CompletionArgs, out: &mut Out) -> Result<ExitCode> {
    out.raw(args.shell.script(&program()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The word by which this program was run. A word without a folder is found by the shell.
#[allow(clippy::disallowed_methods, reason = "a script has to name this program as its user does")]
fn program() -> String {
    let word = std::env::args().next().unwrap_or_default();
    match std::fs::canonicalize(&word) {
        // The link's own name says what is to be run, so only its folder is resolved.
        Ok(_) if word.contains('/') => {
            std::path::absolute(&word).map_or(word, |path| path.display().to_string())
        }
        _ => "xctl".to_owned(),
    }
}

/// Prints what may stand at the last word's place. A cluster that does not answer offers nothing.
pub(crate) async fn run(global: &Global, args: &CompleteArgs, out: &mut Out) -> Result<ExitCode> {
    let last = args.words.last().cloned().unwrap_or_default();
    let offered = tokio::time::timeout(PATIENCE, offered(global, &args.words)).await;
    let offered = offered.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
    for word in offered.into_iter().filter(|word| word.starts_with(&last)).take(MOST_OFFERED) {
        out.line(word)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn offered(global: &Global, words: &[String]) -> Result<Vec<String>> {
    let wanted = complete::wanted(words);
    match wanted {
        Wanted::Words(words) => Ok(words),
        Wanted::Shells => Ok(Vec::new()),
        Wanted::Contexts => crate::commands::config::context_names(global),
        Wanted::Names { kind, before } => {
            let session = session(global, words)?;
            let row = asked::row(&kind)?;
            let list = session.client.list(row, session.namespace_of(row), &ListParams::default()).await?;
            Ok(list.items.iter().map(|object| format!("{before}{}", object.name())).collect())
        }
        Wanted::Containers { of } => {
            let pod = pod_of::named(&session(global, words)?, &of).await?;
            let lists =
                ["containers", "initContainers"].into_iter().filter_map(|list| pod.get(&["spec", list]));
            let containers = lists.filter_map(Value::as_array).flatten();
            let names: BTreeSet<&str> = containers.filter_map(|it| it.get("name")?.as_str()).collect();
            Ok(names.into_iter().map(str::to_owned).collect())
        }
    }
}

fn session(global: &Global, words: &[String]) -> Result<Session> {
    let mut session = config::session(global)?;
    if let Some(namespace) = complete::namespace(words) {
        session.namespace = namespace;
    }
    Ok(session)
}
