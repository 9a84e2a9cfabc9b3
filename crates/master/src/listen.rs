//! TLS ports. Handshakes run side by side, bounded in number and time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use xebec_rpc::tls;

use crate::error::MasterError;
use crate::pki::ServingCertificate;

/// What masters talk with each other.
pub(crate) const HTTP2: &[&[u8]] = &[b"h2"];
/// What clients may talk.
pub(crate) const HTTP2_OR_1: &[&[u8]] = &[b"h2", b"http/1.1"];
/// At once, on one port.
pub(crate) const HANDSHAKES: usize = 256;
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// How long it may take where others wait for its place.
const PRESSED_TIME: Duration = Duration::from_secs(1);
/// How long a client that is refused may take to read that it is.
const ALERT_TIME: Duration = Duration::from_secs(1);

/// A handshake under way.
struct Shaking {
    since: Instant,
    /// Cancelled when its place is needed; gone when it is over.
    gives_way: Weak<CancellationToken>,
}

/// Connections that shook hands.
pub(crate) type Incoming = ReceiverStream<std::io::Result<TlsStream<TcpStream>>>;

/// Binds a port.
///
/// # Errors
/// [`MasterError::Listen`], naming the configuration's field.
pub(crate) async fn bind(field: &'static str, address: &str) -> Result<TcpListener, MasterError> {
    let listen = |source| MasterError::Listen { field, address: address.to_owned(), source };
    let parsed: SocketAddr = address.parse().map_err(|error| listen(std::io::Error::other(error)))?;
    let socket =
        if parsed.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
    let socket = socket.map_err(listen)?;
    socket.set_reuseaddr(true).map_err(listen)?;
    socket.bind(parsed).map_err(listen)?;
    socket.listen(1024).map_err(listen)
}

/// TLS 1.3 with this certificate. Clients show one of this CA, or, where `optional`,
/// none; what they may do without is decided later. They choose among `protocols`.
///
/// # Errors
/// [`MasterError::Certificate`].
pub(crate) fn server_config(
    certificate: Arc<ServingCertificate>,
    ca_der: &[u8],
    optional: bool,
    protocols: &[&[u8]],
) -> Result<ServerConfig, MasterError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca_der.to_vec().into())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider());
    let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
    let verifier = verifier.build().map_err(|error| MasterError::Certificate(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// How a master connects to others: with the certificate that its own peers' port shows,
/// so that both change together.
///
/// # Errors
/// [`MasterError::Certificate`].
pub(crate) fn peer_connector(
    certificate: Arc<ServingCertificate>,
    ca_der: &[u8],
) -> Result<tls::Connector, MasterError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca_der.to_vec().into())?;
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_cert_resolver(certificate);
    Ok(tls::Connector::new(config))
}

/// Accepts until `stop`; the task ends with it, or when nobody takes connections.
pub(crate) fn accept(
    listener: TcpListener,
    config: ServerConfig,
    stop: CancellationToken,
) -> (Incoming, impl Future<Output = ()>) {
    let (ready, incoming) = mpsc::channel(64);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let task = async move {
        let (slots, mut shaking) = (Arc::new(Semaphore::new(HANDSHAKES)), VecDeque::new());
        loop {
            let accepted = async {
                let slot = place(&slots, &mut shaking).await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = stop.cancelled() => return,
            };
            let (tcp, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, say: what is open goes on, and we try again.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, ready, gives_way) =
                (acceptor.clone(), ready.clone(), Arc::new(CancellationToken::new()));
            shaking.push_back(Shaking { since: Instant::now(), gives_way: Arc::downgrade(&gives_way) });
            tokio::spawn(async move {
                let _slot = slot;
                let shaken = tokio::select! {
                    shaken = greet(acceptor, tcp, from) => shaken,
                    () = gives_way.cancelled() => {
                        tracing::debug!(%from, "a TLS handshake gave way to others");
                        None
                    }
                };
                drop(gives_way);
                if let Some(stream) = shaken {
                    // Nobody takes it any more while shutting down.
                    drop(ready.send(Ok(stream)).await);
                }
            });
        }
    };
    (ReceiverStream::new(incoming), task)
}

/// A place for one more handshake. Where there is none for a while the oldest gives way: all have
/// had their time then, so it is one of a crowd that keeps the places and never shakes hands.
async fn place(slots: &Arc<Semaphore>, shaking: &mut VecDeque<Shaking>) -> OwnedSemaphorePermit {
    shaking.retain(|one| one.gives_way.strong_count() > 0);
    let slot = slots.clone().acquire_owned();
    let Some(oldest) = shaking.front() else { return slot.await.expect("never closed") };
    if let Ok(slot) = tokio::time::timeout_at(oldest.since + PRESSED_TIME, slot).await {
        return slot.expect("never closed");
    }
    if let Some(oldest) = shaking.pop_front().and_then(|oldest| oldest.gives_way.upgrade()) {
        oldest.cancel();
    }
    slots.clone().acquire_owned().await.expect("never closed")
}

/// A connection that shook hands in time. One that did not is told why.
async fn greet(acceptor: TlsAcceptor, tcp: TcpStream, from: SocketAddr) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_TIME, shake(acceptor, tcp)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err((error, tcp))) => {
            tracing::warn!(%from, %error, "refused: the TLS handshake failed");
            let _ = tokio::time::timeout(ALERT_TIME, let_it_read(tcp)).await;
        }
        Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
    }
    None
}

/// The handshake; when it fails, the connection is given back with why.
async fn shake(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, (std::io::Error, TcpStream)> {
    if let Err(error) = tcp.set_nodelay(true) {
        return Err((error, tcp));
    }
    acceptor.accept(tcp).into_fallible().await
}

/// The client is told why by an alert. Closing while something that it sent is unread would
/// have the kernel reset the connection, and the client might never see the alert.
async fn let_it_read(mut tcp: TcpStream) -> std::io::Result<()> {
    tcp.shutdown().await?;
    let mut unread = [0; 4096];
    while tcp.read(&mut unread).await? > 0 {}
    Ok(())
}
