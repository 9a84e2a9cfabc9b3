//! Columns, as kubectl shows them.

use expect_test::expect;
use serde_json::{Value, json};

use super::{NOW, object, row};
use crate::table_view::{cells, headers};

fn table(objects: &[Value], wide: bool) -> String {
    let objects: Vec<_> = objects.iter().map(object).collect();
    let row = row(&objects[0]);
    let mut lines = vec![headers(row, wide, false).join(" | ")];
    lines.extend(objects.iter().map(|object| cells(row, object, wide, false, NOW).join(" | ")));
    lines.join("\n")
}

fn pod(status: Value, extra: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "b", "creationTimestamp": "2026-11-24T09:55:00Z"},
        "spec": {"nodeName": "n1", "containers": [{"name": "a"}, {"name": "b"}]}, "status": status});
    for (path, value) in extra.as_object().into_iter().flatten() {
        *pod.pointer_mut(path.rsplit_once('/').expect("a path").0).expect("a parent") = {
            let mut parent =
                pod.pointer(path.rsplit_once('/').expect("a path").0).cloned().expect("a parent");
            parent[path.rsplit_once('/').expect("a path").1] = value.clone();
            parent
        };
    }
    pod
}

fn running(name: &str, ready: bool, restarts: i64) -> Value {
    json!({"name": name, "ready": ready, "restartCount": restarts, "state": {"running": {}}})
}

#[test]
fn the_status_of_a_pod_is_kubectls() {
    let waiting = |name: &str, reason: &str| json!({"name": name, "state": {"waiting": {"reason": reason}}});
    let ended = |reason: &str, code: i64, signal: i64| json!({"name": "a", "state": {"terminated": {"reason": reason, "exitCode": code, "signal": signal}}});
    let mut crashed = waiting("a", "CrashLoopBackOff");
    crashed["restartCount"] = json!(4);
    crashed["lastState"] = json!({"terminated": {"finishedAt": "2026-11-24T09:59:30Z"}});
    let init = json!({"/spec/initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]});
    let statuses =
        |statuses: Value| json!({"phase": "Running", "podIP": "10.42.0.7", "containerStatuses": statuses});
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let pods = [
        pod(json!({}), json!({})),
        pod(statuses(json!([running("a", true, 0), running("b", true, 2)])), json!({})),
        pod(statuses(json!([crashed, running("b", true, 0)])), json!({})),
        pod(
            statuses(json!([waiting("a", "ImagePullBackOff"), waiting("b", "ContainerCreating")])),
            json!({}),
        ),
        pod(statuses(json!([ended("", 3, 0)])), json!({})),
        pod(statuses(json!([ended("", 137, 9)])), json!({})),
        pod(statuses(json!([ended("OOMKilled", 137, 9)])), json!({})),
        pod(statuses(json!([ended("Completed", 0, 0), running("b", true, 0)])), json!({})),
        pod(
            statuses(json!([ended("Completed", 0, 0), running("b", true, 0)])),
            json!({"/status/conditions": ready}),
        ),
        pod(
            json!({"phase": "Succeeded", "containerStatuses": [ended("Completed", 0, 0)]}),
            json!({"/metadata/deletionTimestamp": "x"}),
        ),
        pod(statuses(json!([running("a", true, 0)])), json!({"/metadata/deletionTimestamp": "x"})),
        pod(json!({"phase": "Failed", "reason": "Evicted"}), json!({})),
        pod(
            json!({"phase": "Pending", "initContainerStatuses": [waiting("i", "PodInitializing")]}),
            init.clone(),
        ),
        pod(
            json!({"phase": "Pending", "initContainerStatuses": [waiting("i", "ErrImagePull")]}),
            init.clone(),
        ),
        pod(json!({"phase": "Pending", "initContainerStatuses": [ended("Error", 1, 0)]}), init.clone()),
        pod(
            json!({"phase": "Running", "initContainerStatuses": [ended("Completed", 0, 0),
            {"name": "s", "started": true, "ready": true, "restartCount": 1}],
            "containerStatuses": [running("a", true, 0), running("b", false, 0)]}),
            init,
        ),
        pod(
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
            json!({}),
        ),
    ];
    expect![[r#"
        NAME | READY | STATUS | RESTARTS | AGE
        web | 0/2 | Pending | 0 | 5m
        web | 2/2 | Running | 2 | 5m
        web | 1/2 | CrashLoopBackOff | 4 (30s ago) | 5m
        web | 0/2 | ImagePullBackOff | 0 | 5m
        web | 0/2 | ExitCode:3 | 0 | 5m
        web | 0/2 | Signal:9 | 0 | 5m
        web | 0/2 | OOMKilled | 0 | 5m
        web | 1/2 | NotReady | 0 | 5m
        web | 1/2 | Running | 0 | 5m
        web | 0/2 | Completed | 0 | 5m
        web | 1/2 | Terminating | 0 | 5m
        web | 0/2 | Evicted | 0 | 5m
        web | 0/3 | Init:0/2 | 0 | 5m
        web | 0/3 | Init:ErrImagePull | 0 | 5m
        web | 0/3 | Init:Error | 0 | 5m
        web | 2/3 | Running | 1 | 5m
        web | 0/2 | SchedulingGated | 0 | 5m"#]]
    .assert_eq(&table(&pods, false));
    expect![[r#"
        NAME | READY | STATUS | RESTARTS | AGE | IP | NODE | NOMINATED NODE | READINESS GATES
        web | 2/2 | Running | 2 | 5m | 10.42.0.7 | n1 | <none> | <none>
        web | 1/2 | CrashLoopBackOff | 4 (30s ago) | 5m | 10.42.0.7 | n1 | <none> | <none>"#]]
    .assert_eq(&table(&pods[1..3], true));
}

fn named(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "a", "namespace": "b", "creationTimestamp": "2026-11-22T08:00:00Z"}});
    object.as_object_mut().expect("a map").extend(rest.as_object().expect("a map").clone());
    object
}

#[test]
fn workloads() {
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "a"}},
        "template": {"spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "a", "image": "b:1"}, {"name": "c", "image": "d:2"}]}}});
    let status = json!({"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1});
    for (kind, expected) in [
        (
            "Deployment",
            expect![[r#"
        NAME | READY | UP-TO-DATE | AVAILABLE | AGE | CONTAINERS | IMAGES | SELECTOR
        a | 2/3 | 3 | 1 | 2d2h | a,c | b:1,d:2 | app=a"#]],
        ),
        (
            "ReplicaSet",
            expect![[r#"
        NAME | DESIRED | CURRENT | READY | AGE | CONTAINERS | IMAGES | SELECTOR
        a | 3 | 3 | 2 | 2d2h | a,c | b:1,d:2 | app=a"#]],
        ),
        (
            "StatefulSet",
            expect![[r#"
        NAME | READY | AGE | CONTAINERS | IMAGES
        a | 2/3 | 2d2h | a,c | b:1,d:2"#]],
        ),
    ] {
        expected.assert_eq(&table(&[named("apps/v1", kind, json!({"spec": spec, "status": status}))], true));
    }
    let status = json!({"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberReady": 1});
    let daemon_set = named("apps/v1", "DaemonSet", json!({"spec": spec, "status": status}));
    expect![[r#"
        NAME | DESIRED | CURRENT | READY | UP-TO-DATE | AVAILABLE | NODE SELECTOR | AGE
        a | 2 | 2 | 1 | 0 | 0 | disk=ssd | 2d2h"#]]
    .assert_eq(&table(&[daemon_set], false));
    let job = |status: Value| {
        named("batch/v1", "Job", json!({"spec": {"completions": 2, "parallelism": 1}, "status": status}))
    };
    let jobs = [
        job(json!({})),
        job(json!({"startTime": "2026-11-24T09:00:00Z", "succeeded": 1})),
        job(
            json!({"startTime": "2026-11-24T09:00:00Z", "completionTime": "2026-11-24T09:00:42Z", "succeeded": 2,
            "conditions": [{"type": "Complete", "status": "True"}]}),
        ),
    ];
    expect![[r#"
        NAME | STATUS | COMPLETIONS | DURATION | AGE
        a | Running | 0/2 |  | 2d2h
        a | Running | 1/2 | 60m | 2d2h
        a | Complete | 2/2 | 42s | 2d2h"#]]
    .assert_eq(&table(&jobs, false));
}

#[test]
fn services_and_slices() {
    let service = |spec: Value| named("v1", "Service", json!({"spec": spec}));
    let services = [
        service(
            json!({"type": "ClusterIP", "clusterIP": "10.43.0.1", "ports": [{"port": 443, "protocol": "TCP"}]}),
        ),
        service(json!({"type": "NodePort", "clusterIP": "10.43.0.2", "selector": {"app": "web"},
            "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]})),
        service(json!({"type": "ClusterIP", "clusterIP": "None"})),
        service(json!({"type": "LoadBalancer", "clusterIP": "10.43.0.3", "ports": []})),
        service(json!({"type": "ExternalName", "externalName": "example.com"})),
    ];
    expect![[r#"
        NAME | TYPE | CLUSTER-IP | EXTERNAL-IP | PORT(S) | AGE | SELECTOR
        a | ClusterIP | 10.43.0.1 | <none> | 443/TCP | 2d2h | <none>
        a | NodePort | 10.43.0.2 | <none> | 80:30080/TCP,53/UDP | 2d2h | app=web
        a | ClusterIP | None | <none> | <none> | 2d2h | <none>
        a | LoadBalancer | 10.43.0.3 | <pending> | <none> | 2d2h | <none>
        a | ExternalName | <none> | example.com | <none> | 2d2h | <none>"#]]
    .assert_eq(&table(&services, true));
    let slice = named(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        json!({"addressType": "IPv4", "ports": [{"port": 80}, {"name": "x"}],
        "endpoints": [{"addresses": ["10.42.0.1"]}, {"addresses": ["10.42.0.2"]}, {"addresses": ["10.42.0.3"]}, {"addresses": ["10.42.0.4"]}]}),
    );
    expect![[r#"
        NAME | ADDRESSTYPE | PORTS | ENDPOINTS | AGE
        a | IPv4 | 80,* | 10.42.0.1,10.42.0.2,10.42.0.3 + 1 more... | 2d2h
        a | IPv4 | <unset> | <unset> | 2d2h"#]]
    .assert_eq(&table(
        &[slice, named("discovery.k8s.io/v1", "EndpointSlice", json!({"addressType": "IPv4"}))],
        false,
    ));
}

#[test]
fn nodes_and_namespaces() {
    let node = |spec: Value, ready: &str| {
        let mut node = named(
            "v1",
            "Node",
            json!({"spec": spec, "status": {"conditions": [{"type": "Ready", "status": ready}],
            "addresses": [{"type": "InternalIP", "address": "10.99.0.21"}],
            "nodeInfo": {"kubeletVersion": "v1.35.0-xebec", "osImage": "Debian 12", "kernelVersion": "6.1", "containerRuntimeVersion": "xebec://0.1"}}}),
        );
        node["metadata"]["labels"] =
            json!({"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": ""});
        node
    };
    expect![[r#"
        NAME | STATUS | ROLES | AGE | VERSION | INTERNAL-IP | EXTERNAL-IP | OS-IMAGE | KERNEL-VERSION | CONTAINER-RUNTIME
        a | Ready | edge,worker | 2d2h | v1.35.0-xebec | 10.99.0.21 | <none> | Debian 12 | 6.1 | xebec://0.1
        a | NotReady,SchedulingDisabled | edge,worker | 2d2h | v1.35.0-xebec | 10.99.0.21 | <none> | Debian 12 | 6.1 | xebec://0.1
        a | Unknown | <none> | 2d2h |  | <none> | <none> | <unknown> | <unknown> | <unknown>"#]].assert_eq(&table(
        &[
            node(json!({}), "True"),
            node(json!({"unschedulable": true}), "Unknown"),
            named("v1", "Node", json!({})),
        ],
        true,
    ));
    let mut leaving = named("v1", "Namespace", json!({"status": {"phase": "Active"}}));
    leaving["metadata"]["deletionTimestamp"] = json!("x");
    expect![[r#"
        NAME | STATUS | AGE
        a | Active | 2d2h
        a | Terminating | 2d2h"#]]
    .assert_eq(&table(&[named("v1", "Namespace", json!({"status": {"phase": "Active"}})), leaving], false));
}

#[test]
fn events_secrets_and_rbac() {
    let event = named(
        "v1",
        "Event",
        json!({"type": "Warning", "reason": "BackOff", "message": "Back-off\n", "count": 3,
        "firstTimestamp": "2026-11-24T09:00:00Z", "lastTimestamp": "2026-11-24T09:59:00Z",
        "source": {"component": "agent", "host": "n1"},
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{a}"}}),
    );
    expect![[r#"
        LAST SEEN | TYPE | REASON | OBJECT | MESSAGE
        60s | Warning | BackOff | pod/web | Back-off"#]]
    .assert_eq(&table(std::slice::from_ref(&event), false));
    expect![[r#"
        LAST SEEN | TYPE | REASON | OBJECT | MESSAGE | SUBOBJECT | SOURCE | FIRST SEEN | COUNT | NAME
        60s | Warning | BackOff | pod/web | Back-off | spec.containers{a} | agent, n1 | 60m | 3 | a"#]]
    .assert_eq(&table(&[event], true));
    let secret = named("v1", "Secret", json!({"type": "Opaque", "data": {"a": "Z2VoZWlt", "b": ""}}));
    expect![[r#"
        NAME | TYPE | DATA | AGE
        a | Opaque | 2 | 2d2h"#]]
    .assert_eq(&table(&[secret], true));
    let binding = named(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        json!({"roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "ann"}, {"kind": "ServiceAccount", "name": "x", "namespace": "y"}]}),
    );
    expect![[r#"
        NAME | ROLE | AGE | USERS | GROUPS | SERVICEACCOUNTS
        a | ClusterRole/view | 2d2h | ann |  | y/x"#]]
    .assert_eq(&table(&[binding], true));
    expect![[r#"
        NAME | CREATED AT
        a | 2026-11-22T08:00:00Z"#]]
    .assert_eq(&table(&[named("rbac.authorization.k8s.io/v1", "Role", json!({}))], true));
    let ingress = named(
        "networking.k8s.io/v1",
        "Ingress",
        json!({"spec": {"ingressClassName": "x", "rules": [{"host": "c.b"}, {}, {"host": "a.b"}, {"host": "d"}, {"host": "e"}],
            "tls": [{}]}, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "n"}]}}}),
    );
    expect![[r#"
        NAME | CLASS | HOSTS | ADDRESS | PORTS | AGE
        a | x | c.b,a.b,d + 1 more... | 10.0.0.1,n | 80, 443 | 2d2h"#]]
    .assert_eq(&table(&[ingress], false));
}

#[test]
fn the_rest() {
    let autoscaler = named(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"spec": {"minReplicas": 1, "maxReplicas": 4,
        "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "metrics": [{"type": "Resource",
            "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}]}}),
    );
    expect![[r#"
        NAME | REFERENCE | TARGETS | MINPODS | MAXPODS | REPLICAS | AGE
        a | Deployment/web | cpu: <unknown>/80% | 1 | 4 | 0 | 2d2h"#]]
    .assert_eq(&table(&[autoscaler], false));
    let endpoints = named(
        "v1",
        "Endpoints",
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}, {"port": 81}]}]}),
    );
    expect![[r#"
        NAME | ENDPOINTS | AGE
        a | 10.0.0.1:80,10.0.0.1:81,10.0.0.2:80 + 1 more... | 2d2h"#]]
    .assert_eq(&table(&[endpoints], false));
    let policy = named(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
    );
    expect![[r#"
        NAME | POD-SELECTOR | AGE
        a | a=b | 2d2h"#]]
    .assert_eq(&table(&[policy], false));
    let quota = named(
        "v1",
        "ResourceQuota",
        json!({"status": {"hard": {"limits.cpu": "4", "pods": "5", "cpu": "2"}, "used": {"pods": "3", "cpu": "500m"}}}),
    );
    expect![[r#"
        NAME | REQUEST | LIMIT | AGE
        a | cpu: 500m/2, pods: 3/5 | limits.cpu: 0/4 | 2d2h"#]]
    .assert_eq(&table(&[quota], false));
    let budget = named("policy/v1", "PodDisruptionBudget", json!({"spec": {"maxUnavailable": "25%"}}));
    expect![[r#"
        NAME | MIN AVAILABLE | MAX UNAVAILABLE | ALLOWED DISRUPTIONS | AGE
        a | N/A | 25% | 0 | 2d2h"#]]
    .assert_eq(&table(&[budget], false));
    let claim = named(
        "v1",
        "PersistentVolumeClaim",
        json!({"spec": {"volumeName": "v", "storageClassName": "fast"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}}),
    );
    expect![[r#"
        NAME | STATUS | VOLUME | CAPACITY | ACCESS MODES | STORAGECLASS | VOLUMEATTRIBUTESCLASS | AGE
        a | Bound | v | 1Gi | RWO,ROX | fast | <unset> | 2d2h"#]]
    .assert_eq(&table(&[claim], false));
    let mut class = named(
        "storage.k8s.io/v1",
        "StorageClass",
        json!({"provisioner": "x", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
    );
    class["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    expect![[r#"
        NAME | PROVISIONER | RECLAIMPOLICY | VOLUMEBINDINGMODE | ALLOWVOLUMEEXPANSION | AGE
        a (default) | x | Delete | Immediate | false | 2d2h"#]]
    .assert_eq(&table(&[class], false));
    let class = json!({"value": 7, "preemptionPolicy": "Never"});
    expect![[r#"
        NAME | VALUE | GLOBAL-DEFAULT | AGE | PREEMPTIONPOLICY
        a | 7 | false | 2d2h | Never"#]]
    .assert_eq(&table(&[named("scheduling.k8s.io/v1", "PriorityClass", class)], false));
}
