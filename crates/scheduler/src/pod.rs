//! What the scheduler knows of a pod.

use std::collections::BTreeMap;

use serde_json::Value;
use xebec_api::node_affinity::NodeAffinity;
use xebec_api::object::Object;
use xebec_api::pod::{Resources, is_terminal, node_name, requests};
use xebec_api::selector::LabelSelector;
use xebec_api::taint::{Toleration, tolerations};

use crate::pod_term::PodTerm;
use crate::ports::{HostPort, host_ports};
use crate::spread_constraint::SpreadConstraint;

/// A pod that waits for a node, or has one.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// `spec.priority`: higher goes first.
    pub(crate) priority: i64,
    /// `metadata.creationTimestamp`: among equals, older goes first.
    pub(crate) created: String,
    /// `spec.nodeName`, when the pod names its node itself.
    pub(crate) node_name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) affinity: NodeAffinity,
    /// Its required pod affinity.
    pub(crate) near: Vec<PodTerm>,
    /// Its required pod anti-affinity.
    pub(crate) apart: Vec<PodTerm>,
    /// Pods that it would rather be near, by a weight, or away from, by one below zero.
    pub(crate) drawn: Vec<(i128, PodTerm)>,
    /// Its topology spread constraints that must hold.
    pub(crate) spread: Vec<SpreadConstraint>,
    /// Its topology spread constraints that need not.
    pub(crate) even: Vec<SpreadConstraint>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) requests: Resources,
    pub(crate) ports: Vec<HostPort>,
    /// The uid of its controller: pods of one owner are spread.
    pub(crate) owner: String,
    /// It is on its way out.
    pub(crate) leaving: bool,
}

impl PodInfo {
    /// Reads a pod.
    #[must_use]
    pub fn from_object(pod: &Object) -> Self {
        Self {
            namespace: pod.namespace().into(),
            name: pod.name().into(),
            uid: pod.uid().into(),
            priority: pod.get(&["spec", "priority"]).and_then(Value::as_i64).unwrap_or_default(),
            created: pod.text(&["metadata", "creationTimestamp"]).to_owned(),
            node_name: node_name(pod).unwrap_or_default().to_owned(),
            labels: pod.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            affinity: NodeAffinity::of(pod),
            near: PodTerm::required(pod, "podAffinity"),
            apart: PodTerm::required(pod, "podAntiAffinity"),
            drawn: drawn(pod),
            spread: SpreadConstraint::all(pod, "DoNotSchedule"),
            even: SpreadConstraint::all(pod, "ScheduleAnyway"),
            tolerations: tolerations(pod),
            requests: requests(pod),
            ports: host_ports(pod),
            owner: pod.controller_uid().unwrap_or_default().to_owned(),
            leaving: pod.is_terminating(),
        }
    }

    /// Whether a selector selects it by its labels; none selects nobody.
    pub(crate) fn is_selected(&self, selector: Option<&LabelSelector>) -> bool {
        let labels = self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        selector.is_some_and(|selector| selector.matches_labels(labels))
    }
}

fn drawn(pod: &Object) -> Vec<(i128, PodTerm)> {
    let away = PodTerm::preferred(pod, "podAntiAffinity").into_iter();
    let away = away.map(|(weight, term)| (-weight, term));
    PodTerm::preferred(pod, "podAffinity").into_iter().chain(away).collect()
}

/// Whether a pod waits for this scheduler: it has no node, has not ended, is not on its
/// way out, is not gated, and asked for no other scheduler.
#[must_use]
pub fn is_pending(pod: &Object) -> bool {
    let gated = pod.get(&["spec", "schedulingGates"]).and_then(Value::as_array);
    node_name(pod).is_none()
        && !pod.is_terminating()
        && !is_terminal(pod)
        && gated.is_none_or(Vec::is_empty)
        && matches!(pod.text(&["spec", "schedulerName"]), "" | "default-scheduler")
}
