//! A change of `spec.replicas`, also in the middle of a rollout: then every set gets its
//! share, so that the rollout goes on from where it was.

use xebec_api::object::Object;

use super::Bounds;
use super::sets::{Set, Sets};
use super::template::{DESIRED, MOST};
use crate::counts;

/// Whether a set with pods was last scaled for another number of replicas.
pub(super) fn is_due(deployment: &Object, sets: &Sets) -> bool {
    let wanted = counts::replicas(deployment);
    let mut active = sets.all().filter(|set| set.replicas() > 0);
    active.any(|set| set.annotated(DESIRED).is_some_and(|desired| desired != wanted))
}

/// Scales the one set that has pods (or the newest), or each by its share.
pub(super) fn scale(bounds: &Bounds, sets: &mut Sets) {
    let active = sets.all().filter(|set| set.replicas() > 0).count();
    if active <= 1 {
        let newest = sets.current.as_mut().filter(|current| active == 0 || current.replicas() > 0);
        let only = match newest {
            Some(current) => Some(current),
            None => sets.old.iter_mut().rev().find(|set| active == 0 || set.replicas() > 0),
        };
        if let Some(set) = only.filter(|set| set.replicas() != bounds.replicas) {
            set.scale(bounds.replicas);
        }
        return;
    }
    let saturated = |set: &Set| set.replicas() == bounds.replicas && set.available() == bounds.replicas;
    if sets.current.as_ref().is_some_and(saturated) {
        sets.old.iter_mut().filter(|set| set.replicas() > 0).for_each(|set| set.scale(0));
        return;
    }
    share(bounds, sets);
}

/// Spreads the difference over the sets in proportion to their size; what rounding
/// leaves goes to the largest.
fn share(bounds: &Bounds, sets: &mut Sets) {
    let allowed = if bounds.replicas > 0 { bounds.most() } else { 0 };
    let mut left = allowed - sets.replicas();
    let mut active: Vec<&mut Set> = sets.all_mut().filter(|set| set.replicas() > 0).collect();
    active.sort_by_key(|set| std::cmp::Reverse(set.replicas()));
    for set in &mut active {
        let fraction = share_of(set, allowed);
        let part = if left >= 0 { fraction.clamp(0, left) } else { fraction.clamp(left, 0) };
        left -= part;
        set.scale(set.replicas() + part);
    }
    if let Some(largest) = active.first_mut() {
        let sum = largest.replicas() + left;
        largest.scale(sum);
    }
}

/// By how much a set should grow for its share of `allowed` to stay what it was.
fn share_of(set: &Set, allowed: i64) -> i64 {
    let before = set.annotated(MOST).filter(|most| *most > 0).unwrap_or(allowed).max(1);
    let scaled = i128::from(set.replicas()) * i128::from(allowed);
    let before = i128::from(before);
    let rounded = (2 * scaled + before).div_euclid(2 * before);
    i64::try_from(rounded).unwrap_or(i64::MAX) - set.replicas()
}
