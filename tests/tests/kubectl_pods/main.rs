//! kubectl's work with pods and nodes, on two real nodes: streams to and from pods, what one
//! may, rollouts with their history, scaling, waiting, descriptions, events, and a node that
//! is emptied.

mod commands;
mod logs;
mod ports;
mod rights;

use std::time::Duration;

use anyhow::ensure;
use expect_test::expect;
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::kubectl::Kubectl;
use xebec_tests::waiting::eventually;

const SOON: Duration = Duration::from_secs(60);

const PODS: &str = include_str!("pods.yaml");

#[test]
fn pods_are_worked_with_deployments_rolled_out_and_a_node_emptied() {
    let Some(demo) = Demo::up() else { return };
    let kubectl = Kubectl::new(&demo.kubeconfig());
    rights::check(&kubectl);
    streams(&demo, &kubectl);
    rollouts(&kubectl);
    descriptions(&kubectl);
    drain(&kubectl);
    demo.down();
}

/// Leaves no pod that nobody would make again, which a drain would stand before.
fn streams(demo: &Demo, kubectl: &Kubectl) {
    kubectl.with_input(&["apply", "-f", "-"], PODS).expect("applies");
    let ready = ["wait", "--for=condition=Ready", "pod/box", "pod/prompt", "pod/short", "--timeout=60s"];
    kubectl.run(&ready).unwrap_or_else(|error| panic!("{error:#}\n{}", demo.logs()));
    commands::check(demo, kubectl);
    ports::check(demo, kubectl);
    logs::check(kubectl);
    kubectl.with_input(&["delete", "-f", "-", "--timeout=60s"], PODS).expect("deletes");
}

fn says(kubectl: &Kubectl, args: &[&str], wanted: &str) {
    assert_eq!(kubectl.run(args).expect("kubectl").trim_end(), wanted, "kubectl {}", args.join(" "));
}

fn rollouts(kubectl: &Kubectl) {
    let done = "deployment \"website\" successfully rolled out";
    let status = || {
        let told = kubectl.run(&["rollout", "status", "deployment/website", "--timeout=60s"]);
        let told = told.expect("a status");
        assert_eq!(told.lines().last(), Some(done), "{told}");
    };
    status();
    says(kubectl, &["scale", "deployment/website", "--replicas=2"], "deployment.apps/website scaled");
    status();
    says(
        kubectl,
        &["wait", "--for=condition=Available", "deployment/website", "--timeout=60s"],
        "deployment.apps/website condition met",
    );
    says(
        kubectl,
        &["set", "env", "deployment/website", "COLOR=green"],
        "deployment.apps/website env updated",
    );
    status();
    says(kubectl, &["rollout", "restart", "deployment/website"], "deployment.apps/website restarted");
    status();
    let history = kubectl.run(&["rollout", "history", "deployment/website"]).expect("a history");
    expect![[r#"
        deployment.apps/website 
        REVISION  CHANGE-CAUSE
        1         <none>
        2         <none>
        3         <none>

    "#]]
    .assert_eq(&history);
    says(
        kubectl,
        &["rollout", "undo", "deployment/website", "--to-revision=1"],
        "deployment.apps/website rolled back",
    );
    status();
    let env = kubectl.run(&[
        "get",
        "deployment",
        "website",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].env}",
    ]);
    assert_eq!(env.expect("no environment"), "");
    says(kubectl, &["rollout", "pause", "deployment/website"], "deployment.apps/website paused");
    says(
        kubectl,
        &["set", "image", "deployment/website", "httpd=xebec.local/busybox:none"],
        "deployment.apps/website image updated",
    );
    says(
        kubectl,
        &["set", "image", "deployment/website", "httpd=xebec.local/busybox:1"],
        "deployment.apps/website image updated",
    );
    says(kubectl, &["rollout", "resume", "deployment/website"], "deployment.apps/website resumed");
    status();
}

fn descriptions(kubectl: &Kubectl) {
    let pods = kubectl.json(&["get", "pods", "-l", "app=website"]).expect("pods");
    let name = pods["items"][0]["metadata"]["name"].as_str().expect("a pod").to_owned();
    let told = kubectl.run(&["describe", "pod", &name]).expect("a description");
    for line in ["Status:           Running", "Controlled By:  ReplicaSet/website-", "  Normal  Started "] {
        assert!(told.contains(line), "{line:?} in {told}");
    }
    for (kind, name, line) in [
        ("deployment", "website", "StrategyType:           RollingUpdate"),
        ("service", "website", "Selector:                 app=website"),
        ("node", "n1", "PodCIDR:                      10.42."),
    ] {
        let told = kubectl.run(&["describe", kind, name]).expect("a description");
        assert!(told.contains(line), "{line:?} in {told}");
    }
    let field = format!("involvedObject.name={name}");
    let events = kubectl.json(&["get", "events", "--field-selector", &field]).expect("events");
    let reasons: Vec<&Value> =
        events["items"].as_array().expect("a list").iter().map(|event| &event["reason"]).collect();
    assert!(reasons.contains(&&"Started".into()) && reasons.contains(&&"Scheduled".into()), "{reasons:?}");
}

fn drain(kubectl: &Kubectl) {
    says(kubectl, &["cordon", "n1"], "node/n1 cordoned");
    let told = kubectl.run(&["get", "node", "n1"]).expect("a node");
    assert!(told.contains("Ready,SchedulingDisabled"), "{told}");
    let told =
        kubectl.run(&["drain", "n1", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s"]);
    let told = told.expect("drained");
    assert_eq!(told.lines().last(), Some("node/n1 drained"), "{told}");
    eventually("everything runs on the other node", SOON, || {
        let pods = kubectl.json(&["get", "pods", "--field-selector=spec.nodeName=n1"])?;
        ensure!(pods["items"] == Value::Array(Vec::new()), "{pods}");
        Ok(())
    });
    says(kubectl, &["uncordon", "n1"], "node/n1 uncordoned");
    says(kubectl, &["delete", "deployment", "website"], "deployment.apps \"website\" deleted");
    kubectl.run(&["wait", "--for=delete", "pod", "-l", "app=website", "--timeout=60s"]).expect("waits");
    let pods = kubectl.json(&["get", "pods", "-l", "app=website"]).expect("pods");
    assert_eq!(pods["items"], Value::Array(Vec::new()));
}
