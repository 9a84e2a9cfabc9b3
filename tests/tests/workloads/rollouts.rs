//! Rollouts: history with its causes, back to a revision, paused, out of time; and those of
//! DaemonSets.

use anyhow::ensure;
use serde_json::{Value, json};
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

use super::{SOON, apply, until};

const CAUSE: &str = "kubernetes.io/change-cause";
const REVISION: &str = "deployment.kubernetes.io/revision";

fn deployment(version: &str, replicas: u32, paused: bool) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, annotations: {{{CAUSE}: "version {version}"}}}}
spec:
  replicas: {replicas}
  paused: {paused}
  progressDeadlineSeconds: 5
  selector: {{matchLabels: {{app: web}}}}
  strategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: xebec.local/busybox:1
          command: [/bin/busybox, sleep, "1000"]
          env: [{{name: VERSION, value: "{version}"}}]
          readinessProbe: {{exec: {{command: [/bin/sh, -c, "test $VERSION != broken"]}}, periodSeconds: 1, timeoutSeconds: 10}}
"#
    )
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let mut all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Everything is of the newest template and available.
fn is_done(deployment: &Value) -> bool {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let counts = ["replicas", "updatedReplicas", "availableReplicas"];
    deployment["metadata"]["generation"] == status["observedGeneration"]
        && counts.into_iter().all(|count| status[count] == spec["replicas"])
}

/// `REVISION CAUSE VERSION REPLICAS` of each ReplicaSet, by revision.
fn sets(demo: &Demo) -> Vec<String> {
    let sets = demo.xctl_json(&["get", "replicasets", "-l", "app=web"]).expect("the sets");
    let mut lines: Vec<String> = sets["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|set| {
            let annotation = |key: &str| set["metadata"]["annotations"][key].as_str().unwrap_or_default();
            let env = &set["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
            let replicas = &set["spec"]["replicas"];
            format!(
                "{} {} {} {replicas}",
                annotation(REVISION),
                annotation(CAUSE),
                env.as_str().unwrap_or("none")
            )
        })
        .collect();
    lines.sort();
    lines
}

pub(crate) fn a_deployment_goes_forth_and_back(demo: &Demo) {
    for version in ["1", "2", "3"] {
        apply(demo, &deployment(version, 2, false));
        until(demo, "deployment", "web", is_done);
    }
    assert_eq!(sets(demo), ["1 version 1 1 0", "2 version 2 2 0", "3 version 3 3 2"]);
    demo.xctl(&["rollout", "undo", "deployment/web", "--to-revision=1"]).expect("goes back");
    until(demo, "deployment", "web", |web| is_done(web) && web["metadata"]["annotations"][REVISION] == "4");
    let versions: Vec<String> = sets(demo).into_iter().filter(|line| line.ends_with(" 2")).collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert!(versions[0].starts_with("4 ") && versions[0].ends_with(" 1 2"), "{versions:?}");

    apply(demo, &deployment("broken", 2, false));
    let web = until(demo, "deployment", "web", |web| condition(web, "Progressing")["status"] == "False");
    assert_eq!(condition(&web, "Progressing")["reason"], "ProgressDeadlineExceeded");
    assert_eq!(condition(&web, "Available")["status"], "True", "what was there serves on");
    apply(demo, &deployment("2", 2, false));
    until(demo, "deployment", "web", is_done);
}

pub(crate) fn a_paused_deployment_scales_and_nothing_else(demo: &Demo) {
    apply(demo, &deployment("paused", 3, true));
    let web = until(demo, "deployment", "web", |web| web["status"]["availableReplicas"] == 3);
    assert_eq!(condition(&web, "Progressing")["reason"], "DeploymentPaused");
    let serving: Vec<String> = sets(demo).into_iter().filter(|line| !line.ends_with(" 0")).collect();
    assert!(serving.len() == 1 && serving[0].ends_with(" 2 3"), "{serving:?}");
    apply(demo, &deployment("paused", 3, false));
    until(demo, "deployment", "web", is_done);
    let serving: Vec<String> = sets(demo).into_iter().filter(|line| !line.ends_with(" 0")).collect();
    assert!(serving.len() == 1 && serving[0].ends_with(" paused 3"), "{serving:?}");
    demo.xctl(&["delete", "deployment", "web"]).expect("deletes");
}

fn daemon_set(version: &str) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent, annotations: {{{CAUSE}: "version {version}"}}}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  updateStrategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: xebec.local/busybox:1
          command: [/bin/busybox, sleep, "1000"]
          env: [{{name: VERSION, value: "{version}"}}]
"#
    )
}

pub(crate) fn a_daemon_set_keeps_its_revisions(demo: &Demo) {
    for version in ["1", "2"] {
        apply(demo, &daemon_set(version));
        until(demo, "daemonset", "agent", |set| {
            let status = &set["status"];
            set["metadata"]["generation"] == status["observedGeneration"]
                && status["updatedNumberScheduled"] == 1
                && status["numberAvailable"] == 1
        });
    }
    eventually("one pod, of the new template", SOON, || {
        let pods = demo.xctl_json(&["get", "pods", "-l", "app=agent"])?;
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        let versions: Vec<&Value> =
            pods.iter().map(|pod| &pod["spec"]["containers"][0]["env"][0]["value"]).collect();
        ensure!(versions == [&json!("2")], "{versions:?}");
        Ok(())
    });
    let revisions = demo.xctl_json(&["get", "controllerrevisions", "-l", "app=agent"]).expect("revisions");
    let mut told: Vec<String> = revisions["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| {
            format!("{} {}", it["revision"], it["metadata"]["annotations"][CAUSE].as_str().unwrap_or("none"))
        })
        .collect();
    told.sort();
    assert_eq!(told, ["1 version 1", "2 version 2"]);
    demo.xctl(&["delete", "daemonset", "agent"]).expect("deletes");
}
