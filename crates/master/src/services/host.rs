//! `xebec.raft.v1.Host`: what a running master does for a program on its own host. That has
//! the master's files, so it could open the CA's key itself, if it could open the store.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use xebec_rpc::raft::v1;

use crate::admin;
use crate::master::Shared;

/// The service, on the peers' port.
pub(crate) struct HostService(pub Arc<Shared>);

#[tonic::async_trait]
impl v1::host_server::Host for HostService {
    async fn issue_admin(
        &self,
        request: Request<v1::IssueAdminRequest>,
    ) -> Result<Response<v1::IssueAdminResponse>, Status> {
        let from = request.remote_addr();
        let request = request.into_inner();
        self.0.node.admit(request.envelope.as_ref())?;
        let issued = self.0.keys.authority.sign(&request.csr, &admin::purpose(), self.0.now());
        let certificate = issued.map_err(|error| Status::invalid_argument(error.to_string()))?;
        tracing::info!(?from, "the admin was given a new certificate");
        let client_addresses = self.0.master_addresses();
        Ok(Response::new(v1::IssueAdminResponse { certificate, client_addresses }))
    }
}
