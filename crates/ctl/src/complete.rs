//! Completion, the decision: what may stand at the place of the last word of a command
//! line, from the words before it. Names of objects are asked for elsewhere.

mod shells;

use clap::{Arg, Command, CommandFactory as _};
use xebec_api::table;

use crate::cli::Cli;

pub(crate) use shells::Shell;

/// What is wanted at the last word's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One of these.
    Words(Vec<String>),
    /// The name of an object of this kind, with this before it, such as `pod/`.
    Names { kind: String, before: String },
    /// A container of this pod, or of the pods of this TYPE/NAME.
    Containers { of: String },
    /// A context of the kubeconfig.
    Contexts,
    /// What the shell itself knows, such as files.
    Shells,
}

/// What was said before the last word.
struct Line<'a> {
    command: Command,
    /// The subcommands' names, such as `rollout status`.
    path: Vec<String>,
    positionals: Vec<&'a str>,
    /// The option whose value the last word is.
    option: Option<Arg>,
    /// `-n`, as it stands on the line.
    namespace: Option<&'a str>,
}

/// Decides for the words behind the program's name; the last one is being written.
pub(crate) fn wanted(words: &[String]) -> Wanted {
    let (last, before) =
        words.split_last().map_or(("", &[] as &[String]), |(last, rest)| (last.as_str(), rest));
    let line = read(before);
    if let Some(option) = &line.option {
        return value_of(option, &line);
    }
    if let Some((option, _)) = last.split_once('=').filter(|_| last.starts_with("--")) {
        return match find(&line.command, option) {
            Some(arg) => behind(&format!("{option}="), value_of(&arg, &line)),
            None => Wanted::Shells,
        };
    }
    if last.starts_with('-') {
        return Wanted::Words(options(&line.command));
    }
    positional(&line, last)
}

/// The namespace that the line names, for asking the cluster.
pub(crate) fn namespace(words: &[String]) -> Option<String> {
    let (_, before) = words.split_last()?;
    read(before).namespace.map(str::to_owned)
}

fn read(words: &[String]) -> Line<'_> {
    let mut line = Line {
        command: Cli::command(),
        path: Vec::new(),
        positionals: Vec::new(),
        option: None,
        namespace: None,
    };
    line.command.build();
    for word in words {
        if let Some(option) = line.option.take() {
            if option.get_id() == "namespace" {
                line.namespace = Some(word);
            }
        } else if word.starts_with('-') {
            let (name, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let found = find(&line.command, name);
            match (&found, value) {
                (Some(arg), Some(value)) if arg.get_id() == "namespace" => line.namespace = Some(value),
                (Some(arg), None) if takes_value(arg) => line.option = found,
                _ => {}
            }
        } else if let Some(next) = line.command.find_subcommand(word).cloned() {
            line.path.push(next.get_name().to_owned());
            line.command = next;
        } else {
            line.positionals.push(word);
        }
    }
    line
}

/// The option that a word names, its value left out.
pub(crate) fn find(command: &Command, name: &str) -> Option<Arg> {
    let is_named = |arg: &&Arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => name
            .strip_prefix('-')
            .is_some_and(|short| arg.get_short().is_some_and(|it| short == it.to_string())),
    };
    command.get_arguments().find(is_named).cloned()
}

/// Whether the word behind it is its value.
pub(crate) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn options(command: &Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

fn value_of(option: &Arg, line: &Line<'_>) -> Wanted {
    let known = option.get_possible_values();
    if !known.is_empty() {
        return Wanted::Words(known.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match option.get_id().as_str() {
        "namespace" => names("namespaces", ""),
        "context" => Wanted::Contexts,
        "container" | "containers" => {
            line.positionals.first().map_or(Wanted::Shells, |of| Wanted::Containers { of: (*of).to_owned() })
        }
        "output" => Wanted::Words(
            ["json", "yaml", "name", "wide", "jsonpath=", "jsonpath-as-json=", "custom-columns="]
                .map(str::to_owned)
                .to_vec(),
        ),
        _ => Wanted::Shells,
    }
}

/// The same with something before every word.
fn behind(before: &str, wanted: Wanted) -> Wanted {
    match wanted {
        Wanted::Words(words) => {
            Wanted::Words(words.into_iter().map(|word| format!("{before}{word}")).collect())
        }
        Wanted::Names { kind, .. } => Wanted::Names { kind, before: before.to_owned() },
        other => other,
    }
}

fn names(kind: &str, before: &str) -> Wanted {
    Wanted::Names { kind: kind.to_owned(), before: before.to_owned() }
}

fn positional(line: &Line<'_>, last: &str) -> Wanted {
    let commands: Vec<String> = line
        .command
        .get_subcommands()
        .filter(|it| !it.is_hide_set())
        .map(|it| it.get_name().to_owned())
        .collect();
    if !commands.is_empty() && line.positionals.is_empty() {
        return Wanted::Words(commands);
    }
    let path: Vec<&str> = line.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["cordon" | "uncordon" | "drain"] => names("nodes", ""),
        ["config", "use-context" | "set-context" | "delete-context" | "rename-context"] => Wanted::Contexts,
        ["completion"] => Wanted::Words(Shell::NAMES.map(str::to_owned).to_vec()),
        ["top", "pods"] => names("pods", ""),
        ["top", "nodes"] => names("nodes", ""),
        ["logs" | "exec" | "attach" | "port-forward"]
            if line.positionals.is_empty() && !last.contains('/') =>
        {
            names("pods", "")
        }
        ["explain"] if line.positionals.is_empty() => kinds(last),
        ["logs" | "exec" | "attach" | "port-forward"] if line.positionals.is_empty() => kind_and_name(last),
        [
            "get" | "describe" | "why" | "delete" | "edit" | "patch" | "label" | "annotate" | "wait"
            | "scale" | "expose" | "taint",
        ]
        | ["rollout" | "set", _] => objects(line, last),
        _ => Wanted::Shells,
    }
}

/// `TYPE NAME…` or `TYPE/NAME…`.
fn objects(line: &Line<'_>, last: &str) -> Wanted {
    match line.positionals.first() {
        Some(kind) if !kind.contains('/') => match kind.contains(',') {
            true => Wanted::Shells,
            false => names(kind, ""),
        },
        _ => kind_and_name(last),
    }
}

fn kind_and_name(last: &str) -> Wanted {
    match last.split_once('/') {
        Some((kind, _)) => names(kind, &format!("{kind}/")),
        None => kinds(last),
    }
}

/// Kinds, also behind a comma. A singular stands for `TYPE/NAME`, so it is offered only
/// where nothing else begins so.
fn kinds(last: &str) -> Wanted {
    let (before, _) =
        last.rsplit_once(',').map_or((String::new(), last), |(before, rest)| (format!("{before},"), rest));
    let mut kinds: Vec<String> = table::all().iter().map(|row| format!("{before}{}", row.plural)).collect();
    kinds.sort();
    kinds.dedup();
    Wanted::Words(kinds)
}

#[cfg(test)]
mod tests;
