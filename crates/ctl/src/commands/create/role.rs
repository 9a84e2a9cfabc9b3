//! `create role` and `create clusterrole`: one rule for each group of the named kinds.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::asked;
use crate::only::OnlyArgs;

/// The group of roles and bindings, and the version that is made.
pub(super) const RBAC: &str = "rbac.authorization.k8s.io/v1";

#[derive(Args)]
pub(crate) struct RoleArgs {
    pub(crate) name: String,
    /// What may be done: get, list, watch, create, update, patch, delete, or * for all
    #[arg(long, required = true, value_name = "VERB", value_delimiter = ',')]
    pub(crate) verb: Vec<String>,
    /// With what: pods, pods/log, deployments.apps, or * for all
    #[arg(long, required = true, value_name = "KIND[/SUBRESOURCE]", value_delimiter = ',')]
    pub(crate) resource: Vec<String>,
    /// Only with those of these names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) resource_name: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The Role or ClusterRole.
pub(super) fn made(kind: &str, args: &RoleArgs) -> Result<Object> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for word in &args.resource {
        let (group, resource) = resource(word)?;
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, resources)) => resources.push(resource),
            None => groups.push((group, vec![resource])),
        }
    }
    let rules: Vec<Value> = groups
        .into_iter()
        .map(|(group, resources)| {
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": args.verb});
            if !args.resource_name.is_empty() {
                rule["resourceNames"] = json!(args.resource_name);
            }
            rule
        })
        .collect();
    let mut object = shell(RBAC, kind, &args.name);
    object.set(&["rules"], rules);
    Ok(object)
}

/// The group of a kind, and its name as a rule says it.
fn resource(word: &str) -> Result<(&'static str, String)> {
    if word == "*" {
        return Ok(("*", word.to_owned()));
    }
    let (kind, subresource) = match word.split_once('/') {
        Some((kind, subresource)) => (kind, format!("/{subresource}")),
        None => (word, String::new()),
    };
    let row = asked::row(kind)?;
    Ok((row.group, format!("{}{subresource}", row.plural)))
}
