//! `config`: which cluster is meant. Changes what is asked for in the kubeconfig and keeps
//! everything else of it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_yaml_ng::{Mapping, Value};

use crate::cli::Global;
use crate::config::path;
use crate::output::Out;
use crate::table;

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the contexts there are
    GetContexts,
    /// Show the name of the context in use
    CurrentContext,
    /// Use another context from now on
    #[command(visible_alias = "use")]
    UseContext(NameArgs),
    /// Change a context: set-context --current --namespace shop
    SetContext(SetContextArgs),
    /// Show the kubeconfig, without its secrets
    View,
}

#[derive(Args)]
pub(crate) struct NameArgs {
    /// A context
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct SetContextArgs {
    /// A context
    #[arg(required_unless_present = "current")]
    pub(crate) name: Option<String>,
    /// The one in use
    #[arg(long, conflicts_with = "name")]
    pub(crate) current: bool,
    /// Its cluster
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// Its user
    #[arg(long)]
    pub(crate) user: Option<String>,
}

/// Runs it; no cluster is asked.
pub(crate) fn run(global: &Global, command: &ConfigCommand, out: &mut Out) -> Result<ExitCode> {
    let path = path(global)?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let mut config: Mapping =
        serde_yaml_ng::from_str(&text).with_context(|| format!("kubeconfig {}", path.display()))?;
    match command {
        ConfigCommand::GetContexts => {
            for line in
                table::lines(&["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"], &contexts(&config))
            {
                out.line(line)?;
            }
        }
        ConfigCommand::CurrentContext => match current(&config) {
            "" => bail!("current-context is not set"),
            name => out.line(name)?,
        },
        ConfigCommand::UseContext(args) => {
            context(&mut config, &args.name)?;
            config.insert("current-context".into(), args.name.as_str().into());
            write(&path, &config)?;
            out.line(format!("Switched to context {:?}.", args.name))?;
        }
        ConfigCommand::SetContext(args) => {
            let name = args.name.clone().unwrap_or_else(|| current(&config).to_owned());
            let changes =
                [("cluster", &args.cluster), ("user", &args.user), ("namespace", &global.namespace)];
            let entry = context(&mut config, &name)?;
            for (key, value) in changes {
                if let Some(value) = value {
                    entry.insert(key.into(), value.as_str().into());
                }
            }
            write(&path, &config)?;
            out.line(format!("Context {name:?} modified."))?;
        }
        ConfigCommand::View => {
            hide(&mut config);
            out.raw(serde_yaml_ng::to_string(&config)?.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of the contexts, for who completes one.
pub(crate) fn context_names(global: &Global) -> Result<Vec<String>> {
    let config: Mapping = serde_yaml_ng::from_str(&std::fs::read_to_string(path(global)?)?)?;
    Ok(contexts(&config).into_iter().map(|mut row| row.swap_remove(1)).collect())
}

fn current(config: &Mapping) -> &str {
    config.get("current-context").and_then(Value::as_str).unwrap_or_default()
}

fn contexts(config: &Mapping) -> Vec<Vec<String>> {
    let all = config.get("contexts").and_then(Value::as_sequence).into_iter().flatten();
    let mut rows: Vec<Vec<String>> = all
        .map(|entry| {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
            let inner = entry.get("context");
            let of = |key: &str| text(inner.and_then(|inner| inner.get(key)));
            let name = text(entry.get("name"));
            let mark = if name == current(config) { "*" } else { "" };
            vec![mark.to_owned(), name, of("cluster"), of("user"), of("namespace")]
        })
        .collect();
    rows.sort_by(|a, b| a[1].cmp(&b[1]));
    rows
}

fn context<'a>(config: &'a mut Mapping, name: &str) -> Result<&'a mut Mapping> {
    let all = config.get_mut("contexts").and_then(Value::as_sequence_mut).into_iter().flatten();
    let mut found = all.filter(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
    let inner = found.next().and_then(|entry| entry.get_mut("context")?.as_mapping_mut());
    inner.ok_or_else(|| anyhow!("no context exists with the name: {name:?}"))
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

/// The whole file or none, readable by its owner alone.
fn write(path: &Path, config: &Mapping) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let text = serde_yaml_ng::to_string(config).map_err(std::io::Error::other)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::tests::Sink;

    const CONFIG: &str = "
apiVersion: v1
kind: Config
current-context: here
clusters:
- name: here
  cluster: {server: 'https://10.0.0.1:6443', certificate-authority-data: YQ==}
contexts:
- name: here
  context: {cluster: here, user: me}
- name: there
  context: {cluster: there, user: me, namespace: shop}
users:
- name: me
  user: {token: secret, client-key-data: Yg==}
";

    fn typed(folder: &Path, words: &str) -> String {
        let path = folder.join("config");
        let words = format!("xctl --kubeconfig {} config {words}", path.display());
        let cli = crate::cli::Cli::try_parse_from(words.split_whitespace()).expect("a command");
        let crate::cli::Command::Config(command) = cli.command else { panic!("config") };
        let sink = Sink::default();
        let mut out = Out::to(Box::new(sink.clone()), Box::new(sink.clone()));
        match run(&cli.global, &command, &mut out) {
            Ok(_) => sink.text(),
            Err(error) => format!("error: {error}\n"),
        }
    }

    #[test]
    fn contexts_are_shown_and_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config"), CONFIG).expect("written");
        let typed = |words: &str| typed(folder.path(), words);
        expect![[r#"
            CURRENT   NAME    CLUSTER   AUTHINFO   NAMESPACE
            *         here    here      me         
                      there   there     me         shop
        "#]]
        .assert_eq(&typed("get-contexts"));
        assert_eq!(typed("use-context there"), "Switched to context \"there\".\n");
        assert_eq!(typed("current-context"), "there\n");
        assert_eq!(typed("use-context nowhere"), "error: no context exists with the name: \"nowhere\"\n");
        assert_eq!(typed("set-context --current -n blue"), "Context \"there\" modified.\n");
        expect![[r#"
            apiVersion: v1
            kind: Config
            current-context: there
            clusters:
            - name: here
              cluster:
                server: https://10.0.0.1:6443
                certificate-authority-data: DATA+OMITTED
            contexts:
            - name: here
              context:
                cluster: here
                user: me
            - name: there
              context:
                cluster: there
                user: me
                namespace: blue
            users:
            - name: me
              user:
                token: REDACTED
                client-key-data: DATA+OMITTED
        "#]]
        .assert_eq(&typed("view"));
    }
}
