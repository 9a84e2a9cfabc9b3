//! Connections to endpoints: made, lent for one request, and given back. There are only so many at
//! once, however many requests one client has: each takes a file descriptor, which clients need too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::body::Upload;
use crate::keepalive::watch;
use crate::pool::{KEEP, Pool, Sender};
use crate::wire::Wire;

/// An endpoint that does not take a connection for so long is given up for another one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// An endpoint's head may not be longer.
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// Why an endpoint has no connection for us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    Timeout,
    #[error("there are as many connections to endpoints as there may be, and none of them waits")]
    Full,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Upstream {
    pool: Pool,
    /// The right to a connection, for as long as its socket is open.
    slots: Arc<Semaphore>,
    /// The tasks that move the bytes of connections. Each ends with its connection.
    tasks: TaskTracker,
}

/// A connection that is lent for one request.
pub(crate) struct Lease {
    pub(crate) sender: Sender,
    endpoint: SocketAddr,
    upstream: Arc<Upstream>,
    /// It had a request before this one, and may have been closed meanwhile.
    pub(crate) used: bool,
    upload: Option<Arc<Upload>>,
}

impl Upstream {
    /// At most so many connections at once, those that wait for a request among them.
    pub(crate) fn new(most_connections: usize) -> Self {
        let slots = Arc::new(Semaphore::new(most_connections));
        Self { pool: Pool::default(), slots, tasks: TaskTracker::new() }
    }

    /// One that waits, or a new one.
    pub(crate) async fn lease(self: &Arc<Self>, endpoint: SocketAddr) -> Result<Lease, ConnectError> {
        while let Some(mut sender) = self.pool.take(endpoint) {
            // One whose endpoint leaves what it was sent before is as bad as one that is closed.
            if matches!(timeout(CONNECT_TIMEOUT, sender.ready()).await, Ok(Ok(()))) {
                return Ok(self.lend(sender, endpoint, true));
            }
        }
        self.connect(endpoint).await
    }

    /// A new one.
    pub(crate) async fn connect(self: &Arc<Self>, endpoint: SocketAddr) -> Result<Lease, ConnectError> {
        let slot = self.slot().await?;
        let wire = Wire::new(open(endpoint).await?, slot);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MOST_HEAD_BYTES);
        let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
        self.tasks.spawn(async move {
            // Whoever waits for an answer is told by it.
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%endpoint, %error, "a connection to an endpoint broke");
            }
        });
        Ok(self.lend(sender, endpoint, false))
    }

    /// The right to one more connection. When there is none left, one that waits for a request makes room.
    async fn slot(&self) -> Result<OwnedSemaphorePermit, ConnectError> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        if !self.pool.close_one() {
            return Err(ConnectError::Full);
        }
        // Its task closes it in a moment.
        match timeout(CONNECT_TIMEOUT, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(ConnectError::Full),
        }
    }

    fn lend(self: &Arc<Self>, sender: Sender, endpoint: SocketAddr, used: bool) -> Lease {
        Lease { sender, endpoint, upstream: Arc::clone(self), used, upload: None }
    }

    /// Forgets connections that are no use any more. Done with every new table, which is when
    /// endpoints go.
    pub(crate) fn tidy(&self) {
        self.pool.tidy();
    }

    /// Does so from time to time, for ever: an endpoint has a bound for connections, too.
    pub(crate) async fn keep_tidy(&self) {
        loop {
            sleep(KEEP).await;
            self.tidy();
        }
    }
}

/// A socket that is connected to an endpoint.
pub(crate) async fn open(endpoint: SocketAddr) -> Result<TcpStream, ConnectError> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint)).await;
    let stream = stream.map_err(|_| ConnectError::Timeout)??;
    stream.set_nodelay(true)?;
    watch(&stream);
    Ok(stream)
}

impl Lease {
    /// What says whether the request's body was sent: before that the connection is not free.
    pub(crate) fn wait_for(&mut self, upload: &Arc<Upload>) {
        self.upload = Some(Arc::clone(upload));
    }

    /// The answer is complete.
    pub(crate) fn give_back(self) {
        if self.upload.is_none_or(|upload| upload.is_sent()) {
            self.upstream.pool.put(self.endpoint, self.sender);
        }
    }
}
