//! Who is behind a gRPC request, as for every request; and until when it is good: the
//! header `grpc-timeout`.

use std::time::Duration;

use tonic::Request;
use tonic::metadata::MetadataMap;
use xebec_api::error::ApiError;

use crate::{ApiServer, RequestContext, connection};

/// The most that is left for the answer.
const ANSWER: Duration = Duration::from_millis(100);

/// The context of a request, for every service of the client port.
///
/// # Errors
/// `Unauthorized`, logged.
pub fn authenticate<T>(server: &ApiServer, request: &Request<T>) -> Result<RequestContext, ApiError> {
    let metadata = request.metadata();
    connection::authenticate(server, request.extensions(), metadata.as_ref(), timeout(metadata))
}

/// What the work may take of the caller's time. The caller's clock ran first, so the last
/// of it is for the answer: who hears nothing is not told why, either.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let whole = spelled_timeout(metadata)?;
    Some(whole - ANSWER.min(whole / 10))
}

/// `grpc-timeout`, as gRPC spells it: digits and a unit.
fn spelled_timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_spells_them() {
        for (text, wanted) in [
            ("5S", Some(Duration::from_secs(5))),
            ("250m", Some(Duration::from_millis(250))),
            ("1H", Some(Duration::from_secs(3600))),
            ("", None),
            ("S", None),
            ("5", None),
            ("123456789S", None),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().expect("ASCII"));
            assert_eq!(spelled_timeout(&metadata), wanted, "{text}");
        }
    }

    #[test]
    fn a_tenth_of_a_second_or_of_the_time_is_left_for_the_answer() {
        for (text, wanted) in [("5S", 4900), ("250m", 225)] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().expect("ASCII"));
            assert_eq!(timeout(&metadata), Some(Duration::from_millis(wanted)), "{text}");
        }
    }
}
