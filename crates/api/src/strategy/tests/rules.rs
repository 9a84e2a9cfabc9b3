//! Validation, by the whole of what it says.

use expect_test::expect;
use serde_json::{Value, json};

use super::{change_refused, refused};

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": spec})
}

fn named(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}});
    object.as_object_mut().expect("a map").extend(rest.as_object().expect("a map").clone());
    object
}

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

/// The words are Kubernetes' own, of `pkg/apis/core/validation` at 1.35.
#[test]
fn network_and_spread_of_pods() {
    let containers = json!([{"name": "a", "image": "b"}]);
    let dns = |policy: &str, config: Value| {
        refused(&pod(json!({"containers": containers, "dnsPolicy": policy, "dnsConfig": config})))
    };
    let good = json!({"nameservers": ["10.0.0.1", "fd00::1"], "searches": ["a.test.", ".", "_tcp.b_c"],
        "options": [{"name": "ndots", "value": "2"}]});
    assert_eq!(dns("None", good), "");
    expect![[r#"
        spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None
    "#]]
    .assert_eq(&dns("None", Value::Null));
    expect![[r#"
        spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None
    "#]]
    .assert_eq(&dns("None", json!({"searches": ["A"]})));
    expect![[r#"
        spec.dnsConfig.nameservers: Invalid value: ["10.0.0.1","10.0.0.2","10.0.0.3","x"]: must not have more than 3 nameservers
        spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.dnsConfig.searches[0]: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')
        spec.dnsConfig.options[0]: Required value: must not be empty
    "#]]
    .assert_eq(&dns(
        "Default",
        json!({"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "x"], "searches": ["a b."],
            "options": [{"value": "2"}]}),
    ));
    let many = |count: usize, bytes: usize| json!({"searches": vec!["a".repeat(bytes); count]});
    assert_eq!(dns("Default", many(32, 63)), "");
    assert!(dns("Default", many(33, 1)).ends_with(": must not have more than 32 search paths\n"));
    let long = dns("Default", many(32, 64));
    assert!(long.ends_with("more than 2048 characters (including spaces) in the search list\n"), "{long}");
    let ports = json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}, {"containerPort": 82, "hostPort": 8082}]);
    let spec = json!({"hostNetwork": true, "containers": [{"name": "a", "image": "b", "ports": ports}],
        "hostAliases": [{"ip": "localhost", "hostnames": ["db", "A"]}, {"hostnames": []}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Never"}]});
    let told = expect![[r#"
        spec.containers[0].ports[2].hostPort: Invalid value: 8082: must match `containerPort` when `hostNetwork` is true
        spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"
        spec.topologySpreadConstraints[3].maxSkew: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[3].topologyKey: Required value: can not be empty
        spec.topologySpreadConstraints[3].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"
        spec.hostAliases[0].ip: Invalid value: "localhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.hostAliases[0].hostnames[1]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.hostAliases[1].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
    "#]];
    told.assert_eq(&refused(&pod(spec.clone())));
    // A template leaves the ports of the host to its pods.
    let set = named(
        "apps/v1",
        "DaemonSet",
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}},
        "template": {"metadata": {"labels": {"app": "b"}}, "spec": spec}}}),
    );
    told.assert_eq(&refused(&set).replace("spec.template.spec.", "spec."));
}

#[test]
fn files_in_volumes_stand_within_them() {
    let field = json!({"fieldPath": "metadata.name"});
    let amount = json!({"containerName": "a", "resource": "limits.cpu"});
    let pod = pod(json!({"containers": [{"name": "a", "image": "b", "volumeMounts": [
            {"name": "c", "mountPath": "/c", "subPath": "x", "subPathExpr": "y"},
            {"name": "c", "mountPath": "/d", "subPath": "x"}, {"name": "c", "mountPath": "/e", "subPathExpr": "y"}]}],
        "volumes": [
            {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/../b"}, {"key": "k", "path": "..data"}]}},
            {"name": "s", "secret": {"secretName": "s", "items": [{"key": "k", "path": "../b"}, {"key": "k", "path": "a/..b"}]}},
            {"name": "d", "downwardAPI": {"defaultMode": 512, "items": [
                {"path": "name", "fieldRef": field}, {"path": "/cpu", "resourceFieldRef": amount},
                {"path": "", "fieldRef": field, "resourceFieldRef": amount}, {"path": "x", "mode": 512}]}},
            {"name": "p", "projected": {"sources": [
                {"secret": {"name": "s", "items": [{"key": "k", "path": "/k"}]}, "configMap": {"name": "c"}},
                {"configMap": {"name": ""}},
                {"downwardAPI": {"items": [{"path": "a/..", "fieldRef": field}]}},
                {"serviceAccountToken": {"path": "../token"}},
                {"serviceAccountToken": {"path": "token"}}]}}]}));
    expect![[r#"
        spec.volumes[0].configMap.items[0].path: Invalid value: "a/../b": must not contain '..'
        spec.volumes[0].configMap.items[1].path: Invalid value: "..data": must not start with '..'
        spec.volumes[1].secret.items[0].path: Invalid value: "../b": must not contain '..'
        spec.volumes[2].downwardAPI.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[2].downwardAPI.path: Invalid value: "/cpu": must be a relative path
        spec.volumes[2].downwardAPI.path: Required value
        spec.volumes[2].downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously
        spec.volumes[2].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required
        spec.volumes[2].downwardAPI.mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[3].projected.sources[0].secret.items[0].path: Invalid value: "/k": must be a relative path
        spec.volumes[3].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source
        spec.volumes[3].projected.sources[1].configMap.name: Required value
        spec.volumes[3].projected.sources[2].downwardAPI.path: Invalid value: "a/..": must not contain '..'
        spec.volumes[3].projected.path: Invalid value: "../token": must not contain '..'
        spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "y": subPathExpr and subPath are mutually exclusive
    "#]]
    .assert_eq(&refused(&pod));
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
fn workloads() {
    let template = json!({"metadata": {"labels": {"app": "b"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}});
    let deployment = named(
        "apps/v1",
        "Deployment",
        json!({"spec": {"replicas": -1, "minReadySeconds": 700,
        "selector": {"matchLabels": {"app": "a"}}, "template": template,
        "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}}),
    );
    expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds
        spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0
        spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
    "#]]
    .assert_eq(&refused(&deployment));
    let empty = named("apps/v1", "ReplicaSet", json!({"spec": {"selector": {}, "template": {}}}));
    expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid: it would select every pod
        spec.template.spec.containers: Required value
    "#]]
    .assert_eq(&refused(&empty));
    let daemon_set = named(
        "apps/v1",
        "DaemonSet",
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": template,
        "updateStrategy": {"type": "Recreate"}}}),
    );
    expect![[r#"
        spec.updateStrategy.type: Unsupported value: "Recreate": supported values: "OnDelete", "RollingUpdate"
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
    "#]]
    .assert_eq(&refused(&daemon_set));
    let job = named(
        "batch/v1",
        "Job",
        json!({"spec": {"completionMode": "Indexed", "parallelism": 2,
        "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}}),
    );
    expect![[r#"
        spec.completions: Required value: when completion mode is Indexed
        spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"
    "#]]
    .assert_eq(&refused(&job));
    let recreate = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}},
        "spec": {"containers": [{"name": "a", "image": "b"}]}}, "strategy": {"type": "Recreate", "rollingUpdate": {}}}});
    expect![[r#"
        spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'
    "#]]
    .assert_eq(&refused(&named("apps/v1", "Deployment", recreate)));
}

#[test]
fn services() {
    let bad = named(
        "v1",
        "Service",
        json!({"spec": {"clusterIP": "nowhere", "selector": {"a b": "c"},
        "externalTrafficPolicy": "Local",
        "ports": [{"port": 80, "nodePort": 30000}, {"port": 80, "name": "A"}, {"port": 0, "name": "x", "targetPort": "Web!"}]}}),
    );
    expect![[r#"
        spec.clusterIP: Invalid value: "nowhere": must be empty, 'None', or a valid IP address
        spec.ports[0].name: Required value
        spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
        spec.ports[1].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}
        spec.ports[2].port: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.ports[2].targetPort: Invalid value: "Web!": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.selector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
    "#]].assert_eq(&refused(&bad));
    let ports = json!([{"port": 80, "name": "a", "nodePort": 80}, {"port": 81, "name": "b", "nodePort": 30000}, {"port": 82, "name": "c", "nodePort": 30000}]);
    let node_port =
        named("v1", "Service", json!({"spec": {"type": "NodePort", "clusterIP": "None", "ports": ports}}));
    expect![[r#"
        spec.clusterIP: Invalid value: "None": may not be set to 'None' for NodePort services
        spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767
        spec.ports[2].nodePort: Duplicate value: 30000
    "#]].assert_eq(&refused(&node_port));
    let external = named("v1", "Service", json!({"spec": {"type": "ExternalName"}}));
    expect![[r#"
        spec.externalName: Required value
    "#]]
    .assert_eq(&refused(&external));
    assert_eq!(refused(&named("v1", "Service", json!({"spec": {"clusterIP": "None"}}))), "");
}

#[test]
fn config_maps_and_secrets() {
    let map = named("v1", "ConfigMap", json!({"data": {"a b": "c", "d": "e"}, "binaryData": {"d": "ZQ=="}}));
    expect![[r#"
        data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        binaryData[d]: Invalid value: "ZQ==": duplicate of key present in data
    "#]].assert_eq(&refused(&map));
    let large = named("v1", "ConfigMap", json!({"data": {"a": "x".repeat(1 << 20)}}));
    expect![[r#"
        data: Too long: may not be more than 1048576 bytes
    "#]]
    .assert_eq(&refused(&large));
    let tls = named("v1", "Secret", json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "ZQ=="}}));
    expect![[r#"
        data[tls.key]: Required value
    "#]]
    .assert_eq(&refused(&tls));
    let old = named("v1", "Secret", json!({"immutable": true, "data": {"a": "ZQ=="}}));
    let new = named("v1", "Secret", json!({"type": "x", "stringData": {"a": "other"}}));
    expect![[r#"
        type: Invalid value: "x": field is immutable
        immutable: Forbidden: field is immutable when `immutable` is set
        data: Forbidden: field is immutable when `immutable` is set
    "#]]
    .assert_eq(&change_refused(&new, &old));
}

#[test]
fn rbac() {
    let role = named(
        "rbac.authorization.k8s.io/v1",
        "Role",
        json!({"rules": [{"verbs": []}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
    );
    expect![[r#"
        rules[0].verbs: Required value: verbs must contain at least one value
        rules[0].apiGroups: Required value: resource rules must supply at least one api group
        rules[0].resources: Required value: resource rules must supply at least one resource
        rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs
    "#]]
    .assert_eq(&refused(&role));
    let binding = |role: &str| {
        named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"roleRef": {"kind": role, "name": "a"},
            "subjects": [{"kind": "User", "name": ""}, {"kind": "ServiceAccount", "name": "a"}, {"kind": "Robot", "name": "b"}]}),
        )
    };
    expect![[r#"
        roleRef.kind: Unsupported value: "Deployment": supported values: "ClusterRole", "Role"
        subjects[0].name: Required value
        subjects[1].namespace: Required value
        subjects[2].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"
    "#]]
    .assert_eq(&refused(&binding("Deployment")));
    expect![[r#"
        roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"a"}: cannot change roleRef
    "#]].assert_eq(&change_refused(&binding("Role"), &binding("ClusterRole")));
}

#[test]
fn the_rest() {
    let slice = named(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        json!({"addressType": "IPv4", "ports": [{"port": 80}, {"port": 70000}],
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": []}, {"addresses": ["::1"]}]}),
    );
    expect![[r#"
        endpoints[1].addresses: Required value: must contain at least 1 address
        endpoints[2].addresses[0]: Invalid value: "::1": must be a valid IPv4 address
        endpoints[2].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        ports[1].name: Duplicate value: ""
        ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive
    "#]]
    .assert_eq(&refused(&slice));
    let event = named(
        "v1",
        "Event",
        json!({"involvedObject": {"kind": "Pod", "namespace": "elsewhere", "name": "a"}}),
    );
    expect![[r#"
        involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace
    "#]]
    .assert_eq(&refused(&event));
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [
        {"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule", "value": "x"}, {"effect": "Maybe"}]}});
    expect![[r#"
        spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a","value":"x"}
        spec.taints[2].key: Required value
        spec.taints[2].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
    "#]].assert_eq(&refused(&node));
}

#[test]
fn ingresses() {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let ingress = |metadata: Value, spec: Value| {
        let mut ingress = named("networking.k8s.io/v1", "Ingress", json!({"spec": spec}));
        ingress["metadata"]["annotations"] = metadata;
        refused(&ingress)
    };
    let paths = json!([
        {"path": "x", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {}}}},
        {"path": "/a//b/../c%2f/.", "pathType": "Exact", "backend": {}},
        {"path": "/", "backend": backend},
        {"path": "/", "pathType": "Regex", "backend": {"resource": {"kind": "Bucket"}}},
        {"pathType": "ImplementationSpecific", "backend": {"service": {"name": "Web", "port": {"number": 80, "name": "http"}}}},
        {"path": "a", "pathType": "ImplementationSpecific", "backend": {"service": {"port": {"name": "a--b"}}}},
    ]);
    expect![[r#"
        metadata.annotations.kubernetes.io/ingress.class: Invalid value: "nginx": must match `ingressClassName` when both are specified
        spec.rules[0].host: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path
        spec.rules[0].http.paths[0].backend: Required value: port name or number is required
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '//'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '/../'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '%2f'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": cannot end with '/.'
        spec.rules[0].http.paths[1].backend: Invalid value: {}: resource or service backend is required
        spec.rules[0].http.paths[2].pathType: Required value: pathType must be specified
        spec.rules[0].http.paths[3].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"
        spec.rules[0].http.paths[3].backend.resource.name: Required value: name is required
        spec.rules[0].http.paths[4].backend.service.name: Invalid value: "Web": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.rules[0].http.paths[4].backend: Invalid value: {"service":{"name":"Web","port":{"name":"http","number":80}}}: cannot set both port name & port number
        spec.rules[0].http.paths[5].path: Invalid value: "a": must be an absolute path
        spec.rules[0].http.paths[5].backend.service.name: Required value
        spec.rules[0].http.paths[5].backend.service.port.name: Invalid value: "a--b": must not contain consecutive hyphens
        spec.rules[1].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
        spec.rules[2].host: Invalid value: "a.*.b": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.rules[2].http.paths: Required value
        spec.tls[0].hosts[1]: Invalid value: "*": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.tls[0].secretName: Invalid value: "A_B": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]].assert_eq(&ingress(
        json!({"kubernetes.io/ingress.class": "nginx"}),
        json!({"ingressClassName": "xebec", "rules": [
            {"host": "A", "http": {"paths": paths}}, {"host": "10.0.0.1"}, {"host": "a.*.b", "http": {"paths": []}}],
            "tls": [{"hosts": ["*.a.com", "*"], "secretName": "A_B"}]}),
    ));
    expect![[r#"
        spec.ingressClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec: Invalid value: {"ingressClassName":"A"}: either `defaultBackend` or `rules` must be specified
    "#]].assert_eq(&ingress(Value::Null, json!({"ingressClassName": "A"})));
    let good = json!({"defaultBackend": backend, "rules": [{"host": "*.a.com"}, {}], "tls": [{}]});
    expect![""].assert_eq(&ingress(json!({"kubernetes.io/ingress.class": "xebec"}), good));
}

#[test]
fn ingress_classes() {
    let class = |controller: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "a"},
            "spec": {"controller": controller}})
    };
    assert_eq!(refused(&class("xebec.io/ingress")), "");
    expect![[r#"
        spec.controller: Required value
    "#]]
    .assert_eq(&refused(&class("")));
    for bare in ["xebec", "/ingress", "xebec.io/"] {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        assert_eq!(refused(&class(bare)), format!("spec.controller: Invalid value: {bare:?}: {why}\n"));
    }
    expect![[r#"
        spec.controller: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.controller: Invalid value: "b c": Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')
    "#]]
    .assert_eq(&refused(&class("A/b c")));
    expect![[r#"
        spec.controller: Too long: may not be more than 250 bytes
    "#]]
    .assert_eq(&refused(&class(&format!("a.io/{}", "x".repeat(246)))));
    expect![[r#"
        spec.controller: Invalid value: "b.io/x": field is immutable
    "#]]
    .assert_eq(&change_refused(&class("b.io/x"), &class("a.io/x")));
}

#[test]
fn only_the_masters_may_listen_on_loopback() {
    let slice = |namespace: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "a", "namespace": namespace, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "endpoints": [{"addresses": ["127.0.0.1"]}, {"addresses": ["169.254.169.254"]}]})
    };
    assert_eq!(refused(&slice("default")), "");
    expect![[r#"
        endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        endpoints[1].addresses[0]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, 224.0.0.0/24, fe80::/10, ff02::/10)
    "#]].assert_eq(&refused(&slice("other")));
}

#[test]
fn kinds_that_no_controller_here_serves_yet() {
    let policy = named(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        json!({"spec": {"podSelector": {}, "policyTypes": ["Sideways"],
        "ingress": [{"from": [{}, {"ipBlock": {"cidr": ""}, "podSelector": {}}], "ports": [{"port": 90, "endPort": 80}]}]}}),
    );
    expect![[r#"
        spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"
        spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`
        spec.ingress[0].from[0]: Required value: must specify a peer
        spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer
        spec.ingress[0].from[1].ipBlock.cidr: Required value
    "#]]
    .assert_eq(&refused(&policy));
    let autoscaler = named(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"spec": {"minReplicas": 3, "maxReplicas": 2,
        "scaleTargetRef": {"kind": "Deployment", "name": ""}}}),
    );
    expect![[r#"
        spec.scaleTargetRef.name: Required value
        spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`
    "#]]
    .assert_eq(&refused(&autoscaler));
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
        "spec": {"group": "a.io", "scope": "Everywhere", "names": {"plural": "boats", "kind": "Boat"}, "versions": []}});
    expect![[r#"
        spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"
        metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group: boats.a.io
        spec.versions: Invalid value: []: must have exactly one version marked as storage version
    "#]]
    .assert_eq(&refused(&definition));
    let controller = named(
        "v1",
        "ReplicationController",
        json!({"spec": {"selector": {"a": "b"}, "template":
        {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}}}),
    );
    expect![[r#"
        spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`
    "#]]
    .assert_eq(&refused(&controller));
}
