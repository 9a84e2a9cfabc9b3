//! The write itself, and its audit line.

use xebec_api::error::ApiError;
use xebec_state::{Reply, Transaction};

use crate::context::RequestContext;
use crate::server::ApiServer;

impl ApiServer {
    pub(crate) async fn propose(
        &self,
        context: &RequestContext,
        transaction: Transaction,
    ) -> Result<Reply, ApiError> {
        let operations = transaction.operations.len();
        let outcome = self.store.propose(transaction).await;
        tracing::debug!(
            user = context.user.name,
            audit_id = context.audit_id,
            operations,
            ok = outcome.is_ok(),
            "proposed"
        );
        Ok(outcome?)
    }
}
