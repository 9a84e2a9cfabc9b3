//! The rolling update of a DaemonSet, at most so many nodes at a time. Without `maxSurge` a
//! pod of an older template goes first and is then made anew; with it the new one comes
//! first, and the old one goes once the new one is available.

use std::collections::BTreeMap;

use xebec_api::object::Object;

use super::place::Placement;
use super::{Rollout, Site, remove};
use crate::hash::{Fnv, suffix};
use crate::plan::Plan;
use crate::{counts, pods};

/// The label that says which template a pod was made from.
pub(super) const HASH: &str = "controller-revision-hash";

/// The hash of the set's template, told apart from others by the collision count.
pub(super) fn hash(set: &Object) -> String {
    let mut hash = Fnv::default();
    let template = set.get(&["spec", "template"]).map(ToString::to_string).unwrap_or_default();
    hash.write(template.as_bytes());
    if let Some(count) = counts::number(set, &["status", "collisionCount"]) {
        hash.write(&count.to_be_bytes());
    }
    suffix(hash.finish(), 10)
}

/// The template that a pod, or a revision, is of.
pub(super) fn hash_of(object: &Object) -> String {
    object.text(&["metadata", "labels", HASH]).to_owned()
}

fn rolls(set: &Object) -> bool {
    set.text(&["spec", "updateStrategy", "type"]) != "OnDelete"
}

/// How many nodes may have a pod of each template at a time.
fn most_surge(set: &Object, nodes: i64) -> i64 {
    let limit = set.get(&["spec", "updateStrategy", "rollingUpdate", "maxSurge"]);
    counts::scaled(limit, "0", nodes, true)
}

/// Whether the new pod comes before the old one goes.
pub(super) fn surges(set: &Object) -> bool {
    rolls(set) && most_surge(set, 100) > 0
}

/// Takes the steps that the bounds allow now; the nodes that get a pod beside their old one.
pub(super) fn roll(
    rollout: &Rollout<'_>,
    sites: &mut BTreeMap<String, Site>,
    plan: &mut Plan,
) -> Vec<String> {
    if !rolls(rollout.set) {
        return Vec::new();
    }
    if surges(rollout.set) {
        return surge(rollout, sites, plan);
    }
    replace(rollout, sites, plan);
    Vec::new()
}

fn wanted(sites: &mut BTreeMap<String, Site>) -> Vec<(&String, &mut Site)> {
    sites.iter_mut().filter(|(_, site)| site.placement == Placement::Wanted).collect()
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Deletes old pods: those that are not available anyway, and of the others as many as
/// may be missing.
fn replace(rollout: &Rollout<'_>, sites: &mut BTreeMap<String, Site>, plan: &mut Plan) {
    let sites = wanted(sites);
    let limit = rollout.set.get(&["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"]);
    let missing = sites.iter().filter(|(_, site)| !site.pod().is_some_and(|pod| rollout.is_available(pod)));
    let mut allowed = counts::scaled(limit, "1", count(sites.len()), true).max(1) - count(missing.count());
    for (_, site) in sites {
        let Some(pod) = site.pod().filter(|pod| !rollout.is_current(pod)).cloned() else { continue };
        if rollout.is_available(&pod) {
            if allowed <= 0 {
                continue;
            }
            allowed -= 1;
        }
        leave(rollout, site, &pod, plan);
    }
}

/// Says on which nodes the new pod comes now, and deletes the old ones whose new one is
/// available. Where the old one is not available nothing is lost, so the bound does not count.
fn surge(rollout: &Rollout<'_>, sites: &mut BTreeMap<String, Site>, plan: &mut Plan) -> Vec<String> {
    let sites = wanted(sites);
    let mut room = most_surge(rollout.set, count(sites.len()));
    let (mut now, mut next) = (Vec::new(), Vec::new());
    for (node, site) in sites {
        let active = || site.pods.iter().filter(|pod| pods::is_active(pod));
        let new = active().find(|pod| rollout.is_current(pod)).cloned();
        let Some(old) = active().find(|pod| !rollout.is_current(pod)).cloned() else { continue };
        match new {
            Some(new) if rollout.is_available(&new) || !rollout.is_available(&old) => {
                leave(rollout, site, &old, plan);
            }
            Some(_) => room -= 1,
            None if rollout.is_available(&old) => next.push(node.clone()),
            None => now.push(node.clone()),
        }
    }
    next.truncate(usize::try_from(room).unwrap_or_default());
    now.extend(next);
    now
}

fn leave(rollout: &Rollout<'_>, site: &mut Site, pod: &Object, plan: &mut Plan) {
    remove(rollout.set, pod, plan);
    site.pods.retain(|other| other.uid() != pod.uid());
}
