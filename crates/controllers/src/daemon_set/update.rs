//! The rolling update of a DaemonSet: pods of an older template go, at most
//! `maxUnavailable` nodes at a time, and are made anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use xebec_api::object::Object;

use super::place::Placement;
use super::{Site, min_ready, remove};
use crate::hash::{Fnv, suffix};
use crate::plan::Plan;
use crate::{counts, pods};

/// The label that says which template a pod was made from.
pub(super) const HASH: &str = "controller-revision-hash";

/// The hash of the set's template.
pub(super) fn hash(set: &Object) -> String {
    let mut hash = Fnv::default();
    let template = set.get(&["spec", "template"]).map(ToString::to_string).unwrap_or_default();
    hash.write(template.as_bytes());
    suffix(hash.finish(), 10)
}

/// Whether a pod was made from the template with this hash.
pub(super) fn is_current(pod: &Object, hash: &str) -> bool {
    pod.text(&["metadata", "labels", HASH]) == hash
}

/// Deletes old pods: those that are not available anyway, and of the others as many as
/// may be missing.
pub(super) fn roll(set: &Object, sites: &mut BTreeMap<String, Site>, now: Timestamp, plan: &mut Plan) {
    if set.text(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return;
    }
    let hash = hash(set);
    let available =
        |pod: &Object| pods::until_available(pod, min_ready(set), now).is_some_and(|wait| wait.is_zero());
    let wanted: Vec<&mut Site> =
        sites.values_mut().filter(|site| site.placement == Placement::Wanted).collect();
    let total = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let limit = set.get(&["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"]);
    let missing = wanted.iter().filter(|site| !site.pod().is_some_and(available)).count();
    let missing = i64::try_from(missing).unwrap_or(i64::MAX);
    let mut allowed = counts::scaled(limit, "1", total, true).max(1) - missing;
    for site in wanted {
        let Some(pod) = site.pod().filter(|pod| !is_current(pod, &hash)).cloned() else { continue };
        if available(&pod) {
            if allowed <= 0 {
                continue;
            }
            allowed -= 1;
        }
        remove(set, &pod, plan);
        site.pods.retain(|other| other.uid() != pod.uid());
    }
}
