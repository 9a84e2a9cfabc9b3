//! What `xctl` does together with other programs: completion, as bash, zsh and fish do it, with
//! the names of the cluster's own objects; `edit` with an editor; `diff` with diff.

use std::path::PathBuf;
use std::process::Command;

use xebec_tests::masters::Masters;
use xebec_tests::programs;
use xebec_tests::terminal::Terminal;

/// Runs the completion function on a line and prints what it offers.
const DRIVER: &str = r#"
set -u
source <("$XCTL" completion bash)
IFS=' ' read -r -a COMP_WORDS <<<"xctl $1"
if [[ $1 == *' ' || -z $1 ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMPREPLY=()
_xctl
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_offers_commands_kinds_and_the_names_of_what_is_there() {
    let masters = painted();
    let offered = |line: &str| offered(&masters, line);
    assert_eq!(offered("wh"), ["why"]);
    assert_eq!(offered("rollout un"), ["undo"]);
    assert_eq!(offered("get deploym"), ["deployments"]);
    assert_eq!(offered("get configmaps pa"), ["paint", "paper"]);
    assert_eq!(offered("why configmap/pai"), ["configmap/paint"]);
    assert_eq!(offered("get -n sh"), ["shop"]);
    assert_eq!(offered("get -n shop configmaps pa"), [""], "it has none of these");
    assert_eq!(offered("patch cm paint --type js"), ["json"]);
    assert_eq!(offered("apply --file"), ["--filename"]);
}

#[test]
fn fish_offers_the_same() {
    let masters = painted();
    let offered = |line: &str| {
        let mut command = Command::new("fish");
        let script =
            format!("source ({} completion fish | psub); complete -C {line:?}", link(&masters).display());
        command.args(["--no-config", "-c", &script]).env("KUBECONFIG", masters.kubeconfig());
        let output = command.output().expect("fish starts (packages: fish)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered("xctl wh"), ["why"]);
    assert_eq!(offered("xctl rollout un"), ["undo"]);
    assert_eq!(offered("xctl get configmaps pa"), ["paint", "paper"]);
    assert_eq!(offered("xctl why configmap/pai"), ["configmap/paint"]);
    assert_eq!(offered("xctl get -n sh"), ["shop"]);
    assert_eq!(offered("xctl apply --file"), ["--filename"]);
}

/// Who asks what a script does must not find a cluster booted, or ended.
#[test]
fn scripts_say_how_they_are_used() {
    let run = |script: &str, option: &str| {
        let path = format!("{}/../scripts/{script}", env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("bash").arg(path).arg(option).output().expect("bash starts");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.success(), text)
    };
    let (understood, text) = run("up.sh", "--help");
    assert!(understood && text.starts_with("Boots a whole cluster") && text.contains("--single"), "{text}");
    let (understood, text) = run("up.sh", "--singel");
    assert_eq!(
        (understood, text.as_str()),
        (false, "error: up.sh takes nothing, or --single: not --singel\n")
    );
    let (understood, text) = run("down.sh", "--help");
    assert!(understood && text.starts_with("Ends what up.sh began."), "{text}");
}

/// At a real prompt, with a real tabulator.
#[test]
fn zsh_completes_the_same() {
    let masters = painted();
    let mut command = Command::new("zsh");
    command.args(["-f", "-i"]).env("KUBECONFIG", masters.kubeconfig()).env("TERM", "dumb");
    let mut terminal = Terminal::run(&command, 24, 200);
    let program = link(&masters).display().to_string();
    // The script asks the program by its path, so that the command may say what it was given.
    terminal.types(&format!(
        "autoload -U compinit && compinit -u -D; source <({program} completion zsh); xctl() {{ print \"got:$*.\" }}; \
         print rea''dy\n"
    ));
    terminal.shows("ready");
    for (typed, wanted) in [
        ("wh\t", "why"),
        ("rollout un\tweb", "rollout undo web"),
        ("get deploym\t", "get deployments"),
        ("why configmap/pai\t", "why configmap/paint"),
        ("get -n sh\tpods", "get -n shop pods"),
        ("apply --filen\tx", "apply --filename x"),
    ] {
        terminal.types(&format!("xctl {typed}\n"));
        terminal.shows(&format!("got:{wanted}."));
    }
    terminal.types("exit 0\n");
    assert!(terminal.ends().success(), "{}", terminal.screen());
}

/// A master that has something to offer.
fn painted() -> Masters {
    let masters = Masters::one();
    for name in ["paint", "paper"] {
        masters.xctl().run(&["create", "configmap", name]).expect("creates");
    }
    masters.xctl().run(&["create", "namespace", "shop"]).expect("creates");
    masters
}

/// The program by the name that its users run it by.
fn link(masters: &Masters) -> PathBuf {
    let link = masters.dir().join("xctl");
    if !link.exists() {
        std::os::unix::fs::symlink(programs::xctl().get_program(), &link).expect("linked");
    }
    link
}

#[test]
fn an_editor_changes_an_object_and_diff_tells_of_changes() {
    let masters = Masters::one();
    masters.xctl().run(&["create", "configmap", "paint", "--from-literal", "color=red"]).expect("creates");
    let edit = |editor: &str| {
        let mut command = programs::xctl();
        command.arg("--kubeconfig").arg(masters.kubeconfig()).args(["edit", "cm", "paint"]);
        let output = command.env("KUBE_EDITOR", editor).output().expect("starts");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!(edit("sed -i s/red/blue/"), "configmap/paint edited\n");
    assert_eq!(edit("true"), "Edit cancelled, no changes made.\n");
    let refused = edit("sed -i s/^data:/dta:/");
    assert!(refused.contains("dta: unknown field (did you mean \"data\"?)"), "{refused}");
    let kept = refused.trim_end().rsplit_once("your text is kept in ").expect("it is kept").1;
    assert!(std::fs::read_to_string(kept).expect("a file").contains("\ndta:"), "{refused}");
    std::fs::remove_dir_all(std::path::Path::new(kept).parent().expect("its folder")).expect("removed");
    assert!(edit("false").contains("nothing was changed"));

    let manifest = masters.dir().join("paint.yaml");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: paint}\ndata: {color: green}\n";
    std::fs::write(&manifest, text).expect("written");
    let file = manifest.display().to_string();
    let diff = masters.xctl().output(&["diff", "-f", &file]).expect("runs");
    let told = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert_eq!(diff.status.code(), Some(1), "{told}");
    assert!(told.contains("-  color: blue\n+  color: green\n"), "{told}");
    masters.xctl().run(&["apply", "-f", &file]).expect("applies");
    let diff = masters.xctl().output(&["diff", "-f", &file]).expect("runs");
    assert_eq!((diff.status.code(), diff.stdout.as_slice()), (Some(0), &b""[..]));
}

fn offered(masters: &Masters, line: &str) -> Vec<String> {
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", DRIVER, "bash", line]).env("XCTL", link(masters));
    let output = command.env("KUBECONFIG", masters.kubeconfig()).output().expect("bash starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}
