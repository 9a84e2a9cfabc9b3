//! A container that ends, or is ended, again and again: how its last run ended, who ended
//! it, and when the next one begins.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::time;

use super::container::Container;
use super::explanation::Explanation;
use super::facts::{Facts, LogOf};
use super::probe;
use super::wording::{ago, count, named, quoted, text};
use crate::seen;

/// Lines of its log that are shown.
const LINES: usize = 3;
/// Said of a container whose log is empty.
const SILENT: &str = "It printed nothing.";

/// Why it does not stay up.
pub(super) fn explain(facts: &Facts, pod: &Object, container: &Container<'_>) -> Explanation {
    if let Some(condemned) = probe::condemned(facts, pod, container) {
        let lead = format!("{}: its {} {}.", named(pod), container.named(), restarted(container));
        return condemned(lead).because_if(next_try(facts, container));
    }
    let Some(ended) = container.ended() else { return never_ran(pod, container) };
    let how = end(ended);
    let lasted = lasted(ended).filter(|_| text(ended, "/reason") != "StartError");
    let lasted = lasted.map(|lasted| format!(" after {lasted}")).unwrap_or_default();
    let said = format!(
        "{}: its {} {}, and its last run {how}{lasted}.",
        named(pod),
        container.named(),
        restarted(container)
    );
    let explained = Explanation::ill(pod, said);
    let explained = log(facts, pod, container, explained);
    let silent = explained.reasons.iter().any(|reason| reason == SILENT);
    explained.because_if(next_try(facts, container)).fix(remedy(pod, container, ended, silent))
}

/// `, last 5m ago, when it was killed …`; nothing when nobody said how.
pub(super) fn last_end(facts: &Facts, container: &Container<'_>) -> String {
    let Some(ended) = container.ended() else { return String::new() };
    let ago = ago(text(ended, "/finishedAt"), facts.now);
    ago.map(|ago| format!(", last {ago} ago, when its run {}", end(ended))).unwrap_or_default()
}

fn restarted(container: &Container<'_>) -> String {
    match usize::try_from(container.restarts()).unwrap_or_default() {
        0 => "does not stay up".to_owned(),
        times => format!("was restarted {}", count(times, "time")),
    }
}

fn code(ended: &Value) -> i64 {
    ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default()
}

/// How a run ended.
fn end(ended: &Value) -> String {
    let signal = ended.get("signal").and_then(Value::as_i64);
    match (text(ended, "/reason"), code(ended), signal) {
        ("OOMKilled", code, _) => {
            format!(
                "was ended by the kernel for using more memory than its limit (OOMKilled, exit code {code})"
            )
        }
        ("StartError", _, _) => format!("could not begin: {}", quoted(text(ended, "/message"))),
        (_, 0, _) => "ended by itself, without an error (exit code 0)".to_owned(),
        (_, code, Some(signal)) => format!("was ended by {} (exit code {code})", signal_name(signal)),
        (_, code @ 129..=192, None) => {
            format!("was ended by {} (exit code {code})", signal_name(code - 128))
        }
        (_, code, None) => format!("ended with exit code {code}"),
    }
}

fn signal_name(number: i64) -> String {
    let signal =
        i32::try_from(number).ok().and_then(|number| nix::sys::signal::Signal::try_from(number).ok());
    signal.map_or_else(|| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

fn lasted(ended: &Value) -> Option<String> {
    let [start, end] = ["/startedAt", "/finishedAt"].map(|pointer| time::parse(text(ended, pointer)));
    Some(time::human_duration(end?.as_second() - start?.as_second()))
}

/// What it printed last; asks for it where that is not known yet.
fn log(facts: &Facts, pod: &Object, container: &Container<'_>, explained: Explanation) -> Explanation {
    let of = LogOf {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        uid: pod.uid().to_owned(),
        container: container.name().to_owned(),
        previous: container.is_running(),
    };
    match facts.log(&of) {
        None => Explanation { wanted_log: Some(of), ..explained },
        Some([]) => explained.because(SILENT),
        Some(lines) => {
            let lines = &lines[lines.len().saturating_sub(LINES)..];
            explained.because(format!("The last it printed: {}.", lines.join(" ⏎ ").trim_end_matches('.')))
        }
    }
}

/// When it is tried again, from the back-off that its state names.
fn next_try(facts: &Facts, container: &Container<'_>) -> Option<String> {
    let message = container.says("/state/waiting/message");
    let pause = message.strip_prefix("back-off ")?.split_whitespace().next()?;
    let pause = crate::durations::parse(pause).ok()?.as_secs();
    let finished = time::parse(text(container.ended()?, "/finishedAt"))?.as_second();
    let left = finished + i64::try_from(pause).ok()? - facts.now;
    Some(match left {
        ..=0 => "The next try is due now.".to_owned(),
        left => format!("The next try is in {}.", time::human_duration(left)),
    })
}

fn never_ran(pod: &Object, container: &Container<'_>) -> Explanation {
    let message = quoted(container.says("/state/waiting/message"));
    Explanation::ill(pod, format!("{} cannot start its {}: {message}.", named(pod), container.named()))
        .fix("Correct the container's command, args or image.")
}

/// What helps against such an end.
fn remedy(pod: &Object, container: &Container<'_>, ended: &Value, silent: bool) -> String {
    let (name, limit) = (container.name(), text(container.spec, "/resources/limits/memory"));
    let init = if container.init { "init container" } else { "container" };
    match (text(ended, "/reason"), code(ended)) {
        ("OOMKilled", _) if !limit.is_empty() => format!(
            "Raise resources.limits.memory of {init} {name}, which is {limit}, or have it use less memory."
        ),
        ("OOMKilled", _) => "Give it a node with more memory, or have it use less.".to_owned(),
        ("StartError", _) | (_, 126 | 127) => {
            format!("Correct command or args of {init} {name}: they name what its image does not have.")
        }
        (_, 0) if pod.text(&["spec", "restartPolicy"]) == "Always" => format!(
            "Have {init} {name} run something that goes on, or make it a Job (or set restartPolicy to OnFailure) if \
             it is meant to end."
        ),
        _ if silent => format!("Try the command of {init} {name} by hand, or have it print what it does."),
        _ => {
            let previous = if container.is_running() { " --previous" } else { "" };
            let logs = format!("`xctl logs {} -c {name}{previous}`", pod.name());
            format!("Its log says why it ended: {logs}.")
        }
    }
}

/// Whether an event is not older than the last end of a container.
pub(super) fn is_about_last_end(event: &Object, container: &Container<'_>) -> bool {
    let started = container.ended().map_or("", |ended| text(ended, "/startedAt"));
    time::parse(seen::last(event)) >= time::parse(started)
}
