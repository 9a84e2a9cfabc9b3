//! Going back: what an older revision keeps becomes the workload's template again. Of a
//! Deployment that is a ReplicaSet's template, of a DaemonSet the patch in a ControllerRevision.

use anyhow::{Result, anyhow, bail};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{Patch, Reason};

use super::history;
use crate::session::Session;

const MOST_CONFLICTS: usize = 5;

/// Goes back; says what was done.
pub(super) async fn run(
    session: &Session,
    row: &'static Resource,
    name: &str,
    to: i64,
) -> Result<&'static str> {
    for _ in 0..MOST_CONFLICTS {
        let mut object = session.client.get(row, &session.namespace, name).await?;
        let revisions = history::revisions(session, row, &object).await?;
        let kept = chosen(&revisions, to)?;
        let template =
            history::template(kept).ok_or_else(|| anyhow!("revision {} has no template", kept.name()))?;
        if object.get(&["spec", "template"]) == Some(&template) {
            return Ok("skipped rollback (current template already matches)");
        }
        if let Some(data) = kept.get(&["data"]) {
            let patch = Patch::Strategic(data.clone());
            session.client.patch(row, &session.namespace, name, &patch).await?;
            return Ok("rolled back");
        }
        object.set(&["spec", "template"], template);
        match session.client.update(row, &object).await {
            Ok(_) => return Ok("rolled back"),
            Err(error) if error.reason == Reason::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{name} changes all the time: try again")
}

/// The revision of this number, or, for 0, the one before the newest; the oldest comes first.
fn chosen(revisions: &[(i64, Object)], to: i64) -> Result<&Object> {
    let found = match to {
        0 => revisions.iter().rev().nth(1),
        _ => revisions.iter().find(|(number, _)| *number == to),
    };
    found.map(|(_, kept)| kept).ok_or_else(|| {
        let known: Vec<String> = revisions.iter().rev().map(|(number, _)| number.to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let what = if to == 0 {
            "there is no earlier revision".to_owned()
        } else {
            format!("there is no revision {to}")
        };
        anyhow!("{what}: the revisions are {known}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::rollout::history::TEMPLATE_HASH;

    fn object(value: &Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn set(revision: i64) -> (i64, Object) {
        let labels = json!({"app": "web", TEMPLATE_HASH: "x"});
        let template = json!({"metadata": {"labels": labels}, "spec": {"n": revision}});
        (revision, object(&json!({"spec": {"template": template}})))
    }

    #[test]
    fn the_template_before_the_newest_is_taken_or_the_named_one() {
        let sets = [set(2), set(7), set(10)];
        let taken = |sets: &[(i64, Object)], to| {
            chosen(sets, to).map(history::template).map_err(|error| error.to_string())
        };
        let expected = |n: i64| Ok(Some(json!({"metadata": {"labels": {"app": "web"}}, "spec": {"n": n}})));
        assert_eq!(taken(&sets, 0), expected(7));
        assert_eq!(taken(&sets, 2), expected(2));
        assert_eq!(taken(&sets, 9), Err("there is no revision 9: the revisions are 10, 7, 2".to_owned()));
        assert_eq!(taken(&sets[..1], 0), Err("there is no earlier revision: the revisions are 2".to_owned()));
    }

    #[test]
    fn a_patchs_directive_is_no_part_of_its_template() {
        let template = json!({"$patch": "replace", "spec": {"n": 1}});
        let revision = object(&json!({"data": {"spec": {"template": template}}, "revision": 1}));
        assert_eq!(history::template(&revision), Some(json!({"spec": {"n": 1}})));
        assert_eq!(history::template(&object(&json!({"data": {}}))), None);
    }
}
