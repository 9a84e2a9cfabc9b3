//! One rustls provider (ring) and TLS 1.3 for the whole process.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Installs ring as the process's provider. Later calls change nothing.
pub fn install_provider() {
    // Err means that it is installed already.
    let _ = CryptoProvider::install_default(rustls::crypto::ring::default_provider());
}

/// The provider that every config of this process is built with.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS to servers by a rustls configuration of our own, which unlike tonic's may change
/// the certificate that it shows from one connection to the next.
#[derive(Clone)]
pub struct Connector(Arc<ClientConfig>);

impl Connector {
    /// By this configuration, speaking HTTP/2.
    #[must_use]
    pub fn new(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(Arc::new(config))
    }

    /// A channel that connects when it is used. The endpoint's address must be an
    /// `http` one: the TLS is ours, not tonic's.
    #[must_use]
    pub fn lazy(&self, endpoint: &Endpoint) -> Channel {
        let config = self.0.clone();
        endpoint.connect_with_connector_lazy(tower::service_fn(move |uri| dial(uri, config.clone())))
    }

    /// A channel that stands.
    ///
    /// # Errors
    /// When the server cannot be reached, or one of the two does not trust the other.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
        let config = self.0.clone();
        endpoint.connect_with_connector(tower::service_fn(move |uri| dial(uri, config.clone()))).await
    }
}

async fn dial(uri: Uri, config: Arc<ClientConfig>) -> std::io::Result<TokioIo<TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let tcp = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
    Ok(TokioIo::new(tokio_rustls::TlsConnector::from(config).connect(name, tcp).await?))
}
