//! The connection to an endpoint, and what every connection has in common.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
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
    let socket = match source.map(|address| open(Some(address))) {
        Some(Ok(socket)) => socket,
        Some(Err(error)) => {
            tracing::debug!(%error, "cannot keep the client's address");
            open(None)?
        }
        None => open(None)?,
    };
    let connecting = socket.connect(SocketAddr::V4(backend.endpoint.address));
    let stream = tokio::time::timeout(patience, connecting).await.map_err(io::Error::from)??;
    watch(&stream, IDLE_SECONDS);
    Ok(stream)
}

/// Transparent, so that the kernel does not track it, whatever its address.
fn open(source: Option<Ipv4Addr>) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    if let Some(address) = source {
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(address.into(), 0))?;
    }
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
