//! What a failed try says about the request: nothing happened, it cannot be known, or the
//! server has decided. Everything that is repeated or not follows from this one reading.

use std::error::Error;

use tonic::{Code, ConnectError, Status};
use xebec_api::error::{ApiError, Reason};
use xebec_rpc::error::{STATUS_TRAILER, from_status};

/// What is known about the request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has decided: another try would be told the same.
    Decided,
    /// It certainly changed nothing: any request may be tried again.
    NothingHappened,
    /// It may have happened: only what may happen twice is tried again.
    Unknown,
}

/// One failed try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: ApiError,
    pub(crate) outcome: Outcome,
    /// The connection is of no more use.
    pub(crate) broken: bool,
}

impl Failure {
    /// Reads an answer, or the lack of one.
    pub(crate) fn of(status: &Status) -> Self {
        if status.metadata().get_bin(STATUS_TRAILER).is_some() {
            let error = from_status(status);
            let outcome = match error.reason {
                Reason::ServiceUnavailable | Reason::TooManyRequests => Outcome::NothingHappened,
                Reason::Timeout => Outcome::Unknown,
                _ => Outcome::Decided,
            };
            return Self { error, outcome, broken: false };
        }
        match status.source() {
            Some(source) => Self::of_transport(source),
            None => Self::without_details(status),
        }
    }

    /// The connection was never made.
    pub(crate) fn to_connect(error: &(dyn Error + 'static)) -> Self {
        let text = text(error);
        let outcome = Outcome::NothingHappened;
        if is_distrust(&text) {
            return Self { error: ApiError::new(Reason::Unauthorized, text), outcome, broken: true };
        }
        Self { error: ApiError::new(Reason::ServiceUnavailable, text), outcome, broken: true }
    }

    /// No answer within the time of one try.
    pub(crate) fn timed_out() -> Self {
        let error = ApiError::new(Reason::Timeout, "no answer in time");
        Self { error, outcome: Outcome::Unknown, broken: false }
    }

    /// No connection within the time of one try.
    pub(crate) fn no_connection_in_time() -> Self {
        let error = ApiError::new(Reason::ServiceUnavailable, "no connection in time");
        Self { error, outcome: Outcome::NothingHappened, broken: true }
    }

    fn of_transport(source: &(dyn Error + 'static)) -> Self {
        if chain(source).any(|error| error.is::<ConnectError>()) {
            return Self::to_connect(source);
        }
        let text = text(source);
        // In TLS 1.3 a server turns a client's certificate down after the handshake.
        if text.contains("received fatal alert") {
            let message = format!("the server turned this client's certificate down: {text}");
            let error = ApiError::new(Reason::Unauthorized, message);
            return Self { error, outcome: Outcome::Decided, broken: true };
        }
        let error = ApiError::new(Reason::ServiceUnavailable, text);
        Self { error, outcome: Outcome::Unknown, broken: true }
    }

    fn without_details(status: &Status) -> Self {
        let outcome = match status.code() {
            Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => Outcome::Unknown,
            _ => Outcome::Decided,
        };
        Self { error: from_status(status), outcome, broken: status.code() == Code::Unavailable }
    }
}

/// One side does not accept the other's certificate: waiting will not change it.
fn is_distrust(text: &str) -> bool {
    text.contains("invalid peer certificate") || text.contains("received fatal alert")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The whole chain of causes as one line, without repeating what a cause's text holds already.
pub(crate) fn text(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for error in chain(error) {
        let text = error.to_string();
        if matches!(text.as_str(), "transport error" | "") || line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    if line.is_empty() { "the connection broke".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_rpc::error::to_status;

    fn outcome(reason: Reason) -> Outcome {
        Failure::of(&to_status(&ApiError::new(reason, "why"))).outcome
    }

    #[test]
    fn a_servers_words_decide_what_may_be_tried_again() {
        assert_eq!(outcome(Reason::ServiceUnavailable), Outcome::NothingHappened);
        assert_eq!(outcome(Reason::TooManyRequests), Outcome::NothingHappened);
        assert_eq!(outcome(Reason::Timeout), Outcome::Unknown);
        assert_eq!(outcome(Reason::NotFound), Outcome::Decided);
        assert_eq!(outcome(Reason::InternalError), Outcome::Decided);
    }

    #[test]
    fn without_details_only_an_absent_answer_is_unknown() {
        assert_eq!(Failure::of(&Status::unavailable("going away")).outcome, Outcome::Unknown);
        assert_eq!(Failure::of(&Status::unimplemented("what?")).outcome, Outcome::Decided);
    }

    #[test]
    fn causes_read_as_one_line() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(text(&ConnectError(Box::new(refused))), "connection refused");
    }
}
