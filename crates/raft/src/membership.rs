//! Changes of who takes part, and of who leads. Asked of any master, done by the leader.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use xebec_rpc::raft::v1;

use crate::core::{Core, ProposeError};
use crate::types::{self, Member, TypeConfig};

/// A change of membership.
pub(crate) enum Change {
    AddLearner(u64, Member),
    Promote(u64),
    Remove(u64),
    Transfer(Option<u64>),
}

impl Change {
    pub(crate) fn to_wire(&self) -> v1::change_membership_request::Change {
        use v1::change_membership_request::{AddLearner, Change as Wire};
        match self {
            Self::AddLearner(id, member) => {
                Wire::AddLearner(AddLearner { raft_id: *id, member: Some(types::member_to_wire(member)) })
            }
            Self::Promote(id) => Wire::Promote(*id),
            Self::Remove(id) => Wire::Remove(*id),
            Self::Transfer(to) => Wire::TransferTo(to.unwrap_or_default()),
        }
    }

    pub(crate) fn from_wire(wire: v1::change_membership_request::Change) -> Option<Self> {
        use v1::change_membership_request::Change as Wire;
        Some(match wire {
            Wire::AddLearner(add) => Self::AddLearner(add.raft_id, types::member_from_wire(add.member?)),
            Wire::Promote(id) => Self::Promote(id),
            Wire::Remove(id) => Self::Remove(id),
            Wire::TransferTo(to) => Self::Transfer((to != 0).then_some(to)),
        })
    }
}

impl Core {
    /// The only voter need not wait for an election timeout after a restart.
    pub(crate) async fn lead_if_alone(&self) -> Result<(), ProposeError> {
        let membership = self.raft.metrics().borrow_watched().membership_config.clone();
        if membership.membership().voter_ids().eq([self.peers.me]) {
            let elected = self.raft.trigger().elect(false).await;
            elected.map_err(|error| ProposeError::Stopped(error.to_string()))?;
        }
        Ok(())
    }

    /// Changes the membership as the leader.
    pub(crate) async fn change_here(&self, change: Change) -> Result<(), ProposeError> {
        let _alone = self.changing.lock().await;
        let raft = &self.raft;
        let outcome = match change {
            Change::AddLearner(id, member) => raft.add_learner(id, member, false).await,
            Change::Promote(id) => {
                let voters = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
                raft.change_membership(voters, false).await
            }
            Change::Remove(id) => raft.change_membership(self.removal(id), false).await,
            Change::Transfer(to) => return self.transfer_here(to).await,
        };
        outcome.map(drop).map_err(refused)
    }

    /// A voter leaves in one change of its own, so that a leader can remove itself.
    fn removal(&self, id: u64) -> ChangeMembers<u64, Member> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let votes = metrics.membership_config.membership().voter_ids().any(|voter| voter == id);
        if votes {
            ChangeMembers::RemoveVoters(BTreeSet::from([id]))
        } else {
            ChangeMembers::RemoveNodes(BTreeSet::from([id]))
        }
    }

    async fn transfer_here(&self, to: Option<u64>) -> Result<(), ProposeError> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let other = metrics.membership_config.membership().voter_ids().find(|id| *id != self.peers.me);
        let Some(to) = to.or(other) else {
            return Err(ProposeError::Refused("there is no other voter to lead".to_owned()));
        };
        let outcome = self.raft.trigger().transfer_leader(to).await;
        outcome.map_err(|error| ProposeError::Stopped(error.to_string()))
    }
}

fn refused(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ProposeError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            ProposeError::NoLeader("leadership just moved".to_owned())
        }
        error => ProposeError::Refused(format!("the membership was not changed: {error}")),
    }
}
