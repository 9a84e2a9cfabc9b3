//! The TCP server: each query behind its length, one after the other. Connections are
//! bounded in number, and in time: the more there are the less an idle one is waited for.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::resolver::{Resolver, Transport};

/// Connections at once.
pub(crate) const MOST_CONNECTIONS: usize = 512;
/// How long a client may take for its next query, or to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same while three quarters of the connections are taken.
const HURRY: Duration = Duration::from_secs(1);
/// The largest query; real ones have less than 300 bytes.
const QUERY_BYTES: u16 = 4096;
/// After an accept that failed others first finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens the port. What is accepted sends each answer at once, and has this from here: of two
/// that were asked for together the second would wait until the first was acknowledged.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    setsockopt(&listener, sockopt::TcpNoDelay, &true)?;
    Ok(listener)
}

/// Serves until `stop`; connections that stand then are closed.
pub(crate) async fn serve(listener: TcpListener, resolver: Arc<Resolver>, stop: CancellationToken) {
    let (slots, connections) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), TaskTracker::new());
    let next = async || {
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>((listener.accept().await?.0, slot))
    };
    while let Some(accepted) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, slot)) => {
                let connection = Connection { stream, resolver: Arc::clone(&resolver), slot };
                let stop = stop.clone();
                connections.spawn(async move { stop.run_until_cancelled(connection.serve()).await });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

struct Connection {
    stream: TcpStream,
    resolver: Arc<Resolver>,
    slot: OwnedSemaphorePermit,
}

impl Connection {
    /// Until the client closes it, is too slow, or sends what is no query.
    async fn serve(mut self) {
        while let Ok(Some(query)) = self.query().await {
            let Some(answer) = self.resolver.answer(&query, Transport::Tcp).await else { return };
            // Answers are no longer than this says.
            let Ok(length) = u16::try_from(answer.len()) else { return };
            let framed = [&length.to_be_bytes(), &*answer].concat();
            match timeout(self.patience(), self.stream.write_all(&framed)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }

    /// The next query; `None` for one that is too long.
    async fn query(&mut self) -> io::Result<Option<Vec<u8>>> {
        let patience = self.patience();
        let read = async {
            let length = self.stream.read_u16().await?;
            if length > QUERY_BYTES {
                return Ok(None);
            }
            let mut query = vec![0; length.into()];
            self.stream.read_exact(&mut query).await?;
            Ok(Some(query))
        };
        timeout(patience, read).await?
    }

    fn patience(&self) -> Duration {
        let free = self.slot.semaphore().available_permits();
        if free < MOST_CONNECTIONS / 4 { HURRY } else { PATIENCE }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn no_answer_waits_for_the_one_before_it() {
        let listener = listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        assert!(stream.nodelay().expect("it is known"));
        drop(client);
    }
}
