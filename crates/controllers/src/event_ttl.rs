//! Events are kept for an hour after they last happened, as in Kubernetes. One key stands
//! for all of them, and is looked at once a minute.

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::EVENTS;
use crate::view::View;

const KEPT: Duration = Duration::from_secs(3600);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// So many at most are deleted in one plan; the next one follows soon.
const BURST: usize = 200;
const SOON: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct EventTtl;

impl Controller for EventTtl {
    fn name(&self) -> &'static str {
        "event-ttl"
    }

    fn keys(&self, _view: &dyn View, _resource: &str, _object: &Object) -> Vec<ObjectKey> {
        Vec::new()
    }

    fn reconcile(&self, view: &dyn View, _key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let mut old = view.list(EVENTS, None);
        old.retain(|event| age(event, now) >= KEPT);
        for event in old.iter().take(BURST) {
            plan.delete(EVENTS, event);
        }
        plan.requeue(if old.len() > BURST { SOON } else { LOOK_AGAIN });
        plan
    }

    fn initial(&self, _view: &dyn View) -> Vec<ObjectKey> {
        vec![ObjectKey::new(EVENTS, "", "*")]
    }
}

/// Since it last happened, by whichever of its times is the latest.
fn age(event: &Object, now: Timestamp) -> Duration {
    let paths: [&[&str]; 4] = [
        &["metadata", "creationTimestamp"],
        &["lastTimestamp"],
        &["eventTime"],
        &["series", "lastObservedTime"],
    ];
    let last = paths.iter().filter_map(|path| event.text(path).parse::<Timestamp>().ok()).max();
    last.map_or(Duration::ZERO, |last| Duration::try_from(now.duration_since(last)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
