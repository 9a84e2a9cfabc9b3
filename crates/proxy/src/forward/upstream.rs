//! The connection to an endpoint, and what every connection has in common.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rand::Rng as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::routes::Backend;

/// An endpoint that does not answer for so long is given up for another one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// The last one has longer. One that is busy drops what it has no place for, and takes it when
/// the kernel asks again, which it does after one, three and seven seconds.
const LAST_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After so long without a word, an endpoint is asked whether it still lives.
const IDLE_SECONDS: u32 = 10;
/// The same for a client.
pub(crate) const CLIENT_IDLE_SECONDS: u32 = 120;
/// Ports for connections in a client's name. For those that the client makes by itself its own
/// kernel takes higher ones (`ip_local_port_range`): with one port to one endpoint each would
/// break the other, and neither kernel knows of both.
const BORROWED_PORTS: Range<u16> = 1024..30_000;
/// So many of them are tried until one is free.
const PORT_TRIES: usize = 8;
const PROBE_SECONDS: u32 = 2;
const PROBES: u32 = 3;

/// How long an endpoint may take when so many others are left to be tried after it.
pub(super) fn patience(others: usize) -> Duration {
    if others == 0 { LAST_CONNECT_TIMEOUT } else { CONNECT_TIMEOUT }
}

/// Connects within `patience`; with a `source`, from that address and a port of its own.
pub(super) async fn connect(
    backend: &Backend,
    source: Option<Ipv4Addr>,
    patience: Duration,
) -> io::Result<TcpStream> {
    let connecting = dial(SocketAddr::V4(backend.endpoint.address), source);
    let stream = tokio::time::timeout(patience, connecting).await.map_err(io::Error::from)??;
    watch(&stream, IDLE_SECONDS);
    Ok(stream)
}

async fn dial(endpoint: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    if let Some(address) = source {
        for _ in 0..PORT_TRIES {
            let port = rand::rng().random_range(BORROWED_PORTS);
            let connected = match borrow(SocketAddr::new(address.into(), port)) {
                Ok(socket) => socket.connect(endpoint).await,
                Err(error) => Err(error),
            };
            match connected {
                // It is taken: by a listener of this host, or by a connection to this very endpoint.
                Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => {}
                outcome => return outcome,
            }
        }
        tracing::debug!(%endpoint, "cannot keep the client's address");
    }
    open()?.connect(endpoint).await
}

/// Transparent, so that the kernel does not track it, whatever its address.
fn open() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    Ok(socket)
}

/// One in a client's name. Others may have the port too, as long as they lead elsewhere.
fn borrow(source: SocketAddr) -> io::Result<TcpSocket> {
    let socket = open()?;
    socket.set_reuseaddr(true)?;
    socket.bind(source)?;
    Ok(socket)
}

/// Sends at once, and notices a peer that is gone without a word. What is accepted has
/// this from its listener.
pub(crate) fn watch(stream: &impl AsFd, idle_seconds: u32) {
    let set = || {
        setsockopt(stream, sockopt::TcpNoDelay, &true)?;
        setsockopt(stream, sockopt::KeepAlive, &true)?;
        setsockopt(stream, sockopt::TcpKeepIdle, &idle_seconds)?;
        setsockopt(stream, sockopt::TcpKeepInterval, &PROBE_SECONDS)?;
        setsockopt(stream, sockopt::TcpKeepCount, &PROBES)
    };
    if let Err(error) = set() {
        tracing::debug!(%error, "TCP_NODELAY and keepalive");
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use nix::sys::socket::getsockopt;
    use tokio::net::TcpListener;
    use xebec_dataplane::Endpoint;
    use xebec_tests::skips::root_or_skip;

    use super::*;

    /// With a time-out of the kernel's own it would be broken off for what it does not take.
    #[tokio::test]
    async fn an_endpoint_may_take_nothing_for_as_long_as_it_likes() {
        if !root_or_skip("a transparent socket") {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let backend = Backend::new(Endpoint { address, local: true });
        let stream = connect(&backend, None, CONNECT_TIMEOUT).await.expect("connected");
        assert_eq!(getsockopt(&stream, sockopt::TcpUserTimeout), Ok(0));
        assert_eq!(getsockopt(&stream, sockopt::KeepAlive), Ok(true));
    }
}
