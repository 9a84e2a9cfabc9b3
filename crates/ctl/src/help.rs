//! `xctl --help`: the commands in groups, by what a user is after, with examples.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// Every command, in the group where it is looked for.
const GROUPS: &[(&str, &[&str])] = &[
    ("See what is there", &["get", "describe", "why", "events", "top", "logs", "diff", "wait"]),
    (
        "Make and change things",
        &[
            "apply", "create", "run", "expose", "set", "edit", "patch", "replace", "label", "annotate",
            "scale", "delete",
        ],
    ),
    ("Roll out", &["rollout"]),
    ("Work inside pods", &["exec", "attach", "port-forward", "cp"]),
    ("Look after nodes", &["cordon", "uncordon", "drain", "taint"]),
    (
        "The cluster itself",
        &["cluster-info", "cluster", "token", "version", "api-resources", "api-versions", "explain", "auth"],
    ),
    ("This program", &["config", "completion"]),
];

const EXAMPLES: &str = "\
Examples:
  xctl apply -f examples/webshop       make everything that a folder describes
  xctl get pods -o wide                list pods, and where they run
  xctl get -w deployments              go on showing changes
  xctl why pod/web                     say why it is not running, and what to do
  xctl logs -f deployment/web          follow what it prints
  xctl rollout undo deployment/web     go back to the revision before

`xctl COMMAND --help` shows the options of a command, `xctl api-resources` the kinds there are.";

/// Examples of single commands.
const EXAMPLES_OF: &[(&str, &str)] = &[
    (
        "get",
        "\
Examples:
  xctl get pods                                    in the namespace in use
  xctl get pods,services -A                        several kinds, in every namespace
  xctl get deployment/web -o yaml                  one object, whole
  xctl get pods -l app=web --show-labels           by label
  xctl get pods --sort-by .metadata.creationTimestamp
  xctl get nodes -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'
  xctl get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName",
    ),
    (
        "why",
        "\
Examples:
  xctl why pod/web               why it is Pending, restarts, or is not ready
  xctl why deployment web        the pod that says why there are not enough
  xctl why service/web           why nobody answers for it
  xctl why ingress/shop          which rule leads nowhere
  xctl why node/n1               why it takes no pods
  xctl why configmap/web         who uses it
  xctl why pod/web -o json       for programs",
    ),
    (
        "create",
        "\
Examples:
  xctl create secret tls shop --cert shop.crt --key shop.key
  xctl create configmap web --from-literal COLOR=blue --from-file ./site
  xctl create deployment web --image example.com/web:1 --replicas 2 -- serve --port 80
  xctl create service nodeport web --tcp 80:8080
  xctl create ingress web --rule 'www.example.com/*=web:80,tls=web'
  xctl create job now --from cronjob/backup
  xctl create rolebinding readers --clusterrole view --serviceaccount default:web",
    ),
    (
        "patch",
        "\
Examples:
  xctl patch deployment web -p '{\"spec\": {\"replicas\": 3}}'
  xctl patch pod web --type json -p '[{\"op\": \"remove\", \"path\": \"/metadata/labels/old\"}]'",
    ),
    (
        "wait",
        "\
Examples:
  xctl wait pod/web --for condition=Ready --timeout 60s
  xctl wait deployment web --for jsonpath='{.status.readyReplicas}'=2
  xctl wait pods -l app=web --for delete",
    ),
    (
        "set",
        "\
Examples:
  xctl set image deployment/web web=example.com/web:2
  xctl set env deployment/web COLOR=blue OLD-
  xctl set resources deployment/web --requests cpu=100m --limits memory=128Mi",
    ),
    (
        "rollout",
        "\
Examples:
  xctl rollout status deployment/web
  xctl rollout history deployment/web --revision 2
  xctl rollout undo deployment/web --to-revision 1",
    ),
    (
        "expose",
        "\
Examples:
  xctl expose deployment web --port 80 --target-port 8080
  xctl expose deployment web --port 80 --type NodePort --name web-outside",
    ),
    (
        "cp",
        "\
Examples:
  xctl cp notes.txt web:/tmp/notes.txt         into a pod
  xctl cp web:/var/log ./log -c server         a folder out of one of its containers
  xctl cp ./site shop/web:/www                 a folder into a pod of namespace shop",
    ),
    (
        "drain",
        "\
Examples:
  xctl drain n1 --ignore-daemonsets --delete-emptydir-data
  xctl uncordon n1",
    ),
    (
        "completion",
        "\
Examples:
  source <(xctl completion bash)         in ~/.bashrc
  source <(xctl completion zsh)          in ~/.zshrc
  xctl completion fish | source          in ~/.config/fish/config.fish",
    ),
];

/// The command line, with its help put in order.
pub(crate) fn command() -> Command {
    let mut command = Cli::command();
    for (name, examples) in EXAMPLES_OF {
        command = command.mut_subcommand(name, |command| command.after_help(*examples));
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{}\nOptions:\n{{options}}\n\n{EXAMPLES}",
        groups(&command)
    );
    command.help_template(template)
}

fn groups(command: &Command) -> String {
    let known = |name: &&&str| command.get_subcommands().any(|it| it.get_name() == **name);
    let width = command.get_subcommands().map(|it| it.get_name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for (heading, names) in GROUPS {
        let names: Vec<&&str> = names.iter().filter(known).collect();
        if names.is_empty() {
            continue;
        }
        // Writing to a String does not fail.
        let _ = write!(text, "\n{heading}:\n");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group_and_has_words() {
        let command = Cli::command();
        for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            let name = subcommand.get_name();
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(groups, 1, "{name} is in {groups} groups");
            assert!(subcommand.get_about().is_some(), "{name} says nothing of itself");
        }
        super::command().debug_assert();
        let help = super::command().render_help().to_string();
        assert!(help.contains("\nSee what is there:\n  get "), "{help}");
        assert!(help.contains("why it is not running") && !help.contains("__complete"), "{help}");
    }
}
