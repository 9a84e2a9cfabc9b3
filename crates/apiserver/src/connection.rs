//! Who is behind a request: the client certificate of its connection and its header
//! `authorization`. The same for both faces.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap};
use tonic::transport::CertificateDer;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use xebec_api::error::ApiError;

use crate::authentication::Credentials;
use crate::{ApiServer, RequestContext};

/// The client's certificate chain, for servers that accept TLS themselves: put into the
/// request's extensions. With tonic's own TLS nothing has to be done.
pub type PeerCertificates = Arc<Vec<CertificateDer<'static>>>;

type TlsInfo = TlsConnectInfo<TcpConnectInfo>;

/// The context of a request with these extensions and headers.
///
/// # Errors
/// `Unauthorized`, logged.
pub(crate) fn authenticate(
    server: &ApiServer,
    extensions: &Extensions,
    headers: &HeaderMap,
    timeout: Option<Duration>,
) -> Result<RequestContext, ApiError> {
    let chain = certificates(extensions);
    let certificate = chain.as_ref().and_then(|chain| chain.first()).map(AsRef::as_ref);
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap_or("not ASCII"));
    let peer = peer(extensions).map(|address| address.to_string()).unwrap_or_default();
    server.authenticate(&Credentials { certificate, authorization, peer: &peer }, timeout)
}

/// Whether a request shows anything at all of who asks.
pub(crate) fn has_credentials(extensions: &Extensions, headers: &HeaderMap) -> bool {
    headers.contains_key("authorization") || certificates(extensions).is_some_and(|chain| !chain.is_empty())
}

fn certificates(extensions: &Extensions) -> Option<PeerCertificates> {
    let by_tonic = || extensions.get::<TlsInfo>().and_then(TlsConnectInfo::peer_certs);
    extensions.get::<PeerCertificates>().cloned().or_else(by_tonic)
}

fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    let tcp = extensions.get::<TcpConnectInfo>();
    let tls = || extensions.get::<TlsInfo>().map(TlsConnectInfo::get_ref);
    tcp.or_else(tls)?.remote_addr()
}
