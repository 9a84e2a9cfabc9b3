//! The sessions' service on the peers' port, which opens before the rest of the master
//! is there.

use std::sync::Arc;

use tokio::sync::{OnceCell, oneshot};
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::sessions_server::Sessions;

use crate::master::Shared;
use crate::services::SessionsService;

/// Answers UNAVAILABLE until the master is whole.
pub(crate) struct Late {
    service: Arc<OnceCell<SessionsService>>,
}

impl Late {
    pub(crate) fn new(shared: oneshot::Receiver<Arc<Shared>>) -> Self {
        let service = Arc::new(OnceCell::new());
        let cell = service.clone();
        // Ends as soon as the master is whole, or fails to become so.
        tokio::spawn(async move {
            if let Ok(shared) = shared.await {
                // Set once, here.
                let _ = cell.set(SessionsService(shared));
            }
        });
        Self { service }
    }

    fn service(&self) -> Result<&SessionsService, Status> {
        self.service.get().ok_or_else(|| Status::unavailable("this master is still starting"))
    }
}

#[tonic::async_trait]
impl Sessions for Late {
    type DialNodeStream = <SessionsService as Sessions>::DialNodeStream;

    async fn report_sessions(
        &self,
        request: Request<v1::ReportSessionsRequest>,
    ) -> Result<Response<v1::ReportSessionsResponse>, Status> {
        self.service()?.report_sessions(request).await
    }

    async fn dial_node(
        &self,
        request: Request<Streaming<v1::DialFrame>>,
    ) -> Result<Response<Self::DialNodeStream>, Status> {
        self.service()?.dial_node(request).await
    }
}
