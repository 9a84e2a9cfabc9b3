//! `why`, the decision: from an object and what stands around it to one paragraph that says
//! why it is not what its user wants, and what would have to change. Pure: the facts are
//! gathered elsewhere, the answer is printed elsewhere.
//!
//! One file a kind or a cause. A kind whose trouble lies in another follows it: a Service to
//! its pods, an Ingress to its Service, so that the last sentence is about what to mend.

mod claim;
mod config;
mod container;
mod crash;
mod explanation;
mod facts;
mod generic;
mod image;
mod ingress;
mod job;
mod namespace;
pub(crate) mod near;
mod node;
mod pod;
mod probe;
mod reference;
mod service;
mod terminating;
mod unscheduled;
mod uses;
mod wording;
mod workload;

#[cfg(test)]
mod tests;

use xebec_api::object::Object;

pub(crate) use explanation::Explanation;
pub(crate) use facts::{Facts, LogOf};

/// Why an object is as it is.
pub(crate) fn explain(facts: &Facts, object: &Object) -> Explanation {
    match object.kind() {
        "Pod" => pod::explain(facts, object),
        "Namespace" => namespace::explain(facts, object),
        _ if object.is_terminating() => terminating::any(facts, object),
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => workload::explain(facts, object),
        "Job" => job::job(facts, object),
        "CronJob" => job::cron_job(facts, object),
        "Service" => service::explain(facts, object),
        "Ingress" => ingress::explain(facts, object),
        "Node" => node::explain(facts, object),
        "PersistentVolumeClaim" => claim::explain(facts, object),
        "ConfigMap" | "Secret" => config::explain(facts, object),
        _ => generic::explain(facts, object),
    }
}

/// What is said of an object that is not there: the name that was probably meant, and who
/// waits for it.
pub(crate) fn absent(facts: &Facts, kind: &str, namespace: &str, name: &str) -> Vec<String> {
    let names = facts.all(kind).filter(|object| object.namespace() == namespace).map(Object::name);
    let near = near::name(name, names).map(|near| format!("There is one named {near}."));
    near.into_iter().chain(config::wanted_by(facts, kind, namespace, name)).collect()
}
