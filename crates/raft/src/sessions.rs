//! What masters tell each other beside consensus: from which nodes they heard.

use std::collections::BTreeMap;
use std::time::Duration;

use tonic::Status;
use tonic::transport::Channel;
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::sessions_client::SessionsClient;

use crate::core::{ProposeError, from_status};
use crate::node::Node;
use crate::types::Member;

impl Node {
    /// A channel to a member's peers' port.
    ///
    /// # Errors
    /// When its address is none.
    pub fn peer_channel(&self, member: &Member) -> Result<Channel, ProposeError> {
        self.core.peer_channel(member)
    }

    /// What names the cluster and both ends in a message to a peer.
    #[must_use]
    pub fn envelope(&self, to: u64) -> Option<v1::Envelope> {
        self.core.peers.envelope(to)
    }

    /// Only for us, and only from our cluster.
    ///
    /// # Errors
    /// FAILED_PRECONDITION for anything else.
    pub fn admit(&self, envelope: Option<&v1::Envelope>) -> Result<(), Status> {
        self.core.admit(envelope)
    }

    /// Tells the leader how long ago nodes were heard of here. Nothing to do on it.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn report_sessions(&self, ages: &BTreeMap<String, Duration>) -> Result<(), ProposeError> {
        let leader = self.core.leader();
        let Some((id, member)) = leader.filter(|(id, _)| *id != self.core.peers.me && !ages.is_empty())
        else {
            return Ok(());
        };
        let seen = ages.iter().map(|(node, age)| v1::report_sessions_request::Seen {
            node_name: node.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        });
        let request = v1::ReportSessionsRequest { envelope: self.envelope(id), nodes: seen.collect() };
        let mut client = SessionsClient::new(self.peer_channel(&member)?);
        let sent = tokio::time::timeout(Duration::from_secs(1), client.report_sessions(request)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(from_status(&status)),
            Err(_) => Err(ProposeError::NoLeader("the leader did not answer within a second".to_owned())),
        }
    }
}
