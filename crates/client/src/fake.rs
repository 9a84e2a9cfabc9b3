//! An in-process master for tests, on loopback without TLS: a plain store with revisions
//! and watches behind the real gRPC service, and faults on demand. It knows no defaults, no
//! validation and no rights.

mod service;
mod store;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server as TonicServer;
use xebec_api::error::ApiError;
use xebec_rpc::v1::resources_server::ResourcesServer;

use crate::client::Client;
use crate::credentials::{Credentials, Identity, Trust};
use crate::server::Server;
use service::Service;
pub use store::Store;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered by this error; nothing happened.
    Refuse(ApiError),
    /// Done, but answered by this error.
    DoThenFail(ApiError),
    /// Never answered.
    Hang,
}

/// What a fake and its service share.
#[derive(Default)]
pub(crate) struct Shared {
    faults: Mutex<VecDeque<Fault>>,
    calls: Mutex<Vec<String>>,
    cut_off: CancellationToken,
}

/// One fake master. Several may stand on one [`Store`].
pub struct Fake {
    /// What it serves.
    pub store: Arc<Store>,
    shared: Arc<Shared>,
    address: SocketAddr,
    cancel: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Fake {
    /// Starts one on a store of its own.
    pub async fn start() -> Self {
        Self::on(Arc::default()).await
    }

    /// Starts one on a store that others serve as well.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub async fn on(store: Arc<Store>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let cancel = CancellationToken::new();
        let service =
            Service { store: Arc::clone(&store), shared: Arc::clone(&shared), cancel: cancel.clone() };
        let stop = cancel.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            let server = TonicServer::builder().add_service(ResourcesServer::new(service));
            // A test that lost its server fails by itself.
            let _ = server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop).await;
        });
        Self { store, shared, address, cancel, task: Some(task) }
    }

    /// Its address.
    ///
    /// # Panics
    /// Never: a socket's address is a server's.
    #[must_use]
    pub fn server(&self) -> Server {
        format!("http://{}", self.address).parse().expect("a socket's address is a server's")
    }

    /// The next request meets this.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    /// Every request so far, such as `get pods default/web`, and none twice.
    #[must_use]
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its watches end, as it reaches no other master any more.
    pub fn cut_off(&self) {
        self.shared.cut_off.cancel();
    }

    /// Ends it: its connections break, its address refuses new ones.
    pub async fn stop(&mut self) {
        self.cancel.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// A client of these fakes.
///
/// # Panics
/// On an empty list.
#[must_use]
pub fn client_of(fakes: &[&Fake]) -> Client {
    let servers = fakes.iter().map(|fake| fake.server()).collect();
    let nobody = Credentials { trust: Trust::Nobody, identity: Identity::Anonymous };
    Client::new(servers, &nobody).expect("no credentials, none broken")
}
