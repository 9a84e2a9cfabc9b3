//! Answers: a value as JSON or YAML, indented where the client is a person, and errors as
//! the Kubernetes `Status` with their HTTP code.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use serde_json::Value;
use xebec_api::error::{ApiError, Reason};

use super::compression;
use super::negotiate::{self, Media};
use super::query::Query;
use crate::Warnings;

/// What a client waits before it tries again, where the error does not say.
const RETRY_SECONDS: u64 = 1;
/// Bytes of one warning; what is longer is cut.
const MOST_WARNING_BYTES: usize = 512;

/// How to answer one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply {
    media: Media,
    pretty: bool,
    gzip: bool,
}

impl Reply {
    /// As the request asks for it; JSON where it asks for nothing that there is.
    #[must_use]
    pub fn to(request: &Request) -> Self {
        let ranges = negotiate::ranges(request.headers());
        let media = ranges.first().map(|range| range.media).unwrap_or_default();
        let pretty = Query::of(request.uri()).choice("pretty");
        let pretty = pretty.unwrap_or_else(|| is_person(request.headers()));
        Self { media, pretty, gzip: compression::is_taken(request.headers()) }
    }

    /// In this media type instead.
    pub(super) fn in_media(self, media: Media) -> Self {
        Self { media, ..self }
    }

    /// A value with a code.
    pub fn send<T: Serialize>(&self, code: StatusCode, value: &T) -> Response {
        let (content_type, bytes) = match self.media {
            Media::Json => ("application/json", self.json(value)),
            Media::Yaml => {
                ("application/yaml", serde_yaml_ng::to_string(value).unwrap_or_default().into_bytes())
            }
        };
        self.bytes_of(code, content_type, bytes)
    }

    /// JSON under a content type of its own, such as that of a discovery document.
    pub(super) fn send_as<T: Serialize>(&self, content_type: &'static str, value: &T) -> Response {
        self.bytes_of(StatusCode::OK, content_type, self.json(value))
    }

    /// An error, as `Status`.
    pub fn fail(&self, error: &ApiError) -> Response {
        let code =
            StatusCode::from_u16(error.reason.http_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.send(code, &status(error));
        let given = error.details.get("retryAfterSeconds").and_then(Value::as_u64);
        let again = matches!(error.reason, Reason::TooManyRequests | Reason::ServiceUnavailable);
        let seconds = given.or(again.then_some(RETRY_SECONDS));
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn bytes_of(&self, code: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Response {
        let packed = if self.gzip { compression::compressed(&bytes) } else { None };
        let is_packed = packed.is_some();
        let mut response = Response::new(Body::from(packed.unwrap_or(bytes)));
        *response.status_mut() = code;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if is_packed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        response
    }

    fn json<T: Serialize>(&self, value: &T) -> Vec<u8> {
        let written = if self.pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
        let mut bytes = written.expect("what is answered is JSON with text keys");
        bytes.push(b'\n');
        bytes
    }
}

/// The `Status` of an error. The `continue` of an expired list stands in its metadata.
pub(super) fn status(error: &ApiError) -> Value {
    let mut status: Value = serde_json::from_slice(&error.to_status_json()).unwrap_or_default();
    if let Some(token) = status["details"].as_object_mut().and_then(|details| details.remove("continue")) {
        status["metadata"]["continue"] = token;
    }
    status
}

/// The `Warning` headers of an answer.
pub(super) fn warn(response: &mut Response, warnings: &Warnings) {
    for text in warnings.take() {
        let text: String = text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
        let text = text[..text.len().min(MOST_WARNING_BYTES)].replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
}

/// Whether somebody reads the answer, rather than a program.
fn is_person(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|start| agent.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_wait_is_told_how_long_unless_the_error_leaves_it_to_them() {
        let mut error = ApiError::new(Reason::TooManyRequests, "too much");
        let told = |error: &ApiError| Reply::default().fail(error).headers().get(RETRY_AFTER).cloned();
        assert_eq!(told(&error), Some(HeaderValue::from(1_u64)));
        error.details.insert("retryAfterSeconds".into(), 0.into());
        assert_eq!(told(&error), None);
    }
}
