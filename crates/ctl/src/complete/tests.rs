//! What is wanted where.

use super::*;

fn at(line: &str) -> Wanted {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    wanted(&words)
}

fn words(line: &str) -> Vec<String> {
    match at(line) {
        Wanted::Words(words) => words,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn names_follow_kinds() {
    assert_eq!(at("get pods we"), names("pods", ""));
    assert_eq!(at("get -n shop -o wide deploy "), names("deploy", ""));
    assert_eq!(at("why deployment/"), names("deployment", "deployment/"));
    assert_eq!(at("delete pod/a svc/b"), names("svc", "svc/"));
    assert_eq!(at("rollout status deploy we"), names("deploy", ""));
    assert_eq!(at("set image deployment/w"), names("deployment", "deployment/"));
    assert_eq!(at("logs we"), names("pods", ""));
    assert_eq!(at("exec deploy/"), names("deploy", "deploy/"));
    assert_eq!(at("drain n"), names("nodes", ""));
    assert_eq!(at("get -n "), names("namespaces", ""));
    assert_eq!(at("get --namespace=de"), names("namespaces", "--namespace="));
    assert_eq!(at("logs web -c "), Wanted::Containers { of: "web".into() });
    assert_eq!(at("config use-context "), Wanted::Contexts);
}

#[test]
fn commands_kinds_and_options_are_offered() {
    let commands = words("");
    assert!(["get", "why", "rollout", "completion"].iter().all(|it| commands.iter().any(|word| word == it)));
    assert!(!commands.iter().any(|word| word == "__complete"), "{commands:?}");
    assert!(words("rollout ").contains(&"undo".to_owned()));
    assert!(words("get po").contains(&"pods".to_owned()));
    assert!(words("get pods,se").contains(&"pods,services".to_owned()));
    assert!(words("get --").contains(&"--all-namespaces".to_owned()));
    assert!(words("get --").contains(&"--namespace".to_owned()));
    assert!(words("patch pod web --type ").contains(&"json".to_owned()));
    assert!(words("patch pod web --type=").contains(&"--type=merge".to_owned()));
    assert_eq!(words("completion "), ["bash", "zsh", "fish"]);
    assert_eq!(at("apply -f "), Wanted::Shells);
    assert_eq!(at("exec web -- l"), Wanted::Shells);
}

#[test]
fn the_namespace_of_the_line_is_asked() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(namespace(&words("get -n shop pods ")), Some("shop".to_owned()));
    assert_eq!(namespace(&words("get --namespace=shop pods ")), Some("shop".to_owned()));
    assert_eq!(namespace(&words("get pods -n")), None);
}

#[test]
fn scripts_run_the_program_that_printed_them() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = shell.script("/opt/xebec tools/xctl");
        assert!(script.contains("'/opt/xebec tools/xctl' __complete -- "), "{script}");
        assert!(!script.contains("PROGRAM"), "{script}");
    }
    assert!(Shell::Bash.script("xctl").contains("$(xctl __complete -- "));
}
