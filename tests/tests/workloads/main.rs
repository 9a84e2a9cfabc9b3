//! Workloads as people know them, on a real node: how containers end and what is said of
//! it, rollouts forth and back, configuration in running pods, and secrets that stay so.

mod configuration;
mod ends;
mod own_rights;
mod rollouts;
mod secrets;

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

/// What a debug binary on a busy machine may take.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn workloads_are_as_people_know_them() {
    let Some(demo) = Demo::up_single() else { return };
    ends::containers_say_how_they_ended(&demo);
    ends::sidecars_serve_the_others(&demo);
    rollouts::a_deployment_goes_forth_and_back(&demo);
    rollouts::a_paused_deployment_scales_and_nothing_else(&demo);
    rollouts::a_daemon_set_keeps_its_revisions(&demo);
    configuration::files_have_their_owners_and_follow_the_api(&demo);
    configuration::what_is_immutable_stays(&demo);
    secrets::they_are_never_told(&demo);
    own_rights::a_pod_calls_the_api_as_its_service_account(&demo);
    demo.down();
}

fn apply(demo: &Demo, manifest: &str) {
    let file = demo.dir().join("workloads.yaml");
    fs::write(&file, manifest).expect("the demo's folder is there");
    demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
}

/// Waits for an object to be as the test wants it.
fn until(demo: &Demo, kind: &str, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{kind} {name}"), SOON, || {
        let found = demo.xctl_json(&["get", kind, name])?;
        ensure!(is_so(&found), "{:#}", found["status"]);
        Ok(found)
    })
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// `REASON MESSAGE` of every event about an object.
fn events(demo: &Demo, name: &str) -> Result<Vec<String>> {
    let events = demo.xctl_json(&["get", "events"])?;
    let all = events["items"].as_array().into_iter().flatten();
    let about = all.filter(|event| event["involvedObject"]["name"] == name);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(about.map(|event| format!("{} {}", text(&event["reason"]), text(&event["message"]))).collect())
}

fn until_event(demo: &Demo, name: &str, wanted: &str) {
    eventually(wanted, SOON, || {
        let events = events(demo, name)?;
        ensure!(events.iter().any(|event| event == wanted), "{events:#?}");
        Ok(())
    });
}

/// A shell's output in a pod's container `main`; an error where it fails.
fn run(demo: &Demo, pod: &str, command: &str) -> Result<String> {
    demo.xctl(&["exec", pod, "-c", "main", "--", "/bin/sh", "-c", command])
}
