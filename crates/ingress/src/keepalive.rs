//! Peers that are gone without a word: a power cut closes no connection, and one on which
//! nothing is said, as on most WebSockets, would stand for good.

use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

/// After so long without a word a peer is asked whether it still lives.
const IDLE_SECONDS: u32 = 60;
/// Then again after so long each.
const PROBE_SECONDS: u32 = 10;
/// So many questions without an answer break the connection.
const PROBES: u32 = 3;

/// Has the kernel ask. What is accepted has this from its listener.
pub(crate) fn watch(socket: &impl AsFd) {
    let set = || {
        setsockopt(socket, sockopt::KeepAlive, &true)?;
        setsockopt(socket, sockopt::TcpKeepIdle, &IDLE_SECONDS)?;
        setsockopt(socket, sockopt::TcpKeepInterval, &PROBE_SECONDS)?;
        setsockopt(socket, sockopt::TcpKeepCount, &PROBES)
    };
    if let Err(error) = set() {
        tracing::debug!(%error, "a connection's peer is not watched");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use nix::sys::socket::getsockopt;

    use super::*;
    use crate::listen::bind;
    use crate::upstream::open;

    #[tokio::test]
    async fn clients_and_endpoints_are_watched() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let endpoint = open(address).await.expect("it listens");
        let (client, _) = listener.accept().await.expect("a client");
        for stream in [endpoint, client] {
            assert_eq!(getsockopt(&stream, sockopt::KeepAlive), Ok(true));
            assert_eq!(getsockopt(&stream, sockopt::TcpKeepIdle), Ok(IDLE_SECONDS));
        }
    }
}
