//! Nobody grants what they do not have: who writes a role must hold its rules (or the
//! verb `escalate`), who binds one must hold them too (or the verb `bind`).

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use super::{Attributes, Rule};
use crate::MASTERS_GROUP;
use crate::pipeline::Work;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks a role or binding that is about to be stored; anything else passes.
pub(crate) fn check(work: &Work<'_>, object: &Object) -> Result<(), ApiError> {
    let user = &work.ctx.user;
    if work.target.row.group != GROUP || user.is_in(MASTERS_GROUP) {
        return Ok(());
    }
    let namespace = object.namespace();
    match work.target.row.plural {
        plural @ ("roles" | "clusterroles") => {
            if may(work, "escalate", plural, namespace, object.name()) {
                return Ok(());
            }
            let aggregates = object.get(&["aggregationRule"]).is_some();
            let rules = Rule::of(object);
            if aggregates && !holds_all(work, namespace) {
                return refuse(work, "an aggregation rule selects rules that you may not hold");
            }
            check_held(work, &rules, namespace)
        }
        "rolebindings" | "clusterrolebindings" => {
            let kind = object.text(&["roleRef", "kind"]);
            let plural = if kind == "Role" { "roles" } else { "clusterroles" };
            if may(work, "bind", plural, namespace, object.text(&["roleRef", "name"])) {
                return Ok(());
            }
            let grants = work.server.authorizer().grants(work.state);
            match grants.role_of(object) {
                Some(rules) => check_held(work, &rules, namespace),
                None => refuse(work, "the role does not exist, so what it grants cannot be checked"),
            }
        }
        _ => Ok(()),
    }
}

fn may(work: &Work<'_>, verb: &str, resource: &str, namespace: &str, name: &str) -> bool {
    let wanted = Attributes::new(verb, GROUP, resource, namespace, name);
    work.server.authorizer().allows(work.state, &work.ctx.user, &wanted)
}

fn holds_all(work: &Work<'_>, namespace: &str) -> bool {
    let wanted = Attributes::new("*", "*", "*", namespace, "");
    work.server.authorizer().grants(work.state).allow(&work.ctx.user, &wanted)
}

/// A `*` in a rule is held only by whom another rule gives a `*`.
fn check_held(work: &Work<'_>, rules: &[Rule], namespace: &str) -> Result<(), ApiError> {
    let grants = work.server.authorizer().grants(work.state);
    let any_name = [String::new()];
    for rule in rules {
        if !rule.urls.is_empty() && !holds_all(work, "") {
            return refuse(work, "nonResourceURLs");
        }
        let names = if rule.names.is_empty() { &any_name[..] } else { &rule.names[..] };
        for (verb, group) in rule.verbs.iter().flat_map(|v| rule.groups.iter().map(move |g| (v, g))) {
            for (resource, name) in rule.resources.iter().flat_map(|r| names.iter().map(move |n| (r, n))) {
                let wanted = Attributes::new(verb, group, resource, namespace, name);
                if !grants.allow(&work.ctx.user, &wanted) {
                    return refuse(work, &format!("{verb} {resource} in API group {group:?}"));
                }
            }
        }
    }
    Ok(())
}

fn refuse(work: &Work<'_>, what: &str) -> Result<(), ApiError> {
    let user = &work.ctx.user;
    let message = format!(
        "{} {:?} is forbidden: user {:?} (groups={:?}) is attempting to grant RBAC permissions not currently held: {what}",
        work.target.qualified(),
        work.target.name,
        user.name,
        user.groups
    );
    Err(ApiError::new(Reason::Forbidden, message))
}
