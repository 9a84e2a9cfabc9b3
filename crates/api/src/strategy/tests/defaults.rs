//! Defaults, as the Kubernetes API reference gives them.

use expect_test::expect;
use serde_json::json;

use super::{admitted, change_refused, object, pretty, row};

#[test]
fn a_pod_gets_what_kubernetes_gives_it() {
    let pod = admitted(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"hostNetwork": true, "volumes": [{"name": "tmp"}, {"name": "cfg", "configMap": {"name": "c"}}],
            "containers": [{"name": "a", "image": "registry:5000/web:1",
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"httpGet": {"port": 80}},
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "0.5"}}},
                {"name": "b", "image": "web"}]}}),
    );
    expect![[r#"
        {
          "apiVersion": "v1",
          "kind": "Pod",
          "metadata": {
            "name": "a",
            "namespace": "b"
          },
          "spec": {
            "containers": [
              {
                "env": [
                  {
                    "name": "N",
                    "valueFrom": {
                      "fieldRef": {
                        "apiVersion": "v1",
                        "fieldPath": "spec.nodeName"
                      }
                    }
                  }
                ],
                "image": "registry:5000/web:1",
                "imagePullPolicy": "IfNotPresent",
                "name": "a",
                "ports": [
                  {
                    "containerPort": 80,
                    "hostPort": 80,
                    "protocol": "TCP"
                  }
                ],
                "readinessProbe": {
                  "failureThreshold": 3,
                  "httpGet": {
                    "path": "/",
                    "port": 80,
                    "scheme": "HTTP"
                  },
                  "periodSeconds": 10,
                  "successThreshold": 1,
                  "timeoutSeconds": 1
                },
                "resources": {
                  "limits": {
                    "cpu": "1",
                    "memory": "1Gi"
                  },
                  "requests": {
                    "cpu": "500m",
                    "memory": "1Gi"
                  }
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File"
              },
              {
                "image": "web",
                "imagePullPolicy": "Always",
                "name": "b",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File"
              }
            ],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": true,
            "hostNetwork": true,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
            "volumes": [
              {
                "emptyDir": {},
                "name": "tmp"
              },
              {
                "configMap": {
                  "defaultMode": 420,
                  "name": "c"
                },
                "name": "cfg"
              }
            ]
          },
          "status": {
            "phase": "Pending",
            "qosClass": "Burstable"
          }
        }"#]]
    .assert_eq(&pretty(&pod));
}

#[test]
fn a_deployment_gets_what_kubernetes_gives_it() {
    let deployment = admitted(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "web:1"}]}}}}));
    expect![[r#"
        {
          "apiVersion": "apps/v1",
          "kind": "Deployment",
          "metadata": {
            "name": "a",
            "namespace": "b"
          },
          "spec": {
            "progressDeadlineSeconds": 600,
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "selector": {
              "matchLabels": {
                "app": "a"
              }
            },
            "strategy": {
              "rollingUpdate": {
                "maxSurge": "25%",
                "maxUnavailable": "25%"
              },
              "type": "RollingUpdate"
            },
            "template": {
              "metadata": {
                "labels": {
                  "app": "a"
                }
              },
              "spec": {
                "containers": [
                  {
                    "image": "web:1",
                    "imagePullPolicy": "IfNotPresent",
                    "name": "a",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File"
                  }
                ],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30
              }
            }
          }
        }"#]]
    .assert_eq(&pretty(&deployment));
}

#[test]
fn a_service_gets_what_kubernetes_gives_it() {
    let service = admitted(&json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"type": "NodePort", "sessionAffinity": "ClientIP", "ports": [{"port": 80}]}}));
    expect![[r#"
        {
          "apiVersion": "v1",
          "kind": "Service",
          "metadata": {
            "name": "a",
            "namespace": "b"
          },
          "spec": {
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": [
              "IPv4"
            ],
            "ipFamilyPolicy": "SingleStack",
            "ports": [
              {
                "port": 80,
                "protocol": "TCP",
                "targetPort": 80
              }
            ],
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {
              "clientIP": {
                "timeoutSeconds": 10800
              }
            },
            "type": "NodePort"
          },
          "status": {
            "loadBalancer": {}
          }
        }"#]]
    .assert_eq(&pretty(&service));
}

#[test]
fn a_service_keeps_its_address_and_node_ports_over_an_update() {
    let service = |kind: &str, allocated: bool| {
        let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"type": kind, "ports": [{"port": 80, "name": "x"}, {"port": 443, "name": "y"}]}});
        if allocated {
            service["spec"]["clusterIP"] = json!("10.43.0.9");
            service["spec"]["ports"][0]["nodePort"] = json!(30_080);
        }
        service
    };
    let old = admitted(&service("NodePort", true));
    let carried = |kind: &str| {
        let mut new = object(&service(kind, false));
        let strategy = row(&new).strategy;
        strategy.prepare_update(&mut new, &old);
        strategy.default_fields(&mut new);
        let spec = |field: &str| new.get(&["spec", field]).cloned().unwrap_or_default().to_string();
        [spec("clusterIP"), spec("clusterIPs"), spec("ports")].join(" ")
    };
    expect![[r#""10.43.0.9" ["10.43.0.9"] [{"name":"x","nodePort":30080,"port":80,"protocol":"TCP","targetPort":80},{"name":"y","port":443,"protocol":"TCP","targetPort":443}]"#]].assert_eq(&carried("NodePort"));
    expect![[r#""10.43.0.9" ["10.43.0.9"] [{"name":"x","port":80,"protocol":"TCP","targetPort":80},{"name":"y","port":443,"protocol":"TCP","targetPort":443}]"#]].assert_eq(&carried("ClusterIP"));
    expect![[r#"null null [{"name":"x","port":80,"protocol":"TCP","targetPort":80},{"name":"y","port":443,"protocol":"TCP","targetPort":443}]"#]].assert_eq(&carried("ExternalName"));
    let mut other = service("NodePort", true);
    other["spec"]["clusterIP"] = json!("10.43.0.10");
    expect![[r#"
        spec.clusterIPs[0]: Invalid value: ["10.43.0.10"]: may not change once set
    "#]]
    .assert_eq(&change_refused(&other, &service("NodePort", true)));
}

#[test]
fn a_secrets_plain_texts_become_data() {
    let secret =
        admitted(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"},
        "data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new"}}));
    expect![[r#"{"apiVersion":"v1","data":{"a":"bmV3","b":"b2xk"},"kind":"Secret","metadata":{"name":"a","namespace":"b"},"type":"Opaque"}"#]].assert_eq(&String::from_utf8_lossy(&secret.to_json()));
}

#[test]
fn jobs_and_namespaces_get_what_kubernetes_gives_them() {
    let job = admitted(&json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "a", "namespace": "b", "uid": "u"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b:1"}]}}}}));
    expect![[r#"{"matchLabels":{"batch.kubernetes.io/controller-uid":"u"}}"#]]
        .assert_eq(&job.get(&["spec", "selector"]).cloned().unwrap_or_default().to_string());
    let namespace = admitted(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}));
    expect![[r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{"kubernetes.io/metadata.name":"a"},"name":"a"},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#]].assert_eq(&String::from_utf8_lossy(&namespace.to_json()));
}

#[test]
fn a_gated_pod_says_so_from_the_start() {
    let pod = |gates: serde_json::Value| {
        admitted(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"schedulingGates": gates, "containers": [{"name": "a", "image": "web"}]}}))
    };
    let gated = json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates"}]);
    assert_eq!(pod(json!([{"name": "example.com/quota"}])).get(&["status", "conditions"]), Some(&gated));
    assert_eq!(pod(json!([])).get(&["status", "conditions"]), None);
}
