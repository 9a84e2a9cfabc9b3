//! `logs`: whole and in part, of one container and of several, of the run before, and
//! followed to the container's end.

use std::process::Stdio;

use anyhow::ensure;
use xebec_tests::kubectl::Kubectl;
use xebec_tests::waiting::eventually;

use super::SOON;

pub(super) fn check(kubectl: &Kubectl) {
    let logs = |args: &[&str]| kubectl.run(&[&["logs"], args].concat());
    eventually("the second run's log", SOON, || {
        let log = logs(&["talker", "-c", "main"])?;
        ensure!(log == "run 2\nline 2\n", "{log:?}");
        Ok(())
    });
    let says = |args: &[&str], wanted: &str| assert_eq!(logs(args).expect("a log"), wanted, "{args:?}");
    says(&["talker", "-c", "main", "--previous"], "run 1\n");
    says(&["talker"], "run 2\nline 2\n");
    says(&["talker", "-c", "side"], "beside\n");
    says(&["talker", "-c", "main", "--tail=1"], "line 2\n");
    says(&["talker", "-c", "main", "--tail=0"], "");
    says(&["talker", "-c", "main", "--limit-bytes=4"], "run ");
    says(&["talker", "-c", "main", "--since=1h"], "run 2\nline 2\n");
    says(&["talker", "-c", "main", "--since-time=2999-01-01T00:00:00Z"], "");
    let both = "[pod/talker/main] run 2\n[pod/talker/main] line 2\n[pod/talker/side] beside\n";
    says(&["talker", "--all-containers", "--prefix"], both);
    says(&["-l", "app=talker", "--all-containers", "--prefix"], both);
    says(&["-l", "app=talker", "-c", "main", "--tail=1"], "line 2\n");
    timestamps(kubectl);
    refusals(kubectl);
    a_followed_log_ends_with_its_container(kubectl);
}

/// Since a line's own time, there is that line and what came after it.
fn timestamps(kubectl: &Kubectl) {
    let log = kubectl.run(&["logs", "talker", "-c", "main", "--timestamps"]).expect("a log");
    let lines: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    let [(first, "run 2"), (second, "line 2")] = lines[..] else { panic!("{log:?}") };
    assert!(first <= second && first.starts_with("20") && second.ends_with('Z'), "{log:?}");
    let since = format!("--since-time={second}");
    // kubectl sends whole seconds.
    let seconds =
        |time: &str| time.split_once('.').map_or(time.to_owned(), |(seconds, _)| seconds.to_owned());
    let wanted = if seconds(first) == seconds(second) { "run 2\nline 2\n" } else { "line 2\n" };
    assert_eq!(kubectl.run(&["logs", "talker", "-c", "main", &since]).expect("a log"), wanted);
}

fn refusals(kubectl: &Kubectl) {
    let refused = |args: &[&str]| kubectl.refusal(&[&["logs"], args].concat());
    assert_eq!(refused(&["talker", "-c", "none"]), "error: container none is not valid for pod talker");
    assert_eq!(
        refused(&["talker", "-c", "side", "--previous"]),
        "Error from server (BadRequest): previous terminated container \"side\" in pod \"talker\" not found"
    );
    assert_eq!(
        refused(&["none"]),
        "error: error from server (NotFound): pods \"none\" not found in namespace \"default\""
    );
    assert_eq!(
        refused(&["nothing"]),
        "Error from server (BadRequest): container \"main\" in pod \"nothing\" is waiting to start: ErrImageNeverPull"
    );
}

fn a_followed_log_ends_with_its_container(kubectl: &Kubectl) {
    let follow =
        kubectl.command(&["logs", "-f", "short"]).stdin(Stdio::null()).spawn().expect("kubectl starts");
    let attached = kubectl.with_input(&["attach", "-i", "-q", "short"], "last\n").expect("attaches");
    assert_eq!(attached, "last\n");
    let output = follow.wait_with_output().expect("it ends by itself");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "first\nlast\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let over = kubectl.refusal(&["exec", "short", "--", "true"]);
    assert_eq!(over, "error: cannot exec into a container in a completed pod; current phase is Succeeded");
}
