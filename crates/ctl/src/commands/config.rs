//! `config`: which cluster is meant. Changes what is asked for in the kubeconfig and keeps
//! everything else of it.

mod set;
mod view;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_yaml_ng::{Mapping, Value};

use crate::cli::Global;
use crate::commands::delete::OnlyName;
use crate::config::path;
use crate::output::Out;
use crate::table;

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the contexts there are
    GetContexts(ContextsArgs),
    /// Show the names of the clusters there are
    GetClusters,
    /// Show the names of the users there are
    GetUsers,
    /// Show the name of the context in use
    CurrentContext,
    /// Use another context from now on
    #[command(visible_alias = "use")]
    UseContext(NameArgs),
    /// Make or change a context: set-context --current --namespace shop
    SetContext(SetContextArgs),
    /// Make or change a cluster
    SetCluster(set::SetClusterArgs),
    /// Make or change a user
    SetCredentials(set::SetCredentialsArgs),
    /// Take a context out
    DeleteContext(NameArgs),
    /// Give a context another name
    RenameContext(RenameArgs),
    /// Show the kubeconfig, without its secrets
    View(view::ViewArgs),
}

#[derive(Args)]
pub(crate) struct ContextsArgs {
    /// Only this one
    pub(crate) name: Option<String>,
    /// Only the names
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<OnlyName>,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Args)]
pub(crate) struct RenameArgs {
    /// A context
    pub(crate) name: String,
    /// Its name from now on
    pub(crate) to: String,
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
        ConfigCommand::GetContexts(args) => get_contexts(&config, args, out)?,
        ConfigCommand::GetClusters => list(&config, "clusters", out)?,
        ConfigCommand::GetUsers => list(&config, "users", out)?,
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
            let is_new = !args.current && context(&mut config, &name).is_err();
            if is_new {
                add_context(&mut config, &name)?;
            }
            let entry = context(&mut config, &name)?;
            for (key, value) in changes {
                if let Some(value) = value {
                    entry.insert(key.into(), value.as_str().into());
                }
            }
            write(&path, &config)?;
            let done = if is_new { "created" } else { "modified" };
            out.line(format!("Context {name:?} {done}."))?;
        }
        ConfigCommand::SetCluster(args) => {
            set::cluster(&mut config, args)?;
            write(&path, &config)?;
            out.line(format!("Cluster {:?} set.", args.name))?;
        }
        ConfigCommand::SetCredentials(args) => {
            set::credentials(&mut config, args)?;
            write(&path, &config)?;
            out.line(format!("User {:?} set.", args.name))?;
        }
        ConfigCommand::DeleteContext(args) => {
            context(&mut config, &args.name)?;
            entries(&mut config, "contexts")?
                .retain(|entry| entry.get("name").and_then(Value::as_str) != Some(args.name.as_str()));
            write(&path, &config)?;
            if current(&config) == args.name {
                let next = "name another by `xctl config use-context`";
                out.note(format!("warning: this removed the context in use: {next}"))?;
            }
            out.line(format!("deleted context {} from {}", args.name, path.display()))?;
        }
        ConfigCommand::RenameContext(args) => {
            rename(&mut config, args)?;
            write(&path, &config)?;
            out.line(format!("Context {:?} renamed to {:?}.", args.name, args.to))?;
        }
        ConfigCommand::View(args) => view::run(global, args, config, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of the contexts, for who completes one.
pub(crate) fn context_names(global: &Global) -> Result<Vec<String>> {
    let config: Mapping = serde_yaml_ng::from_str(&std::fs::read_to_string(path(global)?)?)?;
    Ok(contexts(&config).into_iter().map(|mut row| row.swap_remove(1)).collect())
}

fn get_contexts(config: &Mapping, args: &ContextsArgs, out: &mut Out) -> Result<()> {
    let mut rows = contexts(config);
    if let Some(name) = &args.name {
        rows.retain(|row| row[1] == *name);
        if rows.is_empty() {
            bail!("no context exists with the name: {name:?}");
        }
    }
    if args.output == Some(OnlyName::Name) {
        for row in rows {
            out.line(&row[1])?;
        }
        return Ok(());
    }
    let headers = ["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"];
    for line in table::lines(if args.no_headers { &[] } else { &headers }, &rows) {
        out.line(line)?;
    }
    Ok(())
}

fn list(config: &Mapping, what: &str, out: &mut Out) -> Result<()> {
    let all = config.get(what).and_then(Value::as_sequence).into_iter().flatten();
    let mut names: Vec<&str> = all.filter_map(|entry| entry.get("name")?.as_str()).collect();
    names.sort_unstable();
    out.line("NAME")?;
    for name in names {
        out.line(name)?;
    }
    Ok(())
}

/// The entries of a list, which is made where there is none.
fn entries<'a>(config: &'a mut Mapping, what: &str) -> Result<&'a mut Vec<Value>> {
    if config.get(what).is_none_or(Value::is_null) {
        config.insert(what.into(), Value::Sequence(Vec::new()));
    }
    let list = config.get_mut(what).and_then(Value::as_sequence_mut);
    list.ok_or_else(|| anyhow!("{what}: this is no list"))
}

fn add_context(config: &mut Mapping, name: &str) -> Result<()> {
    let mut entry = Mapping::new();
    entry.insert("name".into(), name.into());
    entry.insert("context".into(), Value::Mapping(Mapping::new()));
    entries(config, "contexts")?.push(Value::Mapping(entry));
    Ok(())
}

fn rename(config: &mut Mapping, args: &RenameArgs) -> Result<()> {
    context(config, &args.name)?;
    if context(config, &args.to).is_ok() {
        bail!("there is a context named {:?} already", args.to);
    }
    for entry in entries(config, "contexts")? {
        if entry.get("name").and_then(Value::as_str) == Some(args.name.as_str())
            && let Some(name) = entry.get_mut("name")
        {
            *name = args.to.as_str().into();
        }
    }
    if current(config) == args.name {
        config.insert("current-context".into(), args.to.as_str().into());
    }
    Ok(())
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
        let lines = "
            get-contexts -o name
            get-contexts there --no-headers
            get-clusters
            get-users
            set-context blue --cluster here --user me -n sky
            rename-context blue azure
            rename-context azure here
            delete-context azure
            delete-context azure
            view --minify -o jsonpath={..namespace}
            view --minify --context here -o jsonpath={.users[0].user}
            view --raw -o jsonpath={.users[0].user.token}
            view -o name
            delete-context there
            view --minify
        ";
        let mut text = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            text.push_str(&format!("$ {line}\n{}\n", typed(line).trim_end()));
        }
        let file = folder.path().join("config").display().to_string();
        expect![[r#"
            $ get-contexts -o name
            here
            there
            $ get-contexts there --no-headers
            *   there   there   me   blue
            $ get-clusters
            NAME
            here
            $ get-users
            NAME
            me
            $ set-context blue --cluster here --user me -n sky
            Context "blue" created.
            $ rename-context blue azure
            Context "blue" renamed to "azure".
            $ rename-context azure here
            error: there is a context named "here" already
            $ delete-context azure
            deleted context azure from FILE
            $ delete-context azure
            error: no context exists with the name: "azure"
            $ view --minify -o jsonpath={..namespace}
            blue
            $ view --minify --context here -o jsonpath={.users[0].user}
            {"client-key-data":"DATA+OMITTED","token":"REDACTED"}
            $ view --raw -o jsonpath={.users[0].user.token}
            secret
            $ view -o name
            error: it is shown as yaml, json or jsonpath=…
            $ delete-context there
            warning: this removed the context in use: name another by `xctl config use-context`
            deleted context there from FILE
            $ view --minify
            error: no context exists with the name: "there"
        "#]]
        .assert_eq(&text.replace(&file, "FILE"));
    }

    #[test]
    fn clusters_and_users_are_made_and_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config"), CONFIG).expect("written");
        std::fs::write(folder.path().join("ca.crt"), "ca").expect("written");
        let typed = |words: &str| typed(folder.path(), words);
        let ca = folder.path().join("ca.crt").display().to_string();
        assert_eq!(typed("set-cluster dev --server https://10.0.0.9:6443"), "Cluster \"dev\" set.\n");
        assert_eq!(
            typed(&format!("set-cluster dev --certificate-authority {ca} --embed-certs")),
            "Cluster \"dev\" set.\n"
        );
        assert_eq!(typed("set-credentials ann --token first"), "User \"ann\" set.\n");
        assert_eq!(
            typed(&format!("set-credentials ann --client-certificate {ca} --client-key {ca}")),
            "User \"ann\" set.\n"
        );
        assert_eq!(typed("set-context dev --cluster dev --user ann"), "Context \"dev\" created.\n");
        assert_eq!(
            typed("set-credentials ann --embed-certs"),
            "error: --embed-certs: name files by --client-certificate and --client-key\n"
        );
        expect![[r#"
            apiVersion: v1
            kind: Config
            current-context: dev
            clusters:
            - name: dev
              cluster:
                server: https://10.0.0.9:6443
                certificate-authority-data: Y2E=
            contexts:
            - name: dev
              context:
                cluster: dev
                user: ann
            users:
            - name: ann
              user:
                client-certificate: FOLDER/ca.crt
                client-key: FOLDER/ca.crt
        "#]]
        .assert_eq(
            &typed("view --minify --raw --context dev")
                .replace(&folder.path().display().to_string(), "FOLDER"),
        );
    }
}
