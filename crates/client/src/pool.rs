//! The masters, one kept connection to each that was needed, and which of them is asked.
//! All requests go to the same master until it fails one of them; then to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use tonic::service::interceptor::InterceptedService;

use crate::bearer::Bearer;
use crate::failure::Failure;
use crate::server::Server;
use crate::{connector, credentials::Credentials, credentials::TlsError};

/// A connection to a master that sends the client's token along, for any service.
pub type Channel = InterceptedService<tonic::transport::Channel, Bearer>;

pub(crate) struct Pool {
    inner: Mutex<Inner>,
}

struct Inner {
    masters: Vec<Master>,
    current: usize,
    tls: Arc<ClientConfig>,
    bearer: Bearer,
}

struct Master {
    server: Server,
    channel: Option<tonic::transport::Channel>,
}

impl Pool {
    /// # Panics
    /// On an empty list.
    pub(crate) fn new(servers: Vec<Server>, credentials: &Credentials) -> Result<Self, TlsError> {
        assert!(!servers.is_empty(), "a client needs at least one server");
        let (tls, bearer) = settings(credentials)?;
        let masters = servers.into_iter().map(Master::new).collect();
        Ok(Self { inner: Mutex::new(Inner { masters, current: 0, tls, bearer }) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        self.lock().masters.iter().map(|master| master.server.clone()).collect()
    }

    /// Takes another list of masters; connections to those that stay are kept.
    pub(crate) fn set_servers(&self, servers: Vec<Server>) {
        if servers.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let asked = inner.masters[inner.current].server.clone();
        let mut old = std::mem::take(&mut inner.masters);
        for server in servers {
            let kept = old.iter().position(|master| master.server == server);
            inner.masters.push(kept.map_or_else(|| Master::new(server), |index| old.swap_remove(index)));
        }
        inner.current = inner.masters.iter().position(|master| master.server == asked).unwrap_or(0);
    }

    /// Takes renewed credentials: every later connection is made with them.
    pub(crate) fn set_credentials(&self, credentials: &Credentials) -> Result<(), TlsError> {
        let (tls, bearer) = settings(credentials)?;
        let mut inner = self.lock();
        inner.tls = tls;
        inner.bearer = bearer;
        inner.masters.iter_mut().for_each(|master| master.channel = None);
        Ok(())
    }

    /// The master whose turn it is.
    pub(crate) fn current(&self) -> Server {
        let inner = self.lock();
        inner.masters[inner.current].server.clone()
    }

    /// A connection to it: the kept one, or a new one.
    pub(crate) async fn channel(&self, server: &Server) -> Result<Channel, Failure> {
        let (kept, tls, bearer) = self.kept(server);
        if let Some(channel) = kept {
            return Ok(InterceptedService::new(channel, bearer));
        }
        let channel = connector::connect(server, Arc::clone(&tls)).await;
        let channel = channel.map_err(|error| Failure::to_connect(&error))?;
        let mut inner = self.lock();
        // Credentials that changed meanwhile make this connection one for this call only.
        if Arc::ptr_eq(&inner.tls, &tls)
            && let Some(master) = inner.masters.iter_mut().find(|master| master.server == *server)
        {
            master.channel = Some(channel.clone());
        }
        Ok(InterceptedService::new(channel, bearer))
    }

    fn kept(&self, server: &Server) -> (Option<tonic::transport::Channel>, Arc<ClientConfig>, Bearer) {
        let inner = self.lock();
        let master = inner.masters.iter().find(|master| master.server == *server);
        (master.and_then(|master| master.channel.clone()), Arc::clone(&inner.tls), inner.bearer.clone())
    }

    /// It failed a request: the next one's turn. What others have moved on already stays.
    pub(crate) fn pass_over(&self, server: &Server, broken: bool) {
        let mut inner = self.lock();
        if broken && let Some(master) = inner.masters.iter_mut().find(|master| master.server == *server) {
            master.channel = None;
        }
        if inner.masters[inner.current].server == *server {
            inner.current = (inner.current + 1) % inner.masters.len();
        }
    }
}

fn settings(credentials: &Credentials) -> Result<(Arc<ClientConfig>, Bearer), TlsError> {
    let bearer = Bearer::new(&credentials.identity).map_err(|_| TlsError::Token)?;
    Ok((credentials.tls()?, bearer))
}

impl Master {
    fn new(server: Server) -> Self {
        Self { server, channel: None }
    }
}
