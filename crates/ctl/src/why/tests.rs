//! Whole answers to whole situations.

mod advised;
mod config;
mod pods;
mod scheduling;
mod services;
mod workloads;

use expect_test::Expect;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::{Facts, explain};

/// Objects, and the answer about one of them.
#[derive(Default)]
struct World {
    objects: Vec<Object>,
    log: Option<Vec<String>>,
}

/// Ten minutes after everything was made.
const NOW: &str = "2026-11-24T10:10:00Z";
const MADE: &str = "2026-11-24T10:00:00Z";

impl World {
    fn with(mut self, value: Value) -> Self {
        let mut object = Object::from_json(value.to_string().as_bytes()).expect("an object");
        if object.get(&["metadata", "creationTimestamp"]).is_none() {
            object.set(&["metadata", "creationTimestamp"], MADE);
        }
        if object.uid().is_empty() {
            let uid = format!("{}-{}", object.kind(), object.name());
            object.set(&["metadata", "uid"], uid);
        }
        self.objects.push(object);
        self
    }

    fn log(mut self, lines: &[&str]) -> Self {
        self.log = Some(lines.iter().map(|line| (*line).to_owned()).collect());
        self
    }

    fn answer(&self, kind: &str, name: &str) -> super::Explanation {
        let now = xebec_api::time::parse(NOW).expect("a time").as_second();
        let mut facts = Facts::new(now);
        for kind in KINDS {
            let own = self.objects.iter().filter(|object| object.kind() == *kind).cloned();
            facts.learn(kind, own.collect());
        }
        let subject =
            self.objects.iter().find(|it| it.kind() == kind && it.name() == name).expect("it is there");
        let answer = explain(&facts, subject);
        match (answer.wanted_log.clone(), &self.log) {
            (Some(wanted), Some(lines)) => {
                facts.hear(wanted, lines.clone());
                explain(&facts, subject)
            }
            _ => answer,
        }
    }

    /// The paragraph, with a mark before those that say all is well.
    fn check(&self, what: &str, expected: &Expect) {
        let (kind, name) = what.split_once('/').expect("KIND/NAME");
        let answer = self.answer(kind, name);
        let mark = if answer.healthy { "(well) " } else { "" };
        let lines: Vec<String> = answer.reasons.iter().chain(&answer.fixes).cloned().collect();
        assert!(lines.iter().all(|line| line.ends_with('.') || line.ends_with(':')), "sentences: {lines:#?}");
        expected.assert_eq(&format!("{mark}{}", answer.paragraph()));
    }
}

const KINDS: &[&str] = &[
    "Pod",
    "Node",
    "Event",
    "Service",
    "EndpointSlice",
    "Deployment",
    "ReplicaSet",
    "DaemonSet",
    "StatefulSet",
    "ConfigMap",
    "Secret",
    "Ingress",
    "IngressClass",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "Namespace",
    "Job",
];

fn node(name: &str, cpu: &str, memory: &str) -> Value {
    json!({"kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": MADE}]}})
}

/// A pod with one container, `web`.
fn pod(name: &str) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "restartPolicy": "Always", "containers": [{"name": "web", "image": "example.com/web:1",
            "ports": [{"containerPort": 8080, "name": "http"}]}]},
        "status": {"phase": "Running"}})
}

/// The same, with its container in a state.
fn pod_in(name: &str, state: &Value, more: &Value) -> Value {
    let mut status =
        json!({"name": "web", "state": state, "ready": false, "started": false, "restartCount": 0});
    for (key, value) in more.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    let mut pod = pod(name);
    pod["status"]["containerStatuses"] = json!([status]);
    pod
}

fn ready(name: &str) -> Value {
    let running = json!({"running": {"startedAt": MADE}});
    let mut pod = pod_in(name, &running, &json!({"ready": true, "started": true}));
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "lastTransitionTime": MADE}]);
    pod
}

fn event(of: &str, reason: &str, message: &str, count: u32) -> Value {
    let (kind, name) = of.split_once('/').expect("KIND/NAME");
    json!({"kind": "Event", "metadata": {"name": format!("{name}.{reason}.{}", message.len()), "namespace": "default"},
        "involvedObject": {"kind": kind, "name": name, "namespace": "default"}, "type": "Warning", "reason": reason,
        "message": message, "count": count, "lastTimestamp": "2026-11-24T10:09:50Z"})
}

fn owned_by(mut object: Value, owner: &str) -> Value {
    let (kind, name) = owner.split_once('/').expect("KIND/NAME");
    object["metadata"]["ownerReferences"] =
        json!([{"controller": true, "kind": kind, "name": name, "uid": format!("{kind}-{name}")}]);
    object
}
