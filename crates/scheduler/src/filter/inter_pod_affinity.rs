//! A pod goes only where its required pod affinity finds the pods that it wants, and where
//! neither its anti-affinity nor that of the pods which are there forbids it.

use std::collections::BTreeSet;

use crate::pod_term::PodTerm;
use crate::{Namespaces, NodeInfo, PodInfo, Refusal};

/// A topology key and the value that a node has for it.
type Domain<'a> = (&'a str, &'a str);

/// Who stands where, as one pod's terms see it, and as those of others see the pod.
pub(super) struct Neighbours<'a> {
    pod: &'a PodInfo,
    /// Where there are pods that all of its affinity selects.
    near: BTreeSet<Domain<'a>>,
    /// There are none anywhere, and it would be one of them itself: it may be the first.
    is_first: bool,
    /// Where there are pods that its anti-affinity selects.
    apart: BTreeSet<Domain<'a>>,
    /// Where there are pods whose anti-affinity selects it.
    kept_off: BTreeSet<Domain<'a>>,
}

impl<'a> Neighbours<'a> {
    pub(super) fn of(pod: &'a PodInfo, nodes: &'a [NodeInfo], namespaces: &Namespaces) -> Self {
        let (near, apart, kept_off) = Default::default();
        let mut all = Self { pod, near, is_first: false, apart, kept_off };
        let has_terms = !(pod.near.is_empty() && pod.apart.is_empty());
        for node in nodes {
            for other in node.residents.iter().filter(|_| has_terms) {
                if is_wanted(pod, other, namespaces) {
                    all.near.extend(pod.near.iter().filter_map(|term| domain(term, node)));
                }
                let apart = pod.apart.iter().filter(|term| term.selects(other, namespaces));
                all.apart.extend(apart.filter_map(|term| domain(term, node)));
            }
            for other in node.residents.iter().filter(|other| !other.apart.is_empty()) {
                let apart = other.apart.iter().filter(|term| term.selects(pod, namespaces));
                all.kept_off.extend(apart.filter_map(|term| domain(term, node)));
            }
        }
        all.is_first = all.near.is_empty() && is_wanted(pod, pod, namespaces);
        all
    }

    pub(super) fn refuse(&self, node: &NodeInfo) -> Option<Refusal> {
        let near = |term: &PodTerm| {
            let domain = domain(term, node);
            domain.is_some_and(|domain| self.is_first || self.near.contains(&domain))
        };
        let is_in = |domains: &BTreeSet<Domain<'_>>| {
            let mut labels = node.labels.iter();
            labels.any(|(key, value)| domains.contains(&(key.as_str(), value.as_str())))
        };
        if !self.pod.near.iter().all(near) {
            Some(Refusal::PodAffinity)
        } else if is_in(&self.apart) {
            Some(Refusal::PodAntiAffinity)
        } else {
            is_in(&self.kept_off).then_some(Refusal::ExistingAntiAffinity)
        }
    }
}

/// Whether another pod is what a pod's affinity, all of it, asks for.
fn is_wanted(pod: &PodInfo, other: &PodInfo, namespaces: &Namespaces) -> bool {
    !pod.near.is_empty() && pod.near.iter().all(|term| term.selects(other, namespaces))
}

fn domain<'a>(term: &'a PodTerm, node: &'a NodeInfo) -> Option<Domain<'a>> {
    let value = node.labels.get(&term.topology_key)?;
    Some((term.topology_key.as_str(), value.as_str()))
}
