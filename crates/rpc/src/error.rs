//! The one table between an API error and a gRPC status. The Kubernetes `Status`
//! travels as JSON in a binary trailer, so that no detail is lost on the way.

use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::{Code, Status};
use xebec_api::error::{ApiError, Reason};

/// The trailer that carries the Kubernetes `Status` object as JSON.
pub const STATUS_TRAILER: &str = "xebec-status-bin";

/// An error and what caused it, in one line; what a cause says twice stands there once.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}

/// The gRPC code for a reason; the inverse is [`reason`].
#[must_use]
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::BadRequest
        | Reason::Invalid
        | Reason::MethodNotAllowed
        | Reason::NotAcceptable
        | Reason::RequestEntityTooLarge
        | Reason::UnsupportedMediaType => Code::InvalidArgument,
        Reason::Unauthorized => Code::Unauthenticated,
        Reason::Forbidden => Code::PermissionDenied,
        Reason::NotFound => Code::NotFound,
        Reason::AlreadyExists => Code::AlreadyExists,
        Reason::Conflict => Code::Aborted,
        Reason::Expired => Code::OutOfRange,
        Reason::Timeout => Code::DeadlineExceeded,
        Reason::TooManyRequests => Code::ResourceExhausted,
        Reason::ServiceUnavailable => Code::Unavailable,
        Reason::InternalError => Code::Internal,
        Reason::NotImplemented => Code::Unimplemented,
    }
}

/// The closest reason for a code that came without a Kubernetes `Status`.
#[must_use]
pub fn reason(code: Code) -> Reason {
    match code {
        Code::InvalidArgument | Code::Unimplemented => Reason::BadRequest,
        Code::Unauthenticated => Reason::Unauthorized,
        Code::PermissionDenied => Reason::Forbidden,
        Code::NotFound => Reason::NotFound,
        Code::AlreadyExists => Reason::AlreadyExists,
        Code::Aborted | Code::FailedPrecondition => Reason::Conflict,
        Code::OutOfRange => Reason::Expired,
        Code::DeadlineExceeded => Reason::Timeout,
        Code::ResourceExhausted => Reason::TooManyRequests,
        Code::Unavailable => Reason::ServiceUnavailable,
        _ => Reason::InternalError,
    }
}

/// Bytes of text that fit into trailers: both ends take 16 KiB of headers, the text goes
/// twice (as the message and inside of the JSON), and either form is encoded.
const MOST_TEXT_BYTES: usize = 2048;

/// An API error as a gRPC status with the Kubernetes `Status` beside it. What is too long
/// for a trailer is cut, so that the client gets an error and not a broken connection.
#[must_use]
pub fn to_status(error: &ApiError) -> Status {
    let error = fitted(error);
    let mut metadata = MetadataMap::new();
    let json = error.to_status_json();
    metadata.insert_bin(STATUS_TRAILER, BinaryMetadataValue::from_bytes(&json));
    Status::with_metadata(code(error.reason), &error.message, metadata)
}

fn fitted(error: &ApiError) -> ApiError {
    let mut error = error.clone();
    cut(&mut error.message, MOST_TEXT_BYTES);
    for detail in error.details.values_mut() {
        if let serde_json::Value::String(text) = detail {
            cut(text, MOST_TEXT_BYTES / 2);
        }
    }
    let mut left = MOST_TEXT_BYTES;
    error.causes.retain_mut(|cause| {
        cut(&mut cause.message, MOST_TEXT_BYTES / 4);
        cut(&mut cause.field, MOST_TEXT_BYTES / 4);
        let size = cause.field.len() + cause.message.len() + cause.reason.len();
        let fits = size <= left;
        left -= if fits { size } else { left };
        fits
    });
    error
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - '…'.len_utf8()));
        text.push('…');
    }
}

/// The API error inside a gRPC status; from the code and message alone when the
/// sender added no Kubernetes `Status`.
#[must_use]
pub fn from_status(status: &Status) -> ApiError {
    status
        .metadata()
        .get_bin(STATUS_TRAILER)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|json| ApiError::from_status_json(&json))
        .unwrap_or_else(|| ApiError::new(reason(status.code()), status.message()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_api::error::FieldError;

    #[test]
    fn every_reason_survives_the_way_there_and_back() {
        for reason in Reason::ALL {
            let mut error = ApiError::new(reason, "what happened");
            error.causes.push(FieldError::invalid("spec.replicas", "must not be negative"));
            assert_eq!(from_status(&to_status(&error)), error);
        }
    }

    #[test]
    fn a_long_error_fits_into_trailers() {
        let mut error = ApiError::new(Reason::Invalid, "é".repeat(100_000));
        error.causes = (0..1000).map(|n| FieldError::invalid(format!("f{n}"), "x".repeat(n))).collect();
        let status = to_status(&error);
        let json = status.metadata().get_bin(STATUS_TRAILER).expect("a trailer").to_bytes().expect("bytes");
        // A byte of the message takes three as a header, of the JSON four thirds.
        assert!(status.message().len() * 3 + json.len() * 4 / 3 < 15_000, "{}", json.len());
        let read = from_status(&status);
        assert!(read.message.ends_with('…') && !read.causes.is_empty());
        assert_eq!(read.reason, Reason::Invalid);
    }

    #[test]
    fn a_status_without_details_keeps_its_message() {
        let error = from_status(&Status::not_found("pods \"a\" not found"));
        assert_eq!(error, ApiError::new(Reason::NotFound, "pods \"a\" not found"));
    }
}
