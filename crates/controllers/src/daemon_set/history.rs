//! A DaemonSet's templates, each kept as a ControllerRevision, numbered in the order in
//! which they were last current. `rollout undo` puts one back as the set's template.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::CHANGE_CAUSE;

use super::update::{HASH, hash, hash_of};
use crate::counts;
use crate::owner::{candidates, claim, controller_reference};
use crate::plan::Plan;
use crate::resources::CONTROLLER_REVISIONS;
use crate::view::View;

/// Makes sure that the current template has a revision, the newest one, and that no more
/// than `revisionHistoryLimit` others are kept; those with pods always are. Gives the
/// template's hash; nothing when its revision's name is taken: then the collision count in
/// `new` has gone up, for another name.
pub(super) fn keep(
    view: &dyn View,
    new: &mut Object,
    in_use: &BTreeSet<String>,
    plan: &mut Plan,
) -> Option<String> {
    let mut revisions = claim(new, candidates(view, CONTROLLER_REVISIONS, new), plan);
    revisions.sort_by_key(number);
    let newest = revisions.last().map(number).unwrap_or_default();
    let data = data(new);
    let current = revisions.iter().rposition(|revision| revision.get(&["data"]) == Some(&data));
    let Some(current) = current.map(|index| revisions.remove(index)) else {
        let hash = hash(new);
        let revision = make(new, &hash, data, newest + 1);
        if view.get(CONTROLLER_REVISIONS, new.namespace(), revision.name()).is_some() {
            let count = counts::status(new, "collisionCount");
            new.set(&["status", "collisionCount"], count + 1);
            return None;
        }
        plan.create(revision);
        clean_up(new, &revisions, in_use, plan);
        return Some(hash);
    };
    plan.update(&current, renewed(new, current.clone(), newest));
    clean_up(new, &revisions, in_use, plan);
    Some(hash_of(&current))
}

fn number(revision: &Object) -> i64 {
    counts::number(revision, &["revision"]).unwrap_or_default()
}

/// What is to be laid over a set to have this template again.
fn data(set: &Object) -> Value {
    let mut template = set.get(&["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

fn make(set: &Object, hash: &str, data: Value, number: i64) -> Object {
    let stem: String = set.name().chars().take(253 - 1 - hash.len()).collect();
    let labels = set.get(&["spec", "template", "metadata", "labels"]).cloned();
    let mut revision = Object::default();
    revision.set(&["apiVersion"], "apps/v1");
    revision.set(&["kind"], "ControllerRevision");
    revision.set(&["metadata", "name"], format!("{stem}-{hash}"));
    revision.set(&["metadata", "namespace"], set.namespace());
    revision.set(&["metadata", "labels"], labels.unwrap_or_else(|| json!({})));
    revision.set(&["metadata", "labels", HASH], hash);
    revision.set(&["metadata", "ownerReferences"], json!([controller_reference(set)]));
    revision.set(&["data"], data);
    revision.set(&["revision"], number);
    with_cause(set, revision)
}

/// The revision as the newest one, with the cause that the set now names.
fn renewed(set: &Object, mut revision: Object, newest: i64) -> Object {
    if number(&revision) < newest {
        revision.set(&["revision"], newest + 1);
    }
    with_cause(set, revision)
}

fn with_cause(set: &Object, mut revision: Object) -> Object {
    if let Some(cause) = set.annotation(CHANGE_CAUSE) {
        revision.set(&["metadata", "annotations", CHANGE_CAUSE], cause);
    }
    revision
}

/// The oldest go first, but none that pods are of.
fn clean_up(set: &Object, old: &[Object], in_use: &BTreeSet<String>, plan: &mut Plan) {
    let limit = counts::number(set, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let unused: Vec<&Object> = old.iter().filter(|revision| !in_use.contains(&hash_of(revision))).collect();
    let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    for revision in &unused[..surplus] {
        plan.delete(CONTROLLER_REVISIONS, revision);
    }
}
