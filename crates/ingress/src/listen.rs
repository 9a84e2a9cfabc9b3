//! The two listeners.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Context, serve};
use crate::guard::HEAD_TIMEOUT;
use crate::keepalive::watch;
use crate::transport::Transport;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// After an accept that failed (no file descriptors left, mostly), others first finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and what it does with connections.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// With TLS.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) context: Context,
    /// Bounds the connections of all listeners.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) connections: TaskTracker,
    /// Ends connections, whatever they do.
    pub(crate) kill: CancellationToken,
}

/// Opens a socket, also while connections of an earlier process linger there.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    watch(&socket);
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// TLS 1.2 and 1.3 with these certificates, HTTP/2 preferred.
pub(crate) fn acceptor(certificates: Arc<dyn ResolvesServerCert>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Listener {
    /// Accepts until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let next = async || {
            let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((self.socket.accept().await?, slot))
        };
        while let Some(accepted) = stop.run_until_cancelled(next()).await {
            match accepted {
                Ok(((stream, peer), slot)) => {
                    let (tls, context, kill) = (self.tls.clone(), self.context.clone(), self.kill.clone());
                    self.connections.spawn(async move {
                        let served = async {
                            if let Some(transport) = Box::pin(begin(stream, peer, tls)).await {
                                serve(context, transport, peer.ip()).await;
                            }
                        };
                        kill.run_until_cancelled_owned(served).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// With TLS, shakes hands.
async fn begin(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) -> Option<Transport> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = tls else { return Some(Transport::Plain(stream)) };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Transport::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "no TLS handshake");
            None
        }
        Err(_) => None,
    }
}
