//! Old ReplicaSets are kept to go back to, up to `revisionHistoryLimit` (10).

use xebec_api::object::Object;

use super::sets::Sets;
use super::{is_paused, status, template};
use crate::counts;
use crate::plan::Plan;
use crate::resources::REPLICA_SETS;

/// Deletes the oldest revisions beyond the limit, once the rollout is complete.
pub(super) fn clean_up(deployment: &Object, new: &Object, sets: &Sets, plan: &mut Plan) {
    if !status::is_complete(new) && !is_paused(deployment) {
        return;
    }
    let limit = counts::number(deployment, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let limit = usize::try_from(limit).unwrap_or_default();
    let mut empty: Vec<&Object> = sets.old.iter().map(|set| &set.object).collect();
    empty.retain(|set| {
        let settled = counts::status(set, "observedGeneration") >= set.generation();
        let unused = counts::replicas(set) == 0 && counts::status(set, "replicas") == 0;
        settled && unused && !set.is_terminating()
    });
    empty.sort_by_key(|set| template::revision(set));
    // One that leaves already, and is only waited for, takes nobody's place.
    let kept = sets.old.iter().filter(|set| !set.object.is_terminating()).count();
    let surplus = kept.saturating_sub(limit).min(empty.len());
    for set in &empty[..surplus] {
        plan.delete(REPLICA_SETS, set);
    }
}
