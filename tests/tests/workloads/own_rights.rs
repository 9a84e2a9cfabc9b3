//! A pod that calls the API by its Service's name, with the token and the CA that it finds
//! where every pod finds them: it may do what its ServiceAccount may, and nothing more.

use std::path::Path;

use anyhow::ensure;
use xebec_tests::demo::Demo;
use xebec_tests::program_image;
use xebec_tests::waiting::eventually;

use super::{SOON, apply, is_ready, run, until};

const CALLER: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: lister}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: list-pods}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: list-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: list-pods}
subjects: [{kind: ServiceAccount, name: lister, namespace: default}]
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec:
  serviceAccountName: lister
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: "xebec.local/curl:1", command: [/bin/busybox, sleep, "1000"]}]
"#;

const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(crate) fn a_pod_calls_the_api_as_its_service_account(demo: &Demo) {
    let node = demo.dir().join("single/data/node");
    program_image::import("curl", Path::new("/usr/bin/curl"), &node).expect("packs curl");
    apply(demo, CALLER);
    until(demo, "pod", "caller", is_ready);
    let call = |path: &str| {
        let curl = format!("/usr/bin/curl -sS --max-time 10 --cacert {FOLDER}/ca.crt -w ' %{{http_code}}'");
        let token = format!("-H \"Authorization: Bearer $(cat {FOLDER}/token)\"");
        run(demo, "caller", &format!("{curl} {token} https://kubernetes.default.svc{path}"))
    };
    eventually("its list of pods", SOON, || {
        let pods = call("/api/v1/namespaces/default/pods")?;
        ensure!(pods.ends_with(" 200") && pods.contains("\"caller\""), "{pods}");
        Ok(())
    });
    let refused = call("/api/v1/namespaces/default/secrets").expect("an answer");
    let why = "secrets is forbidden: User \\\"system:serviceaccount:default:lister\\\" cannot list resource";
    assert!(refused.ends_with(" 403") && refused.contains(why), "{refused}");
    let environment =
        run(demo, "caller", "echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT").expect("runs");
    assert_eq!(environment, "10.43.0.1:443\n");
    demo.xctl(&["delete", "pod", "caller"]).expect("deletes");
}
