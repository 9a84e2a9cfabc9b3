//! What is in a Secret is told to its pods and to nobody else: not by `describe`, not in
//! events, not in errors, not in any log.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xebec_tests::demo::Demo;

use super::{apply, is_ready, run, until, until_event};

const VALUE: &str = "correct-horse-battery-staple";

const PODS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: vault}
stringData: {password: correct-horse-battery-staple}
---
apiVersion: v1
kind: Pod
metadata: {name: keeper}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: vault, secret: {secretName: vault}}]
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/busybox, sleep, "1000"]
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: vault, key: password}}}]
      volumeMounts: [{name: vault, mountPath: /vault}]
---
apiVersion: v1
kind: Pod
metadata: {name: seeker}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/busybox, sleep, "1000"]
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: vault, key: passwort}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: misuser}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [$(PASSWORD)]
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: vault, key: password}}}]
"#;

pub(crate) fn they_are_never_told(demo: &Demo) {
    apply(demo, PODS);
    until(demo, "pod", "keeper", is_ready);
    let both = run(demo, "keeper", "echo $PASSWORD; cat /vault/password").expect("the pod has it");
    assert_eq!(both, format!("{VALUE}\n{VALUE}"));
    until_event(demo, "seeker", "Failed Error: couldn't find key passwort in Secret default/vault");
    // The one whose error could name the value: its command is what stands in it.
    until(demo, "pod", "misuser", |pod| {
        let state = &pod["status"]["containerStatuses"][0];
        let states = [&state["state"]["terminated"], &state["lastState"]["terminated"]];
        states.iter().any(|ended| ended["reason"] == "StartError")
            || !state["state"]["waiting"]["message"].is_null()
    });
    let broken = demo.dir().join("broken.yaml");
    let twice =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: vault}}\ndata: {{password: {VALUE}}}\n");
    fs::write(&broken, twice).expect("the demo's folder is there");
    let refused = demo.xctl_output(&["apply", "-f", &broken.display().to_string()]).expect("xctl starts");
    assert!(!refused.status.success(), "it is no base64");

    let mut told = vec![
        ("the refusal", String::from_utf8_lossy(&refused.stderr).into_owned()),
        ("the log", fs::read_to_string(demo.dir().join("single/log")).expect("a log")),
    ];
    for (what, args) in [
        ("describe secret", &["describe", "secret", "vault"][..]),
        ("describe pods", &["describe", "pods"]),
        ("get secrets", &["get", "secrets", "-o", "wide"]),
        ("pods", &["get", "pods", "-o", "yaml"]),
        ("events", &["get", "events", "-o", "yaml"]),
    ] {
        told.push((what, demo.xctl(args).expect(what)));
    }
    let encoded = STANDARD.encode(VALUE);
    for (what, text) in told {
        let found = text.lines().find(|line| line.contains(VALUE) || line.contains(&encoded));
        assert_eq!(found, None, "{what} tells it");
    }
    demo.xctl(&["delete", "pod", "keeper", "seeker", "misuser"]).expect("deletes");
}
