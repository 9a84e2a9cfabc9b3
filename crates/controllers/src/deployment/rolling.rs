//! The rolling update: as many steps as the bounds allow now.

use super::Bounds;
use super::sets::Sets;

/// Scales the current set up and the old ones down until neither moves. It ends: the
/// current set only grows, up to the replicas, and the old ones only shrink.
pub(super) fn step(bounds: &Bounds, sets: &mut Sets) {
    loop {
        let moved = scale_up(bounds, sets) | scale_down(bounds, sets);
        if !moved {
            return;
        }
    }
}

/// The current set takes what the others leave of the upper bound.
fn scale_up(bounds: &Bounds, sets: &mut Sets) -> bool {
    let room = bounds.most() - sets.replicas();
    let Some(current) = &mut sets.current else { return false };
    let has = current.replicas();
    let wants =
        if has > bounds.replicas { bounds.replicas } else { has + room.max(0).min(bounds.replicas - has) };
    if wants != has {
        current.scale(wants);
    }
    wants != has
}

/// The old sets give up first what is not available anyway, then what the lower bound
/// does not need, the oldest first.
fn scale_down(bounds: &Bounds, sets: &mut Sets) -> bool {
    let unavailable = sets.current.as_ref().map_or(0, |current| current.replicas() - current.available());
    let mut spare = sets.replicas() - bounds.least_available() - unavailable;
    let mut moved = false;
    for set in &mut sets.old {
        let broken = (set.replicas() - set.available()).min(spare).max(0);
        if broken > 0 {
            set.scale(set.replicas() - broken);
            spare -= broken;
            moved = true;
        }
    }
    let available: i64 = sets.all().map(super::sets::Set::available).sum();
    let mut spare = spare.min(available - bounds.least_available());
    for set in &mut sets.old {
        let gives = set.replicas().min(spare).max(0);
        if gives > 0 {
            set.scale(set.replicas() - gives);
            spare -= gives;
            moved = true;
        }
    }
    moved
}
