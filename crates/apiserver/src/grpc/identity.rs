//! Who is behind a gRPC request: the connection's client certificate and the header
//! `authorization`; until when: the header `grpc-timeout`.

use std::sync::Arc;
use std::time::Duration;

use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::transport::CertificateDer;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use xebec_api::error::ApiError;

use crate::authentication::Credentials;
use crate::{ApiServer, RequestContext};

/// The client's certificate chain, for servers that accept TLS themselves: put into the
/// request's extensions. With tonic's own TLS nothing has to be done.
pub type PeerCertificates = Arc<Vec<CertificateDer<'static>>>;

/// The context of a request, for every service of the client port.
///
/// # Errors
/// `Unauthorized`, logged.
pub fn authenticate<T>(server: &ApiServer, request: &Request<T>) -> Result<RequestContext, ApiError> {
    let extensions = request.extensions();
    let by_tonic = || extensions.get::<TlsConnectInfo<TcpConnectInfo>>().and_then(TlsConnectInfo::peer_certs);
    let chain = extensions.get::<PeerCertificates>().cloned().or_else(by_tonic);
    let certificate = chain.as_ref().and_then(|chain| chain.first()).map(AsRef::as_ref);
    let metadata = request.metadata();
    let authorization = metadata.get("authorization").map(|value| value.to_str().unwrap_or("not ASCII"));
    let peer = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
    let credentials = Credentials { certificate, authorization, peer: &peer };
    server.authenticate(&credentials, timeout(metadata))
}

/// `grpc-timeout`, as gRPC spells it: digits and a unit.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
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
            assert_eq!(timeout(&metadata), wanted, "{text}");
        }
    }
}
