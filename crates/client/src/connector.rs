//! One connection to one master: TCP, then TLS 1.3 where the address says so, as a tonic
//! channel whose HTTP/2 pings notice a dead peer within two seconds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Error};
use tower::service_fn;

use crate::server::Server;

/// A master that does not take a connection within this time is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Together they bound the time until a silent peer is given up: two seconds.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of one stream and of one connection that may be under way.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Connects, and answers once the connection stands.
pub(crate) async fn connect(server: &Server, tls: Arc<ClientConfig>) -> Result<Channel, Error> {
    let endpoint = endpoint(server)?;
    let server = server.clone();
    let connector = service_fn(move |_| dial(server.clone(), tls.clone()));
    endpoint.connect_with_connector(connector).await
}

fn endpoint(server: &Server) -> Result<Endpoint, Error> {
    // The connector does TLS itself, so tonic must take the address for a plain one.
    let address = format!("http://{}", server.to_string().rsplit("//").next().unwrap_or_default());
    let origin = server.to_string().parse().expect("a server prints as a URI");
    Ok(Endpoint::from_shared(address)?
        .origin(origin)
        .user_agent(concat!("xebec/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW))
}

async fn dial(server: Server, tls: Arc<ClientConfig>) -> io::Result<TokioIo<Box<dyn Io>>> {
    let tcp = TcpStream::connect((server.host(), server.port())).await?;
    tcp.set_nodelay(true)?;
    if server.is_plain() {
        return Ok(TokioIo::new(Box::new(tcp)));
    }
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let tls = TlsConnector::from(tls).connect(name, tcp).await?;
    Ok(TokioIo::new(Box::new(tls)))
}
