//! What a pod's containers, probes and environment may say, and what may change in it.

use expect_test::expect;
use serde_json::json;

use super::super::{change_refused, refused};
use super::pod;

#[test]
fn a_good_pod_passes() {
    let pod = pod(
        json!({"containers": [{"name": "a", "image": "b:1", "ports": [{"containerPort": 80, "name": "http"}],
        "livenessProbe": {"exec": {"command": ["true"]}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "envFrom": [{"configMapRef": {"name": "c"}}], "env": [{"name": "a.b", "value": "c"}]}],
        "initContainers": [{"name": "i", "image": "b:1"}],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "x"}}],
        "tolerations": [{"operator": "Exists"}]}),
    );
    assert_eq!(refused(&pod), "");
}

#[test]
fn a_pod_without_containers() {
    expect![[r#"
        spec.containers: Required value
    "#]]
    .assert_eq(&refused(&pod(json!({}))));
}

#[test]
fn containers_that_break_every_rule() {
    let pod = pod(
        json!({"restartPolicy": "Sometimes", "dnsPolicy": "x", "terminationGracePeriodSeconds": -1,
        "nodeSelector": {"a b": "c"}, "hostname": "A", "activeDeadlineSeconds": 0,
        "containers": [
            {"name": "A", "imagePullPolicy": "Often"},
            {"name": "a", "image": " b", "ports": [{"containerPort": 70000, "name": "h"}, {"containerPort": 1, "name": "h", "protocol": "tcp"}]},
            {"name": "a", "image": "b", "volumeMounts": [{"name": "nope", "mountPath": "/x"}, {"name": "v", "mountPath": "/x", "subPath": "../y"}],
             "resources": {"limits": {"cpu": "1", "bogus": "1", "x.io/g": "1"}, "requests": {"cpu": "2", "memory": "-1", "x.io/g": "2"}}}],
        "volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "x"}}, {"name": "v", "hostPath": {"path": "", "type": "Any"}},
            {"name": "w", "configMap": {"name": "", "items": [{"key": "a b", "path": "/abs"}], "defaultMode": 4096}}],
        "tolerations": [{"key": "a", "operator": "Exists", "value": "b"}, {"value": "c"}, {"key": "a", "effect": "Never"}]}),
    );
    expect![[r#"
        spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type
        spec.volumes[1].name: Duplicate value: "v"
        spec.volumes[1].hostPath.path: Required value
        spec.volumes[1].hostPath.type: Unsupported value: "Any": supported values: "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"
        spec.volumes[2].configMap.name: Required value
        spec.volumes[2].configMap.defaultMode: Invalid value: 4096: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[2].configMap.items[0].key: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        spec.volumes[2].configMap.items[0].path: Invalid value: "/abs": must be a relative path
        spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.containers[0].image: Required value
        spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"
        spec.containers[1].image: Invalid value: " b": must not have leading or trailing whitespace
        spec.containers[1].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive
        spec.containers[1].ports[1].name: Duplicate value: "h"
        spec.containers[1].ports[1].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"
        spec.containers[2].name: Duplicate value: "a"
        spec.containers[2].volumeMounts[0].name: Not found: "nope"
        spec.containers[2].volumeMounts[1].mountPath: Invalid value: "/x": must be unique
        spec.containers[2].volumeMounts[1].subPath: Invalid value: "../y": must not contain '..'
        spec.containers[2].resources.limits[bogus]: Invalid value: "1": must be a standard resource for containers
        spec.containers[2].resources.requests[bogus]: Invalid value: "1": must be a standard resource for containers
        spec.containers[2].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0
        spec.containers[2].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1
        spec.containers[2].resources.requests: Invalid value: "2": must be less than or equal to x.io/g limit of 1
        spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"
        spec.dnsPolicy: Unsupported value: "x": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"
        spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive
        spec.hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.nodeSelector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.tolerations[0].operator: Invalid value: "Exists": value must be empty when `operator` is 'Exists'
        spec.tolerations[1].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"
        spec.tolerations[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
    "#]].assert_eq(&refused(&pod));
}

#[test]
fn probes_and_environment_that_break_every_rule() {
    let pod = pod(json!({"containers": [{"name": "a", "image": "b",
        "livenessProbe": {"httpGet": {"port": 0, "scheme": "FTP"}, "exec": {"command": ["a"]}, "successThreshold": 2},
        "readinessProbe": {"periodSeconds": -1, "terminationGracePeriodSeconds": 1},
        "startupProbe": {"tcpSocket": {"port": "Not A Port"}},
        "lifecycle": {"preStop": {"exec": {}}},
        "env": [{"name": ""}, {"name": "a=b"}, {"name": "c", "value": "d", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}},
            {"name": "e", "valueFrom": {}}, {"name": "f", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}],
        "envFrom": [{}]}],
        "initContainers": [{"name": "i", "image": "b", "readinessProbe": {"exec": {"command": ["a"]}}}]}));
    expect![[r#"
        spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always
        spec.containers[0].env[0].name: Required value
        spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='
        spec.containers[0].env[2].valueFrom: Invalid value: {"fieldRef":{"apiVersion":"v1","fieldPath":"spec.x"}}: may not be specified when `value` is not empty
        spec.containers[0].env[2].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"
        spec.containers[0].env[3].valueFrom: Invalid value: {}: must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`
        spec.containers[0].env[4].valueFrom.secretKeyRef.key: Required value
        spec.containers[0].envFrom[0]: Invalid value: {}: must specify one of: `configMapRef` or `secretRef`
        spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type
        spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1
        spec.containers[0].readinessProbe: Required value: must specify a handler type
        spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes
        spec.containers[0].startupProbe.tcpSocket.port: Invalid value: "Not A Port": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.containers[0].lifecycle.preStop.exec.command: Required value
    "#]].assert_eq(&refused(&pod));
}

#[test]
fn what_may_change_in_a_pod() {
    let old = pod(json!({"containers": [{"name": "a", "image": "b:1"}], "activeDeadlineSeconds": 10,
        "tolerations": [{"key": "a", "operator": "Exists"}]}));
    let new = pod(json!({"containers": [{"name": "a", "image": "b:2"}], "activeDeadlineSeconds": 5,
        "tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]}));
    assert_eq!(change_refused(&new, &old), "");
    let new = pod(
        json!({"containers": [{"name": "a", "image": "b:1", "command": ["x"]}], "restartPolicy": "Never",
        "activeDeadlineSeconds": 20}),
    );
    expect![[r#"
        spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value 10
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative); changed: spec.containers, spec.restartPolicy
        spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds
    "#]].assert_eq(&change_refused(&new, &old));
}

#[test]
fn affinities_say_to_what_and_how_much() {
    let affinity = json!({
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 0, "preference": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}]},
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "a b", "namespaces": ["A"], "labelSelector": {"matchLabels": {"a": "-"}}}]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 101, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}]}});
    let refused = refused(&pod(json!({"affinity": affinity, "containers": [{"name": "a", "image": "b"}]})));
    let short: Vec<&str> = refused.lines().map(|line| line.split(" must ").next().unwrap_or(line)).collect();
    expect![[r#"
        spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0:
        spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator: Unsupported value: "Near": supported values: "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels: Invalid value: "-": a valid label
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces[0]: Invalid value: "A": a lowercase RFC 1123 label
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "a b": name part
        spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101:"#]]
    .assert_eq(&short.join("\n"));
}
