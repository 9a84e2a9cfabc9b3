//! Going back: the template of an older ReplicaSet becomes the Deployment's again.

use anyhow::{Result, anyhow, bail};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::well_known::REVISION;
use xebec_client::{ListParams, Reason};

use crate::asked;
use crate::session::Session;

/// What tells ReplicaSets apart, and is no part of the template.
pub(super) const TEMPLATE_HASH: &str = "pod-template-hash";
const MOST_CONFLICTS: usize = 5;

/// Goes back; says what was done.
pub(super) async fn run(
    session: &Session,
    row: &'static Resource,
    name: &str,
    to: i64,
) -> Result<&'static str> {
    for _ in 0..MOST_CONFLICTS {
        let mut deployment = session.client.get(row, &session.namespace, name).await?;
        let sets = asked::row("replicasets.apps")?;
        let sets = session.client.list(sets, &session.namespace, &ListParams::default()).await?.items;
        let template = template(&deployment, &sets, to)?;
        if deployment.get(&["spec", "template"]) == Some(&template) {
            return Ok("skipped rollback (current template already matches)");
        }
        deployment.set(&["spec", "template"], template);
        match session.client.update(row, &deployment).await {
            Ok(_) => return Ok("rolled back"),
            Err(error) if error.reason == Reason::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{name} changes all the time: try again")
}

fn revision(object: &Object) -> i64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn template(deployment: &Object, sets: &[Object], to: i64) -> Result<Value> {
    let mut own: Vec<&Object> =
        sets.iter().filter(|set| set.controller_uid() == Some(deployment.uid())).collect();
    own.sort_by_key(|set| -revision(set));
    let found = match to {
        0 => own.get(1),
        _ => own.iter().find(|set| revision(set) == to),
    };
    let found = found.ok_or_else(|| {
        let known: Vec<String> = own.iter().map(|set| revision(set).to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let what = if to == 0 {
            "there is no earlier revision".to_owned()
        } else {
            format!("there is no revision {to}")
        };
        anyhow!("{what}: the revisions are {known}")
    })?;
    let mut set = (*found).clone();
    set.remove(&["spec", "template", "metadata", "labels", TEMPLATE_HASH]);
    set.get(&["spec", "template"])
        .cloned()
        .ok_or_else(|| anyhow!("replicaset {} has no template", set.name()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn set(owner: &str, revision: i64) -> Object {
        object(&json!({
            "metadata": {"name": format!("web-{revision}"), "annotations": {REVISION: revision.to_string()},
                "ownerReferences": [{"controller": true, "uid": owner}]},
            "spec": {"template": {"metadata": {"labels": {"app": "web", TEMPLATE_HASH: "x"}}, "spec": {"n": revision}}},
        }))
    }

    #[test]
    fn the_template_before_the_newest_is_taken_or_the_named_one() {
        let deployment = object(&json!({"metadata": {"name": "web", "uid": "d"}}));
        let sets = [set("d", 2), set("other", 9), set("d", 10), set("d", 7)];
        let taken = |to| template(&deployment, &sets, to).map_err(|error| error.to_string());
        let expected = |n: i64| Ok(json!({"metadata": {"labels": {"app": "web"}}, "spec": {"n": n}}));
        assert_eq!(taken(0), expected(7));
        assert_eq!(taken(2), expected(2));
        assert_eq!(taken(9), Err("there is no revision 9: the revisions are 10, 7, 2".to_owned()));
        let alone = template(&deployment, &sets[..1], 0).map_err(|error| error.to_string());
        assert_eq!(alone, Err("there is no earlier revision: the revisions are 2".to_owned()));
    }
}
