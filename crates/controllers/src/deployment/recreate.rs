//! Recreate: the old pods are gone before the first new one comes.

use super::Bounds;
use super::sets::Sets;
use crate::pods;
use crate::view::View;

/// Scales the old sets to nothing; once none of their pods is left, the current one up.
pub(super) fn step(view: &dyn View, bounds: &Bounds, sets: &mut Sets) {
    for set in sets.old.iter_mut().filter(|set| set.replicas() > 0) {
        set.scale(0);
    }
    let runs = |uid: &str| {
        let owned = view.owned_by(uid);
        owned.iter().any(|object| object.kind() == "Pod" && !pods::has_ended(object))
    };
    if sets.old.iter().any(|set| runs(set.object.uid())) {
        return;
    }
    if let Some(current) = &mut sets.current
        && current.replicas() != bounds.replicas
    {
        current.scale(bounds.replicas);
    }
}
