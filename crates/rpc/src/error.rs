//! The one table between an API error and a gRPC status. The Kubernetes `Status`
//! travels as JSON in a binary trailer, so that no detail is lost on the way.

use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::{Code, Status};
use xebec_api::error::{ApiError, Reason};

/// The trailer that carries the Kubernetes `Status` object as JSON.
pub const STATUS_TRAILER: &str = "xebec-status-bin";

/// The gRPC code for a reason; the inverse is [`reason`].
#[must_use]
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::BadRequest | Reason::Invalid | Reason::MethodNotAllowed => Code::InvalidArgument,
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

/// An API error as a gRPC status with the Kubernetes `Status` beside it.
#[must_use]
pub fn to_status(error: &ApiError) -> Status {
    let mut metadata = MetadataMap::new();
    let json = error.to_status_json();
    metadata.insert_bin(STATUS_TRAILER, BinaryMetadataValue::from_bytes(&json));
    Status::with_metadata(code(error.reason), &error.message, metadata)
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
    fn a_status_without_details_keeps_its_message() {
        let error = from_status(&Status::not_found("pods \"a\" not found"));
        assert_eq!(error, ApiError::new(Reason::NotFound, "pods \"a\" not found"));
    }
}
