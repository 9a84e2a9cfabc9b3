//! Bodies of requests: read within a bound and a time, and decoded by their content type.
//! A body without one is JSON, as some clients send it.

mod budget;
mod fields;
mod yaml;

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::protobuf;

use self::budget::Budget;
use self::fields::Fields;

/// Kubernetes' own bound, for what is sent and for what it stands for.
const MOST_BYTES: usize = 3 * 1024 * 1024;
/// What the largest body may take, and any other.
const LONGEST: Duration = Duration::from_secs(30);

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Json,
    Yaml,
    /// As Kubernetes' typed clients send it.
    Protobuf,
}

/// A body that was read and is not decoded.
#[derive(Debug)]
pub(super) struct Received {
    bytes: Bytes,
    media_type: String,
}

/// Reads the whole body of a request, which may take most of the time that the request has, so that its
/// sender is told that it is the body which is late; and never long, as it holds a place of its sender's.
///
/// # Errors
/// `RequestEntityTooLarge`, `Timeout` for one that comes too slowly, `BadRequest` for one
/// that breaks off.
pub(super) async fn receive(request: Request<Body>, within: Duration) -> Result<Received, ApiError> {
    let media_type = media_type(request.headers());
    let body = Limited::new(request.into_body(), MOST_BYTES);
    let read = tokio::time::timeout(LONGEST.min(within / 10 * 9), body.collect()).await;
    let read =
        read.map_err(|_| ApiError::new(Reason::Timeout, "the body of the request did not come in time"))?;
    match read {
        Ok(read) => Ok(Received { bytes: read.to_bytes(), media_type }),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {MOST_BYTES}");
            Err(ApiError::new(Reason::RequestEntityTooLarge, message))
        }
        Err(error) => Err(bad(format!("the body of the request broke off: {error}"))),
    }
}

impl Received {
    /// The content type without its parameters, in lower case.
    pub(super) fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The object in it, and the fields that it names twice.
    ///
    /// # Errors
    /// `UnsupportedMediaType`, or `BadRequest` when it is none.
    pub(super) fn object(&self) -> Result<(Object, Vec<String>), ApiError> {
        let Fields { value, duplicates } = self.fields(self.encoding()?)?;
        match value {
            Value::Object(map) => Ok((Object::from_map(map), duplicates)),
            Value::Null => Err(bad("the request has no body: send the object".into())),
            _ => Err(bad("the body of the request is no object".into())),
        }
    }

    /// JSON, whatever the content type says: that of patches names the kind of patch. And the fields that it names
    /// twice.
    ///
    /// # Errors
    /// `BadRequest`.
    pub(super) fn json(&self) -> Result<(Value, Vec<String>), ApiError> {
        self.fields(Encoding::Json).map(|fields| (fields.value, fields.duplicates))
    }

    fn fields(&self, encoding: Encoding) -> Result<Fields, ApiError> {
        if self.bytes.is_empty() {
            return Ok(Fields::default());
        }
        match encoding {
            Encoding::Json => {
                let mut json = serde_json::Deserializer::from_slice(&self.bytes);
                // JSON stands for no more than it says.
                let read = Fields::read(&mut json, &Budget::of(usize::MAX));
                let read = read.and_then(|read| json.end().map(|()| read));
                read.map_err(|error| bad(format!("the body of the request is no JSON: {error}")))
            }
            Encoding::Yaml => yaml::decode(&self.bytes, MOST_BYTES),
            Encoding::Protobuf => protobuf::decode(&self.bytes)
                .map(|map| Fields { value: Value::Object(map), duplicates: Vec::new() })
                .map_err(|error| bad(format!("the body of the request cannot be read as protobuf: {error}"))),
        }
    }

    fn encoding(&self) -> Result<Encoding, ApiError> {
        match self.media_type.as_str() {
            "" | "application/json" | "text/json" => Ok(Encoding::Json),
            "application/yaml" | "application/x-yaml" | "text/yaml" => Ok(Encoding::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Encoding::Protobuf),
            // What curl says of any body that it is not told the type of.
            "application/x-www-form-urlencoded" => Ok(Encoding::Json),
            other => Err(unsupported(
                other,
                "application/json, application/yaml, application/vnd.kubernetes.protobuf",
            )),
        }
    }
}

/// 415, with what there is.
pub(super) fn unsupported(media_type: &str, accepted: &str) -> ApiError {
    let message = format!(
        "the body of the request was in an unknown format ({media_type}) - accepted media types include: {accepted}"
    );
    ApiError::new(Reason::UnsupportedMediaType, message)
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn bad(message: String) -> ApiError {
    ApiError::new(Reason::BadRequest, message)
}
