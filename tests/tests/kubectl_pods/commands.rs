//! Commands in containers and containers' own streams: `exec`, `attach`, `run -i`, with a
//! terminal and without, and `cp`, which is a `tar` by `exec`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::ensure;
use xebec_tests::demo::Demo;
use xebec_tests::kubectl::Kubectl;
use xebec_tests::terminal::Terminal;
use xebec_tests::waiting::eventually;

use super::SOON;

const IMAGE: &str = "--image=xebec.local/busybox:1";

pub(super) fn check(demo: &Demo, kubectl: &Kubectl) {
    commands_end_with_their_own_code(kubectl);
    what_cannot_run_is_told(kubectl);
    a_terminal_has_its_size_also_a_new_one(kubectl);
    who_attaches_is_heard(kubectl);
    a_pod_is_run_and_followed(kubectl);
    files_are_copied_both_ways(kubectl, demo.dir());
}

/// What it prints, what it says on stderr, and its exit code.
fn told(kubectl: &Kubectl, args: &[&str], input: &str) -> (String, String, Option<i32>) {
    let output = kubectl.output(args, input).expect("kubectl starts");
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (stdout, stderr, output.status.code())
}

fn texts(stdout: &str, stderr: &str, code: i32) -> (String, String, Option<i32>) {
    (stdout.to_owned(), stderr.to_owned(), Some(code))
}

fn commands_end_with_their_own_code(kubectl: &Kubectl) {
    let exec = |words: &[&str], input: &str| {
        told(kubectl, &[&["exec", "-i", "box", "-c", "server", "--"], words].concat(), input)
    };
    assert_eq!(
        exec(&["sh", "-c", "echo out; echo err >&2; exit 7"], ""),
        texts("out\n", "err\ncommand terminated with exit code 7\n", 7)
    );
    assert_eq!(exec(&["cat"], "to its end\n"), texts("to its end\n", "", 0));
    let many = "a line of some length\n".repeat(100_000);
    assert!(exec(&["cat"], &many) == texts(&many, "", 0), "two megabytes, there and back");
    let defaulted = "Defaulted container \"server\" out of: server, echo\n";
    assert_eq!(told(kubectl, &["exec", "box", "--", "true"], ""), texts("", defaulted, 0));
}

fn what_cannot_run_is_told(kubectl: &Kubectl) {
    let refused =
        |pod: &str, container: &str| kubectl.refusal(&["exec", pod, "-c", container, "--", "/nothere"]);
    assert_eq!(
        refused("box", "server"),
        "/nothere: no such file or directory\ncommand terminated with exit code 127"
    );
    assert_eq!(
        refused("box", "none"),
        "Error from server (BadRequest): container none is not valid for pod box"
    );
    assert_eq!(refused("none", "main"), "Error from server (NotFound): pods \"none\" not found");
    assert_eq!(
        refused("placeless", "main"),
        "Error from server (BadRequest): pod \"placeless\" has no node yet: see `xctl describe pod placeless` for why"
    );
    eventually("the reason why a container does not run", SOON, || {
        let wanted = "Error from server (BadRequest): container not found (\"main\"), which is waiting to start: \
                      ErrImageNeverPull";
        let told = refused("nothing", "main");
        ensure!(told == wanted, "{told}");
        Ok(())
    });
}

fn a_terminal_has_its_size_also_a_new_one(kubectl: &Kubectl) {
    let command = kubectl.command(&["exec", "-it", "box", "-c", "server", "--", "sh"]);
    let mut terminal = Terminal::run(&command, 33, 101);
    terminal.shows("# ");
    // kubectl tells the size once the command runs.
    terminal.types("until stty size | grep -q '33 101'; do :; done; echo first-$(stty size)-\n");
    terminal.shows("first-33 101-");
    terminal.resize(44, 120);
    terminal.types("until stty size | grep -q '44 120'; do :; done; echo then-$(stty size)-\n");
    terminal.shows("then-44 120-");
    // A key of the terminal's, which the shell gets and kubectl does not.
    // It speaks once it is out of the shell's line editor, which takes that key for itself.
    terminal.types("echo runs-$((6 * 6)); sleep 100000\n");
    terminal.shows("runs-36");
    terminal.types("\u{3}");
    terminal.types("echo after-$((6 * 7))\n");
    terminal.shows("after-42");
    terminal.types("exit 5\n");
    assert_eq!(terminal.ends().code(), Some(5), "{}", terminal.screen());
    assert!(terminal.screen().contains("command terminated with exit code 5"), "{}", terminal.screen());
    assert!(terminal.is_set_as_before());
}

fn who_attaches_is_heard(kubectl: &Kubectl) {
    told(kubectl, &["attach", "-i", "box", "-c", "echo"], "kubectl\n");
    eventually("the container heard it", SOON, || {
        let log = kubectl.run(&["logs", "box", "-c", "echo"])?;
        ensure!(log == "heard kubectl\n", "{log:?}");
        Ok(())
    });
    let command = kubectl.command(&["attach", "-it", "prompt"]);
    let mut terminal = Terminal::run(&command, 30, 90);
    terminal.shows("If you don't see a command prompt, try pressing enter.");
    terminal.types("until stty size | grep -q '30 90'; do :; done; echo have-$(stty size)-\n");
    terminal.shows("have-30 90-");
    terminal.types("exit 3\n");
    // The code is the pod's, and not that of who watched.
    assert_eq!(terminal.ends().code(), Some(0), "{}", terminal.screen());
    let path = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    eventually("the container's own code", SOON, || {
        let code = kubectl.run(&["get", "pod", "prompt", "-o", path])?;
        ensure!(code == "3", "{code:?}");
        Ok(())
    });
}

fn a_pod_is_run_and_followed(kubectl: &Kubectl) {
    let run = |name: &str, line: &str| {
        let args = ["run", name, "-i", "--rm", "--quiet", "--restart=Never", IMAGE, "--", "-c", line];
        told(kubectl, &args, "by hand\n")
    };
    assert_eq!(run("once", "read line; echo got $line"), texts("got by hand\n", "", 0));
    let failed = "pod default/twice terminated (Error)\n";
    assert_eq!(run("twice", "read line; echo got $line; exit 3"), texts("got by hand\n", failed, 3));
}

fn files_are_copied_both_ways(kubectl: &Kubectl, dir: &Path) {
    let (from, back) = (dir.join("cp-from"), dir.join("cp-back"));
    fs::create_dir_all(from.join("deep")).expect("the demo's folder is there");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(from.join("many"), &bytes).expect("written");
    fs::write(from.join("deep/run"), "#!/bin/sh\necho ran\n").expect("written");
    fs::set_permissions(from.join("deep/run"), PermissionsExt::from_mode(0o755)).expect("ours");
    let (from, to) = (from.display().to_string(), back.display().to_string());
    kubectl.run(&["cp", "-c", "server", &from, "default/box:/tmp/copy"]).expect("copies there");
    let ran = kubectl.run(&["exec", "box", "-c", "server", "--", "/tmp/copy/deep/run"]);
    assert_eq!(ran.expect("it is there, and may be run"), "ran\n");
    kubectl.run(&["cp", "-c", "server", "box:/tmp/copy", &to]).expect("copies back");
    assert!(fs::read(back.join("many")).expect("it is there") == bytes, "the same bytes");
    assert_eq!(fs::read_to_string(back.join("deep/run")).expect("it is there"), "#!/bin/sh\necho ran\n");
    for folder in [from, to] {
        fs::remove_dir_all(folder).expect("ours");
    }
}
