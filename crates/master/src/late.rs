//! The services on the peers' port that need the whole master, of which that port opens
//! before the rest is there.

use std::sync::Arc;

use tokio::sync::{OnceCell, oneshot};
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::host_server::Host;
use xebec_rpc::raft::v1::sessions_server::Sessions;

use crate::master::Shared;
use crate::services::{HostService, SessionsService};

/// Answers UNAVAILABLE until the master is whole.
#[derive(Clone)]
pub(crate) struct Late {
    shared: Arc<OnceCell<Arc<Shared>>>,
}

impl Late {
    pub(crate) fn new(whole: oneshot::Receiver<Arc<Shared>>) -> Self {
        let shared = Arc::new(OnceCell::new());
        let cell = shared.clone();
        // Ends as soon as the master is whole, or fails to become so.
        tokio::spawn(async move {
            if let Ok(shared) = whole.await {
                // Set once, here.
                let _ = cell.set(shared);
            }
        });
        Self { shared }
    }

    fn shared(&self) -> Result<Arc<Shared>, Status> {
        let shared = self.shared.get().cloned();
        shared.ok_or_else(|| Status::unavailable("this master is still starting"))
    }
}

#[tonic::async_trait]
impl Sessions for Late {
    type DialNodeStream = <SessionsService as Sessions>::DialNodeStream;

    async fn report_sessions(
        &self,
        request: Request<v1::ReportSessionsRequest>,
    ) -> Result<Response<v1::ReportSessionsResponse>, Status> {
        SessionsService(self.shared()?).report_sessions(request).await
    }

    async fn dial_node(
        &self,
        request: Request<Streaming<v1::DialFrame>>,
    ) -> Result<Response<Self::DialNodeStream>, Status> {
        SessionsService(self.shared()?).dial_node(request).await
    }
}

#[tonic::async_trait]
impl Host for Late {
    async fn issue_admin(
        &self,
        request: Request<v1::IssueAdminRequest>,
    ) -> Result<Response<v1::IssueAdminResponse>, Status> {
        HostService(self.shared()?).issue_admin(request).await
    }
}
