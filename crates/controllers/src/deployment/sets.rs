//! A Deployment's ReplicaSets in memory: the current one and the old ones, with what is
//! asked of each now. Nothing is written before [`Sets::write`].

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::well_known;

use super::{Bounds, COMPONENT, status, template};
use crate::counts;
use crate::plan::Plan;
use crate::resources::REPLICA_SETS;
use crate::view::View;

/// One ReplicaSet.
pub(super) struct Set {
    /// As stored; `None` for one that is yet to be created.
    stored: Option<Object>,
    /// As it shall be.
    pub(super) object: Object,
    /// Was scaled, though perhaps not to another number.
    touched: bool,
}

impl Set {
    fn stored(object: Object) -> Self {
        Self { stored: Some(object.clone()), object, touched: false }
    }

    /// The replicas it is asked for.
    pub(super) fn replicas(&self) -> i64 {
        counts::replicas(&self.object)
    }

    /// Of those, the ones known to be available.
    pub(super) fn available(&self) -> i64 {
        counts::status(&self.object, "availableReplicas").min(self.replicas())
    }

    /// Asks it for another number.
    pub(super) fn scale(&mut self, replicas: i64) {
        self.object.set(&["spec", "replicas"], replicas.max(0));
        self.touched = true;
    }

    /// Of how many replicas it was a part when it was last scaled.
    pub(super) fn annotated(&self, key: &str) -> Option<i64> {
        self.object.annotation(key)?.parse().ok()
    }

    fn created(&self) -> (&str, &str) {
        (self.object.text(&["metadata", "creationTimestamp"]), self.object.name())
    }
}

/// All of them.
pub(super) struct Sets {
    /// That of the current template, if it exists.
    pub(super) current: Option<Set>,
    /// All others, the oldest first.
    pub(super) old: Vec<Set>,
}

impl Sets {
    /// Sorts what a Deployment owns. Should two be of the current template, the older is
    /// the one. A set that was made for this template stays the one even when its own
    /// template was changed on the way into the store: making another would never end.
    pub(super) fn new(deployment: &Object, owned: Vec<Object>) -> Self {
        let mut old: Vec<Set> = owned.into_iter().map(Set::stored).collect();
        old.sort_by(|a, b| a.created().cmp(&b.created()));
        let hash = template::hash(deployment);
        let same = old.iter().position(|set| template::is_same(deployment, &set.object));
        let made = || old.iter().position(|set| set.object.text(&template::HASH_LABEL) == hash);
        let current = same.or_else(made);
        let current = current.map(|index| old.remove(index));
        Self { current, old }
    }

    /// Every set, the old ones first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.current)
    }

    /// Every set, the old ones first.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Set> {
        self.old.iter_mut().chain(&mut self.current)
    }

    /// The replicas that all sets are asked for together.
    pub(super) fn replicas(&self) -> i64 {
        self.all().map(Set::replicas).sum()
    }

    /// The current set's revision.
    pub(super) fn revision(&self) -> Option<String> {
        let current = self.current.as_ref()?;
        current.object.annotation(well_known::REVISION).map(str::to_owned)
    }

    /// Makes sure that there is a current set with the newest revision. `false` when its
    /// name is taken: then the collision count in `new` has gone up, for another name.
    pub(super) fn find_or_make(&mut self, view: &dyn View, new: &mut Object, now: Timestamp) -> bool {
        let newest = self.old.iter().map(|set| template::revision(&set.object)).max().unwrap_or_default() + 1;
        if let Some(current) = &mut self.current {
            if template::revision(&current.object) < newest {
                template::raise_revision(&mut current.object, newest);
            }
            template::copy_settings(new, &mut current.object);
            status::note_found(new, current.object.name(), now);
            return true;
        }
        let hash = template::hash(new);
        if view.get(REPLICA_SETS, new.namespace(), &template::name(new, &hash)).is_some() {
            let count = counts::status(new, "collisionCount");
            new.set(&["status", "collisionCount"], count + 1);
            return false;
        }
        let object = template::make(new, &hash, newest);
        status::note_created(new, object.name(), now);
        self.current = Some(Set { stored: None, object, touched: true });
        true
    }

    /// Writes what changed, the current set first.
    pub(super) fn write(&mut self, deployment: &Object, bounds: &Bounds, plan: &mut Plan) {
        for set in self.current.iter_mut().chain(&mut self.old) {
            let was = set.stored.as_ref().map_or(0, counts::replicas);
            if set.touched || set.replicas() > 0 {
                set.object.set(&["metadata", "annotations", template::DESIRED], bounds.replicas.to_string());
                set.object.set(&["metadata", "annotations", template::MOST], bounds.most().to_string());
            }
            match &set.stored {
                None => plan.create(set.object.clone()),
                Some(stored) => plan.update(stored, set.object.clone()),
            }
            let is = set.replicas();
            if is != was {
                let direction = if is > was { "up" } else { "down" };
                let name = set.object.name();
                let message = format!("Scaled {direction} replica set {name} from {was} to {is}");
                plan.record(COMPONENT, deployment, "ScalingReplicaSet", message);
            }
        }
    }
}
