//! A pod goes only where its topology spread constraints still hold with it.

use std::collections::BTreeMap;

use super::is_tolerated;
use crate::spread_constraint::SpreadConstraint;
use crate::{NodeInfo, PodInfo, Refusal};

/// How many of a pod's like each domain has, for each of its constraints.
pub(super) struct Spread<'a> {
    constraints: Vec<(&'a SpreadConstraint, Domains<'a>)>,
    pod: &'a PodInfo,
}

/// By the value of the topology key; those with none are there too.
type Domains<'a> = BTreeMap<&'a str, i64>;

impl<'a> Spread<'a> {
    pub(super) fn of(pod: &'a PodInfo, nodes: &'a [NodeInfo]) -> Self {
        let of = |constraint: &'a SpreadConstraint| (constraint, domains(constraint, pod, nodes));
        Self { constraints: pod.spread.iter().map(of).collect(), pod }
    }

    pub(super) fn refuse(&self, node: &NodeInfo) -> Option<Refusal> {
        self.constraints.iter().find_map(|(constraint, domains)| {
            let Some(domain) = node.labels.get(&constraint.topology_key) else {
                return Some(Refusal::TopologyLabel);
            };
            let fewest = domains.values().min().filter(|_| domains.len() >= constraint.min_domains);
            let has = domains.get(domain.as_str()).copied().unwrap_or_default();
            let itself = i64::from(self.pod.is_selected(constraint.selector.as_ref()));
            let skew = has + itself - fewest.copied().unwrap_or_default();
            (skew > constraint.max_skew).then_some(Refusal::TopologySpread)
        })
    }
}

/// Only nodes count that have the labels of all constraints, and that the pod could be on.
fn domains<'a>(constraint: &SpreadConstraint, pod: &PodInfo, nodes: &'a [NodeInfo]) -> Domains<'a> {
    let mut domains = Domains::new();
    for node in nodes {
        let complete = pod.spread.iter().all(|other| node.labels.contains_key(&other.topology_key));
        let allowed = !constraint.honors_affinity || pod.affinity.matches(&node.name, &node.labels);
        let tolerated = !constraint.honors_taints || is_tolerated(pod, node);
        if let Some(domain) = node.labels.get(&constraint.topology_key)
            && complete
            && allowed
            && tolerated
        {
            *domains.entry(domain.as_str()).or_default() += constraint.like(pod, node);
        }
    }
    domains
}
