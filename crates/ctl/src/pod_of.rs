//! The pod that a word means: POD, or TYPE/NAME for one of the pods that a workload or a
//! Service selects, one that runs before any other.

use anyhow::{Result, anyhow, bail};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_client::ListParams;

use crate::asked;
use crate::output::Out;
use crate::session::Session;

/// By which a pod says which of its containers people mean.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pod that `word` means.
///
/// # Errors
/// No such object, or one without pods.
pub(crate) async fn named(session: &Session, word: &str) -> Result<Object> {
    Ok(all_of(session, word).await?.swap_remove(0))
}

/// All pods that `word` means, at least one; the one that is meant where only one can be comes first.
///
/// # Errors
/// No such object, or one without pods.
pub(crate) async fn all_of(session: &Session, word: &str) -> Result<Vec<Object>> {
    let Some((kind, name)) = word.split_once('/') else {
        return Ok(vec![session.client.get(asked::row("pods")?, &session.namespace, word).await?]);
    };
    let owner = asked::row(kind)?;
    let object = session.client.get(owner, session.namespace_of(owner), name).await?;
    if owner.kind == "Pod" {
        return Ok(vec![object]);
    }
    let selector = object.get(&["spec", "selector"]);
    let labels = selector.and_then(|selector| selector.get("matchLabels").or(Some(selector)));
    let labels = labels.and_then(Value::as_object).filter(|labels| !labels.is_empty());
    let labels = labels.ok_or_else(|| anyhow!("{} have no pods of their own", owner.plural))?;
    let pairs = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let mut pods = selected(session, pairs.collect::<Vec<_>>().join(",")).await?;
    pods.sort_by_key(|pod| pod.text(&["status", "phase"]) != "Running");
    Ok(pods)
}

/// The container that is meant: the named one, the pod's own choice, or its first; says which where there are more.
///
/// # Errors
/// The pod has no container of that name.
pub(crate) fn container(pod: &Object, named: &str, out: &mut Out) -> Result<String> {
    let names = |field: &str| {
        let containers = pod.get(&["spec", field]).and_then(Value::as_array).into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect::<Vec<_>>()
    };
    let own = names("containers");
    let is_there = |name: &str| {
        own.contains(&name)
            || names("initContainers").contains(&name)
            || names("ephemeralContainers").contains(&name)
    };
    if !named.is_empty() {
        let there = is_there(named).then(|| named.to_owned());
        return there.ok_or_else(|| {
            anyhow!("pod {} has no container {named:?}: it has {}", pod.name(), own.join(", "))
        });
    }
    if let Some(chosen) = pod.annotation(DEFAULT_CONTAINER).filter(|chosen| is_there(chosen)) {
        return Ok(chosen.to_owned());
    }
    let first = own.first().copied().unwrap_or_default();
    if own.len() > 1 {
        // stderr that is gone is no reason not to go on.
        let _ = out.note(format!("Defaulted container {first:?} out of: {}", own.join(", ")));
    }
    Ok(first.to_owned())
}

/// The pods with these labels, at least one.
///
/// # Errors
/// There is none.
pub(crate) async fn selected(session: &Session, label_selector: String) -> Result<Vec<Object>> {
    let params = ListParams { label_selector, ..ListParams::default() };
    let pods = session.client.list(asked::row("pods")?, &session.namespace, &params).await?.items;
    if pods.is_empty() {
        bail!(
            "no pod matches in namespace {}: `xctl get pods --show-labels` shows what there is",
            session.namespace
        );
    }
    Ok(pods)
}
