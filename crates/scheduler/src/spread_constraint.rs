//! How evenly a pod's like are to be spread: one of its topology spread constraints, with the
//! rules of
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::pod_term::{narrowed_selector, text};
use crate::{NodeInfo, PodInfo};

/// A constraint.
#[derive(Clone, Debug)]
pub(crate) struct SpreadConstraint {
    /// The label of nodes that says which domain each is of.
    pub(crate) topology_key: String,
    /// So many more than the domain with the fewest has, one may have.
    pub(crate) max_skew: i64,
    /// With fewer domains than these the fewest counts as none.
    pub(crate) min_domains: usize,
    /// Whose number is meant; `None` is nobody's.
    pub(crate) selector: Option<LabelSelector>,
    /// Nodes count that the pod's node affinity allows, and no others.
    pub(crate) honors_affinity: bool,
    /// Nodes count whose taints the pod tolerates, and no others.
    pub(crate) honors_taints: bool,
}

impl SpreadConstraint {
    /// Those of a pod for which this is to happen where they cannot hold: `DoNotSchedule` or
    /// `ScheduleAnyway`.
    pub(crate) fn all(pod: &Object, when_unsatisfiable: &str) -> Vec<Self> {
        let path = ["spec", "topologySpreadConstraints"];
        let all = pod.get(&path).and_then(Value::as_array).into_iter().flatten();
        let meant = all.filter(|constraint| text(constraint, "whenUnsatisfiable") == when_unsatisfiable);
        meant.map(|constraint| Self::of(pod, constraint)).collect()
    }

    fn of(pod: &Object, constraint: &Value) -> Self {
        let number = |field: &str| constraint.get(field).and_then(Value::as_u64).unwrap_or(1);
        Self {
            topology_key: text(constraint, "topologyKey"),
            max_skew: i64::try_from(number("maxSkew")).unwrap_or(i64::MAX),
            min_domains: usize::try_from(number("minDomains")).unwrap_or(usize::MAX),
            selector: narrowed_selector(pod, constraint),
            honors_affinity: text(constraint, "nodeAffinityPolicy") != "Ignore",
            honors_taints: text(constraint, "nodeTaintsPolicy") == "Honor",
        }
    }

    /// The pods on a node that count for a pod: those on their way out do not.
    pub(crate) fn like(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let counts = |other: &PodInfo| {
            !other.leaving && other.namespace == pod.namespace && other.is_selected(self.selector.as_ref())
        };
        let count = node.residents.iter().filter(|other| counts(other)).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }
}
