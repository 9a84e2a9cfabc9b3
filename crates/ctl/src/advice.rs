//! An error as one line, with what to do next. The server's words are kept; what a user can
//! do about them is added.

use xebec_client::{ApiError, Reason};

/// The line for stderr.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let next = error.chain().find_map(|cause| cause.downcast_ref::<ApiError>()).and_then(next);
    let line = match next {
        Some(next) => format!("{text}; {next}"),
        None => text,
    };
    line.split('\n').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What kubectl has and this program has not, as clap quotes it, and what does it instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("argument '-k'", KUSTOMIZE),
    ("argument '--kustomize'", KUSTOMIZE),
    (
        "argument '--record'",
        "leave it out, and name the cause by `xctl annotate TYPE/NAME kubernetes.io/change-cause=WORDS`",
    ),
    ("argument '--server-side'", "leave it out: apply merges by itself, the server does not so far"),
    (
        "argument '--template'",
        "templates of Go are not read: -o jsonpath=… finds the same, and -o json is for jq",
    ),
    (
        "argument '--raw'",
        "curl asks for a path by the kubeconfig's certificate: see `With kubectl` in README.md",
    ),
    ("argument '--prune'", "nothing is pruned: `xctl delete` takes away what is not wanted any more"),
    ("argument '--validate'", "leave it out: the server checks everything that it takes"),
    ("subcommand 'autoscale'", "nothing scales by itself so far: `xctl scale` sets how many there are"),
    ("subcommand 'debug'", "`xctl exec` runs commands in a container, `xctl run` a pod beside it"),
    ("subcommand 'kustomize'", KUSTOMIZE),
    (
        "subcommand 'proxy'",
        "`xctl port-forward` leads to a pod, and kubectl proxy to the API, with the same kubeconfig",
    ),
    ("subcommand 'certificate'", "certificates are signed for nodes and masters alone: `xctl token create`"),
];

const KUSTOMIZE: &str = "`kubectl kustomize DIR` builds it: pass what it prints on to `xctl apply -f -`";

/// What clap says, without the usage: that is a question away.
pub(crate) fn usage(text: &str) -> String {
    let own = text.split("\n\nUsage:").next().unwrap_or_default();
    let own = own.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = own.trim_start_matches("error: ").split_whitespace().collect();
    let command = text.split("Usage: xctl ").nth(1).and_then(|usage| usage.split_whitespace().next());
    let command = command.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    if let Some(instead) = instead(own, command.unwrap_or_default()) {
        let first = own.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return format!("{first}: {instead}");
    }
    let command = command.map(|command| format!("{command} ")).unwrap_or_default();
    format!("{}; `xctl {command}--help` shows how", words.join(" "))
}

fn instead(text: &str, command: &str) -> Option<&'static str> {
    let known = ELSEWHERE.iter().find(|(quoted, _)| text.contains(quoted));
    let argument = text.split("unexpected argument '").nth(1).filter(|word| !word.starts_with('-'));
    match (known, argument, command) {
        (Some((_, instead)), ..) => Some(*instead),
        (None, Some(_), "exec" | "run") => {
            Some("what is to run there stands behind --, as in `xctl exec web -- ls`")
        }
        _ => None,
    }
}

/// What helps against an error of the server, where it does not say so itself.
pub(crate) fn next(error: &ApiError) -> Option<String> {
    let detail = |key: &str| error.details.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    match error.reason {
        Reason::NotFound if !detail("kind").is_empty() => {
            Some(format!("`xctl get {}` shows what there is", detail("kind")))
        }
        Reason::AlreadyExists => Some("`xctl apply` changes what is there already".to_owned()),
        Reason::Unauthorized => Some(
            "use a kubeconfig of this cluster, with a certificate or token that is still valid".to_owned(),
        ),
        Reason::Forbidden => Some(
            "ask who administers the cluster for a role binding, or use --kubeconfig of another user".into(),
        ),
        Reason::ServiceUnavailable => {
            Some("check that a majority of the masters runs, then try again".to_owned())
        }
        Reason::TooManyRequests => Some("try again in a moment".to_owned()),
        Reason::InternalError => Some("this is a defect of the server: see its log".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_wrong_command_line_is_one_line_too() {
        use clap::Parser as _;
        let cases = [
            (
                "get",
                "the following required arguments were not provided: <WORDS>...; `xctl get --help` shows how",
            ),
            (
                "delte",
                "unrecognized subcommand 'delte' tip: some similar subcommands exist: 'create', 'delete'; `xctl --help` shows how",
            ),
            (
                "get pods -o 5",
                "invalid value '5' for '--output <OUTPUT>': the forms are wide, json, yaml, name, \
                 jsonpath='{.items[*].metadata.name}', custom-columns=NAME:.metadata.name; `xctl --help` shows how",
            ),
        ];
        for (words, told) in [
            (
                "exec web ls",
                "unexpected argument 'ls' found: what is to run there stands behind --, as in `xctl exec web -- ls`",
            ),
            (
                "apply -k .",
                "unexpected argument '-k' found: `kubectl kustomize DIR` builds it: pass what it prints on to `xctl apply -f -`",
            ),
            (
                "proxy",
                "unrecognized subcommand 'proxy': `xctl port-forward` leads to a pod, and kubectl proxy to the API, with \
                 the same kubeconfig",
            ),
        ]
        .into_iter()
        .chain(cases)
        {
            let words = std::iter::once("xctl").chain(words.split(' '));
            let error = crate::cli::Cli::try_parse_from(words).err().expect("wrong");
            assert_eq!(usage(&error.to_string()), told);
        }
    }

    #[test]
    fn an_error_is_one_line_that_says_what_to_do() {
        let error = Err::<(), _>(ApiError::not_found("apps", "deployments", "web"))
            .context("scale")
            .expect_err("an error");
        let words = "scale: deployments.apps \"web\" not found; `xctl get deployments` shows what there is";
        assert_eq!(line(&error), words);
        assert_eq!(line(&anyhow::anyhow!("first\n  second\n")), "first second");
    }
}
