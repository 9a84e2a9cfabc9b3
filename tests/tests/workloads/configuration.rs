//! Configuration in running pods: whose files they are, and what becomes of a change.

use anyhow::ensure;
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

use super::{SOON, apply, is_ready, run, until};

const POD: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: paint}
data: {color: red}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {key: open}
---
apiVersion: v1
kind: Pod
metadata: {name: painter}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, runAsNonRoot: true}
  volumes:
    - {name: paint, configMap: {name: paint}}
    - {name: keys, secret: {secretName: keys, defaultMode: 0400}}
    - {name: cache, emptyDir: {}}
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/busybox, sleep, "1000"]
      envFrom: [{prefix: PAINT_, configMapRef: {name: paint}}, {secretRef: {name: none, optional: true}}]
      securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts:
        - {name: paint, mountPath: /paint}
        - {name: keys, mountPath: /keys}
        - {name: cache, mountPath: /cache}
"#;

pub(crate) fn files_have_their_owners_and_follow_the_api(demo: &Demo) {
    apply(demo, POD);
    until(demo, "pod", "painter", is_ready);
    let shell = |command: &str| run(demo, "painter", command);
    assert_eq!(shell("id -u; id -g; id -G").expect("runs"), "1000\n3000\n3000 2000\n");
    assert_eq!(shell("cat /keys/key; echo $PAINT_color").expect("the group reads it"), "openred\n");
    assert_eq!(shell("touch /cache/mine; stat -c %g /cache/mine").expect("the group writes it"), "2000\n");
    shell("touch /here").expect_err("the root is read-only");
    apply(demo, &POD.replace("red", "blue"));
    eventually("the new color", SOON, || {
        let color = shell("cat /paint/color")?;
        ensure!(color == "blue", "{color}");
        Ok(())
    });
    assert_eq!(shell("echo $PAINT_color").expect("runs"), "red\n", "variables are as they were at the start");
    demo.xctl(&["delete", "pod", "painter"]).expect("deletes");
}

pub(crate) fn what_is_immutable_stays(demo: &Demo) {
    let fixed = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\nimmutable: true\ndata: {a: one}\n";
    apply(demo, fixed);
    let file = demo.dir().join("fixed.yaml");
    std::fs::write(&file, fixed.replace("one", "two")).expect("the demo's folder is there");
    let output = demo.xctl_output(&["apply", "-f", &file.display().to_string()]).expect("xctl starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("data: Forbidden: field is immutable when `immutable` is set"), "{said}");
}
