//! Gathers what an answer may depend on: the kinds that stand around the one asked about.
//! What the user has no right to see stays unknown, and is no error.

use anyhow::Result;
use futures::StreamExt as _;
use xebec_api::object::Object;
use xebec_api::pod::node_name;
use xebec_api::resource::Resource;
use xebec_api::table;
use xebec_client::{ApiError, ListParams, Reason};
use xebec_rpc::v1::LogsRequest;
use xebec_rpc::v1::pods_client::PodsClient;

use crate::session::Session;
use crate::why::{Facts, LogOf};

/// Lines of a log that are fetched, and the bytes that they may have.
const LOG_LINES: u32 = 3;
const LOG_BYTES: usize = 2048;

/// What stands around a pod, in its namespace.
const OF_PODS: &[&str] = &["pods", "configmaps", "secrets", "persistentvolumeclaims"];
const OF_WORKLOADS: &[&str] = &["deployments.apps", "replicasets.apps", "daemonsets.apps"];
const OF_CRON_JOBS: &[&str] = &["jobs.batch"];
const OF_SERVICES: &[&str] = &["services", "endpointslices.discovery.k8s.io"];
const OF_INGRESSES: &[&str] = &["ingressclasses.networking.k8s.io"];
const OF_CONFIG: &[&str] =
    &["pods", "deployments.apps", "daemonsets.apps", "statefulsets.apps", "ingresses.networking.k8s.io"];
const OF_CLAIMS: &[&str] = &["pods", "storageclasses.storage.k8s.io", "persistentvolumes"];

/// Everything that an object's explanation may need.
pub(super) async fn around(session: &Session, object: &Object, facts: &mut Facts) -> Result<()> {
    let words: Vec<&[&str]> = match object.kind() {
        "Pod" => vec![OF_PODS],
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => vec![OF_PODS, OF_WORKLOADS],
        "Job" => vec![OF_PODS],
        "CronJob" => vec![OF_PODS, OF_CRON_JOBS],
        "Service" => vec![OF_PODS, OF_WORKLOADS, OF_SERVICES],
        "Ingress" => vec![OF_PODS, OF_WORKLOADS, OF_SERVICES, OF_INGRESSES],
        "ConfigMap" | "Secret" => vec![OF_CONFIG],
        "PersistentVolumeClaim" => vec![OF_CLAIMS],
        "Node" => return of_node(session, facts).await,
        "Namespace" if object.is_terminating() => return all_within(session, object.name(), facts).await,
        _ => Vec::new(),
    };
    let namespace = object.namespace();
    for word in words.into_iter().flatten() {
        learn(session, row(word)?, namespace, facts).await?;
    }
    learn(session, row("events")?, if namespace.is_empty() { "default" } else { namespace }, facts).await?;
    if facts.all("Pod").next().is_some() {
        learn(session, row("nodes")?, "", facts).await?;
    }
    let waits = |pod: &Object| node_name(pod).is_none();
    // What is left on a node depends on the pods of every namespace.
    if facts.all("Pod").any(waits) && !learn(session, row("pods")?, "", facts).await? {
        facts.forget("Node");
    }
    Ok(())
}

/// For a name that is not there: its namesakes, and who may ask for it.
pub(super) async fn neighbours(
    session: &Session,
    of: &'static Resource,
    namespace: &str,
    facts: &mut Facts,
) -> Result<()> {
    learn(session, of, namespace, facts).await?;
    if matches!(of.kind, "ConfigMap" | "Secret") {
        for word in OF_CONFIG {
            learn(session, row(word)?, namespace, facts).await?;
        }
    }
    Ok(())
}

async fn of_node(session: &Session, facts: &mut Facts) -> Result<()> {
    for (word, namespace) in [("pods", ""), ("nodes", ""), ("events", "default")] {
        learn(session, row(word)?, namespace, facts).await?;
    }
    Ok(())
}

async fn all_within(session: &Session, namespace: &str, facts: &mut Facts) -> Result<()> {
    for row in table::all().iter().filter(|row| row.namespaced) {
        learn(session, row, namespace, facts).await?;
    }
    Ok(())
}

fn row(word: &str) -> Result<&'static Resource> {
    crate::asked::row(word)
}

/// Whether they may be seen.
async fn learn(
    session: &Session,
    row: &'static Resource,
    namespace: &str,
    facts: &mut Facts,
) -> Result<bool> {
    let namespace = if row.namespaced { namespace } else { "" };
    match session.client.list(row, namespace, &ListParams::default()).await {
        Ok(list) => {
            let known = list.items.into_iter().map(|object| with_kind(row, object));
            facts.learn(row.kind, known.collect());
            Ok(true)
        }
        // Without the right to see them, or from a server that has no such kind: unknown.
        Err(error) if matches!(error.reason, Reason::Forbidden | Reason::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The items of a list need not name their kind.
fn with_kind(row: &Resource, mut object: Object) -> Object {
    if object.kind().is_empty() {
        object.set(&["kind"], row.kind);
        object.set(&["apiVersion"], row.api_version());
    }
    object
}

/// What a container printed last.
pub(super) async fn last_lines(session: &Session, of: &LogOf) -> Result<Vec<String>, ApiError> {
    let request = LogsRequest {
        namespace: of.namespace.clone(),
        pod: of.pod.clone(),
        pod_uid: of.uid.clone(),
        container: of.container.clone(),
        previous: of.previous,
        tail_lines: Some(LOG_LINES),
        ..LogsRequest::default()
    };
    let answer = session.client.ask(true, |channel| {
        let request = request.clone();
        async move { Ok(PodsClient::new(channel).logs(request).await?.into_inner()) }
    });
    let mut chunks = answer.await?;
    let mut text = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|status| xebec_rpc::error::from_status(&status))?;
        text.extend_from_slice(&chunk.data);
        text.truncate(LOG_BYTES);
    }
    let lines = String::from_utf8_lossy(&text);
    Ok(lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(printable).collect())
}

/// A container may print what would paint the terminal.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}
