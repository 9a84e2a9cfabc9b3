//! The one API error, shaped as the Kubernetes `Status` object. The gRPC codes for
//! its reasons stand in `xebec-rpc`, the HTTP codes here.

use std::fmt;

use serde_json::{Value, json};

/// Why a request failed, spelled as Kubernetes spells `Status.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request itself is malformed.
    BadRequest,
    /// Nobody, or somebody who cannot be verified.
    Unauthorized,
    /// Somebody without the right.
    Forbidden,
    /// The object or the resource is not there.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The object changed since it was read, or its state forbids the change.
    Conflict,
    /// The object breaks a rule; `causes` names the fields.
    Invalid,
    /// The verb does not apply to the resource.
    MethodNotAllowed,
    /// None of the forms that the client takes is one that the resource has.
    NotAcceptable,
    /// The body is larger than any object may be.
    RequestEntityTooLarge,
    /// The body is in a form that is not read here.
    UnsupportedMediaType,
    /// The revision was compacted: list again.
    Expired,
    /// No answer in time; the outcome of a write is unknown.
    Timeout,
    /// Too many requests at once: try again later.
    TooManyRequests,
    /// No leader, or no quorum: try again.
    ServiceUnavailable,
    /// A defect of the server.
    InternalError,
    /// Something that Kubernetes has and this server not yet.
    NotImplemented,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 17] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Invalid,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestEntityTooLarge,
        Self::UnsupportedMediaType,
        Self::Expired,
        Self::Timeout,
        Self::TooManyRequests,
        Self::ServiceUnavailable,
        Self::InternalError,
        Self::NotImplemented,
    ];

    /// The HTTP code that Kubernetes answers with.
    #[must_use]
    pub fn http_code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::InternalError => 500,
            Self::NotImplemented => 501,
            Self::ServiceUnavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// The text in `Status.reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Invalid => "Invalid",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Expired => "Expired",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::InternalError => "InternalError",
            Self::NotImplemented => "NotImplemented",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// One broken field, as in `Status.details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Such as `spec.containers[0].image`.
    pub field: String,
    /// `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`,
    /// `FieldValueDuplicate`, `FieldValueForbidden`, `FieldValueTooLong`, ….
    pub reason: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// A value that breaks a rule.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("FieldValueInvalid", field, message)
    }

    /// A value that must be given.
    pub fn required(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("FieldValueRequired", field, message)
    }

    /// A value outside the list of those that are supported.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    /// A value that stands twice.
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {value:?}"))
    }

    /// A field that must not be set or changed here.
    pub fn forbidden(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("FieldValueForbidden", field, message)
    }

    /// Any Kubernetes cause.
    pub fn new(reason: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), message: message.into() }
    }
}

/// A request that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The class of the failure.
    pub reason: Reason,
    /// What happened, to what, and what to do.
    pub message: String,
    /// The broken fields, for [`Reason::Invalid`].
    pub causes: Vec<FieldError>,
    /// Such as `{"name": "web", "group": "apps", "kind": "deployments"}`.
    pub details: serde_json::Map<String, Value>,
}

impl ApiError {
    /// An error without details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), causes: Vec::new(), details: serde_json::Map::new() }
    }

    /// `pods "web" not found`, with its details.
    #[must_use]
    pub fn not_found(group: &str, plural: &str, name: &str) -> Self {
        Self::about(Reason::NotFound, group, plural, name, "not found")
    }

    /// `pods "web" already exists`, with its details.
    #[must_use]
    pub fn already_exists(group: &str, plural: &str, name: &str) -> Self {
        Self::about(Reason::AlreadyExists, group, plural, name, "already exists")
    }

    /// An object that changed since it was read.
    #[must_use]
    pub fn conflict(group: &str, plural: &str, name: &str) -> Self {
        let why = "was changed by somebody else: read it again and apply your changes to that version";
        Self::about(Reason::Conflict, group, plural, name, why)
    }

    /// `Deployment.apps "web" is invalid: …`, one line for all causes.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<FieldError>) -> Self {
        let dot = if group.is_empty() { "" } else { "." };
        let list: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let message = format!("{kind}{dot}{group} {name:?} is invalid: {}", list.join("; "));
        let mut error = Self::about(Reason::Invalid, group, kind, name, "");
        error.message = message;
        error.causes = causes;
        error
    }

    fn about(reason: Reason, group: &str, plural: &str, name: &str, why: &str) -> Self {
        let dot = if group.is_empty() { "" } else { "." };
        let mut error = Self::new(reason, format!("{plural}{dot}{group} {name:?} {why}"));
        for (key, value) in [("name", name), ("group", group), ("kind", plural)] {
            if !value.is_empty() {
                error.details.insert(key.into(), value.into());
            }
        }
        error
    }

    /// The Kubernetes `Status` object as JSON.
    #[must_use]
    pub fn to_status_json(&self) -> Vec<u8> {
        let mut details = self.details.clone();
        if !self.causes.is_empty() {
            let causes = self
                .causes
                .iter()
                .map(|c| json!({"reason": c.reason, "field": c.field, "message": c.message}));
            details.insert("causes".into(), causes.collect());
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason.as_str(),
            "details": details, "code": self.reason.http_code(),
        });
        status.to_string().into_bytes()
    }

    /// Reads what [`ApiError::to_status_json`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_status_json(json: &[u8]) -> Option<Self> {
        let status: Value = serde_json::from_slice(json).ok()?;
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let mut details = status.get("details")?.as_object()?.clone();
        let causes = match details.remove("causes") {
            Some(Value::Array(causes)) => causes
                .iter()
                .map(|cause| {
                    Some(FieldError {
                        field: text(cause, "field")?,
                        reason: text(cause, "reason")?,
                        message: text(cause, "message")?,
                    })
                })
                .collect::<Option<_>>()?,
            _ => Vec::new(),
        };
        Some(Self {
            reason: Reason::parse(&text(&status, "reason")?)?,
            message: text(&status, "message")?,
            causes,
            details,
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
