//! kubectl as it is, with the admin's kubeconfig as it is, on real masters.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use expect_test::{Expect, expect};
use serde_json::Value;
use xebec_tests::kubectl::Kubectl;
use xebec_tests::masters::Masters;

const SETTINGS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {app: web}
data:
  color: green
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"#;

/// What kubectl prints, with ages and addresses taken out.
fn stable(text: &str) -> String {
    let cell = |word: &str| {
        let number = word.trim_end_matches(['s', 'm', 'h', 'd']);
        let age =
            number.len() < word.len() && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        if age {
            "AGE".to_owned()
        } else if word.starts_with("10.43.") {
            "CLUSTER-IP".to_owned()
        } else {
            word.to_owned()
        }
    };
    text.lines().map(|line| line.split_whitespace().map(cell).collect::<Vec<_>>().join(" ") + "\n").collect()
}

fn prints(kubectl: &Kubectl, args: &[&str], wanted: Expect) {
    wanted.assert_eq(&stable(&kubectl.run(args).expect("kubectl")));
}

#[test]
fn objects_are_applied_shown_changed_watched_and_deleted() {
    let masters = Masters::one();
    let kubectl = masters.kubectl();
    let apply = &["apply", "--validate=false", "-f", "-"];
    for (text, wanted) in [
        (SETTINGS.to_owned(), "configmap/settings created\nservice/web created\n"),
        (SETTINGS.to_owned(), "configmap/settings unchanged\nservice/web unchanged\n"),
        (SETTINGS.replace("green", "blue"), "configmap/settings configured\nservice/web unchanged\n"),
        (SETTINGS.to_owned(), "configmap/settings configured\nservice/web unchanged\n"),
    ] {
        assert_eq!(kubectl.with_input(apply, &text).expect("applied"), wanted);
    }

    prints(
        &kubectl,
        &["get", "configmap,service", "-l", "app=web"],
        expect![[r#"
        NAME DATA AGE
        configmap/settings 1 AGE
    "#]],
    );
    prints(
        &kubectl,
        &["get", "service", "web", "-o", "wide"],
        expect![[r#"
        NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR
        web ClusterIP CLUSTER-IP <none> 80/TCP AGE app=web
    "#]],
    );
    prints(
        &kubectl,
        &["get", "namespaces", "-o", "name"],
        expect![[r#"
        namespace/default
        namespace/kube-node-lease
        namespace/kube-public
        namespace/kube-system
    "#]],
    );
    prints(
        &kubectl,
        &["get", "cm", "settings", "-o", "jsonpath={.data.color}{\"\\n\"}"],
        expect![[r#"
        green
    "#]],
    );
    prints(
        &kubectl,
        &["get", "cm", "-A", "-l", "app=web", "--show-labels"],
        expect![[r#"
        NAMESPACE NAME DATA AGE LABELS
        default settings 1 AGE app=web
    "#]],
    );
    let yaml = kubectl.run(&["get", "cm", "settings", "-o", "yaml"]).expect("YAML");
    assert!(yaml.starts_with("apiVersion: v1\ndata:\n  color: green\nkind: ConfigMap\n"), "{yaml}");
    let list = kubectl.json(&["get", "cm", "-l", "app=web"]).expect("JSON");
    assert_eq!((&list["kind"], &list["items"][0]["kind"]), (&"List".into(), &"ConfigMap".into()));

    let mut watch = kubectl.command(&["get", "cm", "-w", "--output-watch-events", "-l", "app=web"]);
    let mut watch = watch.stdin(Stdio::null()).spawn().expect("kubectl starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let mut line = || stable(&lines.next().expect("a line").expect("text")).trim_end().to_owned();
    assert_eq!((line(), line()), ("EVENT NAME DATA AGE".into(), "ADDED settings 1 AGE".into()));
    for (args, wanted) in [
        (&["label", "cm", "settings", "tier=front"][..], "configmap/settings labeled\n"),
        (&["annotate", "cm", "settings", "note=a b"], "configmap/settings annotated\n"),
        (
            &["patch", "cm", "settings", "--type=merge", "-p", r#"{"data": {"size": "7"}}"#],
            "configmap/settings patched\n",
        ),
        (
            &["patch", "cm", "settings", "--type=json", "-p", r#"[{"op": "remove", "path": "/data/color"}]"#],
            "configmap/settings patched\n",
        ),
        (&["delete", "cm", "settings"], "configmap \"settings\" deleted\n"),
    ] {
        assert_eq!(kubectl.run(args).expect("kubectl"), wanted, "{args:?}");
    }
    let seen: Vec<String> = (0..5).map(|_| line()).collect();
    assert_eq!(
        seen,
        [
            "MODIFIED settings 1 AGE",
            "MODIFIED settings 1 AGE",
            "MODIFIED settings 2 AGE",
            "MODIFIED settings 1 AGE",
            "DELETED settings 1 AGE"
        ]
    );
    watch.kill().and_then(|()| watch.wait()).expect("it is gone");
    assert_eq!(
        kubectl.refusal(&["get", "cm", "settings"]),
        "Error from server (NotFound): configmaps \"settings\" not found"
    );
}

#[test]
fn what_there_is_and_who_may_what_can_be_asked() {
    let masters = Masters::one();
    let kubectl = masters.kubectl();
    prints(
        &kubectl,
        &["api-versions"],
        expect![[r#"
        admissionregistration.k8s.io/v1
        apiextensions.k8s.io/v1
        apiregistration.k8s.io/v1
        apps/v1
        authentication.k8s.io/v1
        authorization.k8s.io/v1
        autoscaling/v2
        batch/v1
        certificates.k8s.io/v1
        coordination.k8s.io/v1
        discovery.k8s.io/v1
        events.k8s.io/v1
        flowcontrol.apiserver.k8s.io/v1
        metrics.k8s.io/v1beta1
        networking.k8s.io/v1
        node.k8s.io/v1
        policy/v1
        rbac.authorization.k8s.io/v1
        resource.k8s.io/v1
        scheduling.k8s.io/v1
        storage.k8s.io/v1
        v1
    "#]],
    );
    let resources = kubectl.run(&["api-resources", "-o", "name", "--verbs=list"]).expect("resources");
    let rows = xebec_api::table::all();
    let measured = xebec_api::table::measured();
    assert_eq!(resources.lines().count(), rows.len() + measured.len(), "{resources}");
    prints(
        &kubectl,
        &["api-resources", "--api-group=apps"],
        expect![[r#"
        NAME SHORTNAMES APIVERSION NAMESPACED KIND
        controllerrevisions apps/v1 true ControllerRevision
        daemonsets ds apps/v1 true DaemonSet
        deployments deploy apps/v1 true Deployment
        replicasets rs apps/v1 true ReplicaSet
        statefulsets sts apps/v1 true StatefulSet
    "#]],
    );
    let version = kubectl.json(&["version"]).expect("a version");
    assert_eq!(version["serverVersion"]["minor"], "35");
    assert_eq!(kubectl.run(&["get", "--raw", "/readyz"]).expect("ready"), "ok");

    let token = token(&kubectl);
    let own = |path: &str| {
        let url = format!("https://{}{path}", masters.client_address("m1"));
        curl(&masters, &[&url, "-H", &format!("Authorization: Bearer {token}")])
    };
    let (code, body) = own("/api/v1/namespaces/default/pods");
    assert_eq!((code.as_str(), body["reason"].as_str()), ("403", Some("Forbidden")));
    assert_eq!(own("/apis").0, "200");
}

#[test]
fn verbs_of_typed_clients_work() {
    let masters = Masters::one();
    let kubectl = masters.kubectl();
    for (args, wanted) in [
        (&["create", "namespace", "shop"][..], "namespace/shop created"),
        (&["create", "configmap", "c", "--from-literal=a=b"], "configmap/c created"),
        (&["create", "secret", "generic", "s", "--from-literal=a=b"], "secret/s created"),
        (&["create", "serviceaccount", "robot"], "serviceaccount/robot created"),
        (
            &["create", "deployment", "web", "--image=i", "--replicas=2", "--port=80"],
            "deployment.apps/web created",
        ),
        (&["create", "job", "once", "--image=i"], "job.batch/once created"),
        (
            &["create", "role", "r", "--verb=get,list", "--resource=pods"],
            "role.rbac.authorization.k8s.io/r created",
        ),
        (
            &["create", "rolebinding", "r", "--role=r", "--serviceaccount=default:robot"],
            "rolebinding.rbac.authorization.k8s.io/r created",
        ),
        (&["create", "quota", "q", "--hard=pods=3"], "resourcequota/q created"),
        (&["expose", "deployment", "web"], "service/web exposed"),
        (&["scale", "deployment/web", "--replicas=3"], "deployment.apps/web scaled"),
        (&["set", "image", "deployment/web", "i=j"], "deployment.apps/web image updated"),
    ] {
        assert_eq!(kubectl.run(args).expect("kubectl").trim_end(), wanted, "{args:?}");
    }
}

#[test]
fn a_drain_that_is_tried_out_evicts_nobody() {
    let masters = Masters::one();
    let kubectl = masters.kubectl();
    let objects = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n9"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone"},
         "spec": {"nodeName": "n9", "containers": [{"name": "a", "image": "b"}]}}]}"#;
    kubectl.with_input(&["create", "-f", "-"], objects).expect("made");
    let before = kubectl.json(&["get", "pod", "lone"]).expect("a pod");
    let told = kubectl.run(&["drain", "n9", "--dry-run=server", "--force"]).expect("tried out");
    assert_eq!(told.lines().last(), Some("node/n9 drained (server dry run)"), "{told}");
    let after = kubectl.json(&["get", "pod", "lone"]).expect("it is left alone");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"].get("deletionTimestamp"), None);
}

/// A token of the ServiceAccount `default`.
fn token(kubectl: &Kubectl) -> String {
    kubectl.run(&["create", "token", "default"]).expect("a token").trim().to_owned()
}

/// The code and the body that curl gets over HTTP/1.1.
fn curl(masters: &Masters, args: &[&str]) -> (String, Value) {
    let ca = masters.dir_of("m1").join("data/pki/ca.crt");
    let mut command = std::process::Command::new("curl");
    command.args(["--http1.1", "--silent", "--show-error", "--write-out", "\n%{http_code} %{http_version}"]);
    let output = command.arg("--cacert").arg(ca).args(args).output().expect("curl");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (body, end) = told.rsplit_once('\n').expect("the code comes last");
    let (code, version) = end.split_once(' ').expect("a code and a version");
    assert_eq!(version, "1.1");
    (code.to_owned(), serde_json::from_str(body).unwrap_or_default())
}
