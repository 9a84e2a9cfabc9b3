//! The first step of every request: who asks, until when, and whether they may see a path
//! that is no resource's. Nobody is anonymous but to health and version.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use xebec_api::error::ApiError;

use super::options::MOST_MANAGER_BYTES;
use super::query::Query;
use super::{Face, Reply, impersonation};
use crate::{RequestContext, connection};

/// What everybody may ask, without a user.
const PUBLIC: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

/// Lets a request through with its [`RequestContext`] among its extensions.
pub(super) async fn admit(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    let reply = Reply::to(&request);
    let (mut parts, body) = request.into_parts();
    let context = match identify(&face, &parts).await {
        Ok(context) => context,
        Err(error) => return reply.fail(&error),
    };
    let audit_id = context.as_ref().and_then(|context| HeaderValue::from_str(&context.audit_id).ok());
    if let Some(context) = context {
        parts.extensions.insert(context);
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    if let Some(audit_id) = audit_id {
        headers.insert(HeaderName::from_static("audit-id"), audit_id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

async fn identify(face: &Face, parts: &Parts) -> Result<Option<RequestContext>, ApiError> {
    let (path, headers) = (parts.uri.path(), &parts.headers);
    let below =
        |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let public = PUBLIC.into_iter().any(below);
    if public && !connection::has_credentials(&parts.extensions, headers) {
        return Ok(None);
    }
    let timeout = duration(Query::of(&parts.uri).get("timeout"));
    let mut context = connection::authenticate(&face.server, &parts.extensions, headers, timeout)?;
    context = impersonation::assume(&face.server, context, headers).await?;
    if let Some(manager) = user_agent(headers) {
        context.field_manager = manager;
    }
    if !public && !is_resource(path) {
        let verb = parts.method.as_str().to_ascii_lowercase();
        face.server.authorize_path(&context, &verb, path).await?;
    }
    Ok(Some(context))
}

/// Whether a path lies below a version, where the verbs themselves decide.
fn is_resource(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let parts = match segments.next() {
        Some("api") => 2,
        Some("apis") => 3,
        _ => return false,
    };
    segments.count() >= parts
}

/// Who writes, where the request does not say so: the program's name.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    let name = agent.split('/').next().filter(|name| !name.is_empty() && name.len() <= MOST_MANAGER_BYTES)?;
    Some(name.to_owned())
}

/// A duration as Go spells it, such as `32s` or `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    Duration::try_from_secs_f64(total).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, wanted) in [
            ("32s", Some(Duration::from_secs(32))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("250ms", Some(Duration::from_millis(250))),
            ("1.5h", Some(Duration::from_secs(5400))),
            ("0s", None),
            ("", None),
            ("5", None),
            ("s", None),
            ("5 s", None),
            ("99999999999999999999999h", None),
        ] {
            assert_eq!(duration(text), wanted, "{text}");
        }
    }

    #[test]
    fn paths_of_resources_are_told_from_others() {
        for (path, wanted) in [
            ("/api", false),
            ("/api/v1", false),
            ("/api/v1/pods", true),
            ("/apis/apps/v1", false),
            ("/apis/apps/v1/deployments", true),
            ("/openapi/v3/apis/apps/v1", false),
            ("//api//v1//pods", true),
        ] {
            assert_eq!(is_resource(path), wanted, "{path}");
        }
    }
}
