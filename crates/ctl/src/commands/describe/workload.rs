//! Deployments, ReplicaSets, DaemonSets and StatefulSets: what is wanted, what is there,
//! and the template that pods are made from.

use anyhow::Result;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::well_known::REVISION;
use xebec_client::ListParams;

use super::page::{Page, pairs, scalar};
use super::pod;
use crate::asked;
use crate::session::Session;

/// The ReplicaSets of a Deployment; none for others.
pub(super) async fn sets(session: &Session, owner: &Object) -> Result<Vec<Object>> {
    if owner.kind() != "Deployment" {
        return Ok(Vec::new());
    }
    let row = asked::row("replicasets.apps")?;
    let mut sets = session.client.list(row, owner.namespace(), &ListParams::default()).await?.items;
    sets.retain(|set| set.controller_uid() == Some(owner.uid()));
    Ok(sets)
}

/// Describes it.
pub(super) fn describe(object: &Object, sets: &[Object], page: &mut Page) {
    page.head(object);
    page.field("Selector", pairs(object.text_map(&["spec", "selector", "matchLabels"])));
    page.field("Replicas", replicas(object));
    let strategy = object.get(&["spec", "strategy"]).or_else(|| object.get(&["spec", "updateStrategy"]));
    if let Some(strategy) = strategy {
        let of = |key: &str| scalar(strategy.pointer(&format!("/rollingUpdate/{key}")));
        let mut text = scalar(strategy.get("type"));
        for (key, name) in [("maxUnavailable", "max unavailable"), ("maxSurge", "max surge")] {
            if !of(key).is_empty() {
                text.push_str(&format!(", {} {name}", of(key)));
            }
        }
        page.field("Strategy", text);
    }
    template(object, page);
    page.conditions(object);
    let rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            let revision = set.annotation(REVISION).unwrap_or_default();
            let [wanted, ready] =
                [["spec", "replicas"], ["status", "readyReplicas"]].map(|path| scalar(set.get(&path)));
            let ready = if ready.is_empty() { "0".to_owned() } else { ready };
            vec![set.name().to_owned(), revision.to_owned(), wanted, ready]
        })
        .collect();
    page.table("Replica Sets", &["NAME", "REVISION", "DESIRED", "READY"], &rows);
}

fn replicas(object: &Object) -> String {
    let status = |key: &str| object.get(&["status", key]).and_then(Value::as_i64).unwrap_or_default();
    if object.kind() == "DaemonSet" {
        return format!(
            "{} desired, {} current, {} updated, {} available",
            status("desiredNumberScheduled"),
            status("currentNumberScheduled"),
            status("updatedNumberScheduled"),
            status("numberAvailable")
        );
    }
    let wanted = object.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1);
    let updated = if object.kind() == "ReplicaSet" {
        String::new()
    } else {
        format!("{} updated, ", status("updatedReplicas"))
    };
    format!(
        "{wanted} desired, {updated}{} total, {} ready, {} available",
        status("replicas"),
        status("readyReplicas"),
        status("availableReplicas")
    )
}

fn template(object: &Object, page: &mut Page) {
    let Some(template) = object.get(&["spec", "template"]) else { return };
    page.section("Pod Template", |page| {
        let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
        let labels =
            labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        page.field("Labels", pairs(labels));
        let containers = template.pointer("/spec/containers").and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            page.section(&scalar(container.get("name")), |page| pod::container(container, None, page));
        }
    });
}
