//! The server without its watches: listeners, connections, and how they end. Whoever has a
//! table gives it to [`Server::set`].
//!
//! It stops in steps, so that nobody who asks is turned away: first every answer says that
//! it is the connection's last, while new connections are still taken (those who send them
//! need a moment to learn that this pod leaves); then no new ones are; then what is left has
//! a while to finish.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::AsyncWrite;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xebec_dataplane::ingress::{IngressTable, SecretName};

use crate::access_log::AccessLog;
use crate::certificates::{CertificateError, Certificates, Known};
use crate::connection::Context;
use crate::endpoints::Suspects;
use crate::exchange::Exchange;
use crate::listen::{Listener, acceptor, bind};
use crate::upstream::Upstream;

/// So long the server still takes new connections after it was told to stop.
const LEAVING: Duration = Duration::from_secs(3);
/// So long requests may then take to finish. Both together are within the pod's grace.
const FINISHING: Duration = Duration::from_secs(20);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A socket that cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The default certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Where it listens, and within which bounds.
pub(crate) struct Settings {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    /// Of clients.
    pub(crate) most_connections: usize,
}

/// A server. It is given a table before it listens, so that nobody finds it without rules.
pub(crate) struct Server {
    table: Arc<ArcSwap<IngressTable>>,
    certificates: Arc<Certificates>,
    known: Known,
    context: Context,
    stopping: watch::Sender<bool>,
    listeners: Tasks,
    connections: TaskTracker,
    kill: CancellationToken,
    log: Tasks,
    tidying: Tasks,
}

/// Tasks and what ends them.
#[derive(Default)]
struct Tasks {
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Tasks {
    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A panic in it was reported where it happened.
            let _ = task.await;
        }
    }
}

impl Server {
    /// One that does not listen yet, with at most so many connections to endpoints.
    pub(crate) fn new(
        log_to: impl AsyncWrite + Unpin + Send + 'static,
        most_upstream: usize,
    ) -> Result<Self, ServerError> {
        let table: Arc<ArcSwap<IngressTable>> = Arc::default();
        let log = Arc::new(AccessLog::default());
        let (stopping, watched) = watch::channel(false);
        let exchange = Exchange {
            table: Arc::clone(&table),
            log: Arc::clone(&log),
            upstream: Arc::new(Upstream::new(most_upstream)),
            suspects: Suspects::default(),
            stopping: watched,
        };
        let context = Context { exchange: Arc::new(exchange), finish: CancellationToken::new() };
        let mut writing = Tasks::default();
        let stop = writing.stop.clone();
        writing.tasks.push(tokio::spawn(async move { log.run(log_to, stop).await }));
        let (mut tidying, upstream) = (Tasks::default(), Arc::clone(&context.exchange.upstream));
        let stop = tidying.stop.clone();
        tidying.tasks.push(tokio::spawn(async move {
            stop.run_until_cancelled(upstream.keep_tidy()).await;
        }));
        Ok(Self {
            table,
            certificates: Arc::new(Certificates::new()?),
            known: Known::default(),
            context,
            stopping,
            listeners: Tasks::default(),
            connections: TaskTracker::new(),
            kill: CancellationToken::new(),
            log: writing,
            tidying,
        })
    }

    /// Opens the sockets; gives their addresses, HTTP first.
    pub(crate) fn listen(&mut self, settings: &Settings) -> Result<[SocketAddr; 2], ServerError> {
        let slots = Arc::new(Semaphore::new(settings.most_connections));
        let mut addresses = [settings.http, settings.https];
        let tls = acceptor(self.certificates.clone())?;
        for (address, tls) in addresses.iter_mut().zip([None, Some(tls)]) {
            let wrong = |source| ServerError::Listen { address: *address, source };
            let socket = bind(*address).map_err(wrong)?;
            let bound = socket.local_addr().map_err(wrong)?;
            let listener = Listener {
                socket,
                tls,
                context: self.context.clone(),
                slots: Arc::clone(&slots),
                connections: self.connections.clone(),
                kill: self.kill.clone(),
            };
            self.listeners.tasks.push(tokio::spawn(listener.run(self.listeners.stop.clone())));
            *address = bound;
        }
        Ok(addresses)
    }

    /// Takes a table over; requests that run keep theirs.
    pub(crate) fn set(
        &mut self,
        table: IngressTable,
        secret: impl Fn(&SecretName) -> Option<Arc<xebec_api::object::Object>>,
    ) {
        self.certificates.update(&table, &mut self.known, secret);
        self.table.store(Arc::new(table));
        self.context.exchange.upstream.tidy();
    }

    /// Stops as the module says.
    pub(crate) async fn stop(self) {
        self.stopping.send_replace(true);
        self.connections.close();
        if !self.connections.is_empty() {
            tokio::time::sleep(LEAVING).await;
        }
        self.listeners.end().await;
        self.context.finish.cancel();
        if timeout(FINISHING, self.connections.wait()).await.is_err() {
            tracing::warn!(
                left = self.connections.len(),
                "connections are cut: they took too long to finish"
            );
        }
        self.kill.cancel();
        self.connections.wait().await;
        self.tidying.end().await;
        self.log.end().await;
    }
}
