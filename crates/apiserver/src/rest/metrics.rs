//! `metrics.k8s.io/v1beta1`: what nodes and pods use now, for `kubectl top`. Read only, and never stored. What a node
//! does not tell is left out, as by metrics-server.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::time::rfc3339;
use xebec_rpc::v1::{Usage, node_metrics_response, pod_metrics_response};

use super::negotiate::{self, Media};
use super::query::Query;
use super::{Face, Reply, no_such_resource};
use crate::RequestContext;
use crate::metrics::NodeUsage;

const VERSION: &str = "metrics.k8s.io/v1beta1";
/// For so long an agent measures.
const WINDOW: &str = "1s";

pub(super) fn routes() -> Router<Arc<Face>> {
    Router::new().route("/apis/metrics.k8s.io/v1beta1/{*rest}", get(serve))
}

async fn serve(
    State(face): State<Arc<Face>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    let reply = Reply::to(&request);
    let (parts, _) = request.into_parts();
    match answer(&face, &ctx, &parts).await {
        Ok((media, value)) => reply.in_media(media).send(StatusCode::OK, &value),
        Err(error) => reply.fail(&error),
    }
}

async fn answer(face: &Face, ctx: &RequestContext, parts: &Parts) -> Result<(Media, Value), ApiError> {
    let (media, _) = negotiate::form(&parts.headers, false)?;
    let query = Query::of(&parts.uri);
    if !query.get("fieldSelector").is_empty() {
        return Err(ApiError::new(Reason::BadRequest, "metrics are not selected by fields here: use labels"));
    }
    let labels = query.get("labelSelector");
    let segments: Vec<&str> = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let value = match segments.get(3..).unwrap_or_default() {
        ["nodes"] => nodes(face, ctx, "").await?,
        ["nodes", name] => one(nodes(face, ctx, name).await?, "nodes", name)?,
        ["pods"] => pods(face, ctx, ["", ""], labels).await?,
        ["namespaces", namespace, "pods"] => pods(face, ctx, [*namespace, ""], labels).await?,
        ["namespaces", namespace, "pods", name] => {
            one(pods(face, ctx, [*namespace, *name], labels).await?, "pods", name)?
        }
        _ => return Err(no_such_resource()),
    };
    Ok((media, value))
}

/// The only item of a list, as an object of its own.
fn one(mut list: Value, plural: &str, name: &str) -> Result<Value, ApiError> {
    let kind = list["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned();
    let mut item = list["items"].get_mut(0).map(Value::take).unwrap_or_default();
    if item.is_null() {
        return Err(ApiError::not_found("metrics.k8s.io", plural, name));
    }
    item["kind"] = kind.into();
    item["apiVersion"] = VERSION.into();
    Ok(item)
}

fn agents(face: &Face) -> Result<&Arc<dyn NodeUsage>, ApiError> {
    let agents = face.server.usage_slot().get();
    agents.ok_or_else(|| ApiError::new(Reason::ServiceUnavailable, "this server has no way to the nodes"))
}

fn list(kind: &str, items: Vec<Value>) -> Value {
    json!({"kind": kind, "apiVersion": VERSION, "metadata": {}, "items": items})
}

fn now(face: &Face) -> String {
    rfc3339(face.server.settings().clock.now())
}

async fn nodes(face: &Face, ctx: &RequestContext, name: &str) -> Result<Value, ApiError> {
    let measured = face.server.node_metrics(ctx, agents(face)?.as_ref(), name).await?;
    let now = now(face);
    let items = measured.iter().filter_map(|node: &node_metrics_response::Node| {
        let usage = amounts(node.usage.as_ref()?);
        Some(json!({"metadata": {"name": node.name, "creationTimestamp": now}, "timestamp": now,
            "window": WINDOW, "usage": usage}))
    });
    Ok(list("NodeMetricsList", items.collect()))
}

/// Of a namespace and a name; both may be empty, for all.
async fn pods(
    face: &Face,
    ctx: &RequestContext,
    [namespace, name]: [&str; 2],
    labels: &str,
) -> Result<Value, ApiError> {
    let agents = agents(face)?.as_ref();
    let (measured, _) = face.server.pod_metrics(ctx, agents, namespace, name, labels).await?;
    let now = now(face);
    let items = measured.iter().map(|pod: &pod_metrics_response::Pod| {
        let containers = pod.containers.iter().filter_map(|container| {
            Some(json!({"name": container.name, "usage": amounts(container.usage.as_ref()?)}))
        });
        json!({"metadata": {"name": pod.name, "namespace": pod.namespace, "creationTimestamp": now},
            "timestamp": now, "window": WINDOW, "containers": containers.collect::<Vec<Value>>()})
    });
    Ok(list("PodMetricsList", items.collect()))
}

fn amounts(usage: &Usage) -> Value {
    let Usage { cpu_nanocores, memory_working_set_bytes } = usage;
    json!({"cpu": format!("{cpu_nanocores}n"), "memory": memory_working_set_bytes.to_string()})
}
