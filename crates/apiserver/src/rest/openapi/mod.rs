//! `/openapi/v3`: an index of documents with their hashes, and the documents. A client that
//! asks with the right hash may keep the answer for good; one with an old hash is sent on.

mod documents;
mod v2;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
    VARY,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use xebec_api::error::{ApiError, Reason};

use self::documents::Document;
use super::{Face, Query, Reply, compression, no_such_resource};

pub(super) fn routes() -> Router<Arc<Face>> {
    Router::new()
        .route("/openapi/v2", get(v2::document))
        .route("/openapi/v3", get(index))
        .route("/openapi/v3/", get(index))
        .route("/openapi/v3/{*path}", get(document))
}

async fn index(request: Request) -> Response {
    let reply = Reply::to(&request);
    if let Err(error) = ready().await {
        return reply.fail(&error);
    }
    let paths: Map<String, Value> = documents::all()
        .iter()
        .map(|(path, document)| (path.clone(), json!({"serverRelativeURL": address(path, document)})))
        .collect();
    reply.send(StatusCode::OK, &json!({"paths": paths}))
}

async fn document(Path(path): Path<String>, request: Request) -> Response {
    let reply = Reply::to(&request);
    if let Err(error) = ready().await {
        return reply.fail(&error);
    }
    match documents::all().get(path.trim_end_matches('/')) {
        Some(document) => send(&path, document, &request),
        None => reply.fail(&no_such_resource()),
    }
}

/// Makes the documents, beside the threads that serve requests.
async fn ready() -> Result<(), ApiError> {
    let made = tokio::task::spawn_blocking(|| documents::all().len()).await;
    made.map(|_| ()).map_err(|error| ApiError::new(Reason::InternalError, format!("OpenAPI: {error}")))
}

fn address(path: &str, document: &Document) -> String {
    format!("/openapi/v3/{path}?hash={}", document.hash)
}

fn send(path: &str, document: &Document, request: &Request) -> Response {
    let asked = Query::of(request.uri()).get("hash").to_owned();
    if !asked.is_empty() && asked != document.hash {
        return with(StatusCode::MOVED_PERMANENTLY, Body::empty(), &[(LOCATION, &address(path, document))]);
    }
    let tag = format!("\"{}\"", document.hash);
    let caching = if asked.is_empty() { "no-cache, private" } else { "public, immutable, max-age=31536000" };
    let mut headers = vec![(ETAG, tag.as_str()), (CACHE_CONTROL, caching), (VARY, "Accept-Encoding")];
    let asking = request.headers();
    if has_tag(asking, &tag) {
        return with(StatusCode::NOT_MODIFIED, Body::empty(), &headers);
    }
    headers.push((CONTENT_TYPE, "application/json"));
    if compression::is_taken(asking) {
        headers.push((CONTENT_ENCODING, "gzip"));
        return with(StatusCode::OK, document.gzip().into(), &headers);
    }
    with(StatusCode::OK, document.plain().into(), &headers)
}

/// Whether the client has this answer already.
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(|tags| tags.contains(tag)))
}

fn with(code: StatusCode, body: Body, headers: &[(HeaderName, &str)]) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}
