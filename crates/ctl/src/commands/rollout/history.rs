//! `rollout history`: the revisions of a workload, and what was changed for.

use anyhow::{Result, bail};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::well_known::{CHANGE_CAUSE, REVISION};
use xebec_client::ListParams;

use crate::asked;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::table;

/// What tells ReplicaSets apart, and is no part of the template.
pub(super) const TEMPLATE_HASH: &str = "pod-template-hash";
/// What makes a ControllerRevision a patch that leaves nothing of the template that it is laid over.
const DIRECTIVE: &str = "$patch";

/// Shows them, or one of them whole.
pub(super) async fn run(
    session: &Session,
    row: &'static Resource,
    name: &str,
    revision: i64,
    out: &mut Out,
) -> Result<()> {
    let object = session.client.get(row, &session.namespace, name).await?;
    let revisions = revisions(session, row, &object).await?;
    if revision == 0 {
        out.line(reference(row, name))?;
        for line in table::lines(&["REVISION", "CHANGE-CAUSE"], &rows(&revisions)) {
            out.line(line)?;
        }
        return Ok(());
    }
    let Some((_, kept)) = revisions.iter().find(|(number, _)| *number == revision) else {
        bail!("unable to find the specified revision");
    };
    out.line(format!("{} with revision #{revision}", reference(row, name)))?;
    let template = template(kept).unwrap_or_default();
    out.raw(serde_yaml_ng::to_string(&template)?.as_bytes())?;
    Ok(())
}

fn rows(revisions: &[(i64, Object)]) -> Vec<Vec<String>> {
    let cause = |kept: &Object| kept.annotation(CHANGE_CAUSE).unwrap_or("<none>").to_owned();
    revisions.iter().map(|(number, kept)| vec![number.to_string(), cause(kept)]).collect()
}

/// The template that a revision keeps, without what the revision itself has put into it.
pub(super) fn template(kept: &Object) -> Option<Value> {
    let path: &[&[&str]] = &[&["spec", "template"], &["data", "spec", "template"]];
    let mut template = path.iter().find_map(|path| kept.get(path)).cloned()?;
    if let Some(map) = template.as_object_mut() {
        map.remove(DIRECTIVE);
    }
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(TEMPLATE_HASH);
    }
    Some(template)
}

/// By number, the oldest first: a Deployment's ReplicaSets, or ControllerRevisions.
pub(super) async fn revisions(
    session: &Session,
    row: &'static Resource,
    object: &Object,
) -> Result<Vec<(i64, Object)>> {
    let kind = if row.kind == "Deployment" { "replicasets.apps" } else { "controllerrevisions.apps" };
    let kept =
        session.client.list(asked::row(kind)?, object.namespace(), &ListParams::default()).await?.items;
    let own = kept.into_iter().filter(|kept| kept.controller_uid() == Some(object.uid()));
    let number = |kept: &Object| {
        let written = kept.annotation(REVISION).and_then(|text| text.parse().ok());
        written.or_else(|| kept.get(&["revision"])?.as_i64()).unwrap_or_default()
    };
    let mut revisions: Vec<(i64, Object)> = own.map(|kept| (number(&kept), kept)).collect();
    revisions.sort_by_key(|(number, _)| *number);
    Ok(revisions)
}
