//! Changes of who takes part, and of who leads. Asked of any master, done by the leader.
//!
//! A change of voters is two entries: one that needs a majority of the old voters and of the
//! new ones, and one that ends this. Who began it may be gone before the second: then whoever
//! leads ends it, since until then more masters are needed than anybody knows of.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, Instant as _, RaftMetrics, ServerState};
use tokio::time::{sleep, timeout};
use xebec_rpc::raft::v1;

use crate::core::{Core, PATIENCE, ProposeError, no_majority};
use crate::leadership::has_lost_its_quorum;
use crate::types::{self, Member, TypeConfig};

/// Who is to get a vote, or to lead, has answered within this.
const ANSWERS: Duration = Duration::from_secs(2);
/// How often a leader looks for a change that nobody ends.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
        if let Change::Promote(id) = change {
            self.wait_until_it_may_vote(id).await?;
        }
        let _alone = self.changing.lock().await;
        if has_lost_its_quorum(&self.raft.metrics().borrow_watched()) {
            return Err(no_majority());
        }
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

    /// A vote before a member has the log, or when it is gone, could leave the cluster without
    /// a majority at once.
    async fn wait_until_it_may_vote(&self, id: u64) -> Result<(), ProposeError> {
        let mut metrics = self.raft.metrics();
        let wanted = metrics.borrow_watched().last_log_index;
        let ready = async {
            while !may_vote(&metrics.borrow_watched(), id, wanted) {
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(PATIENCE, ready).await.map_err(|_| {
            let why = "it does not answer, or has not caught up with the log";
            ProposeError::Refused(format!("the member {id} gets no vote: {why}"))
        })
    }

    /// Ends changes that somebody began, for as long as this master runs.
    pub(crate) async fn end_changes(self) {
        loop {
            sleep(LOOK_EVERY).await;
            if !self.has_half_a_change() {
                continue;
            }
            let _alone = self.changing.lock().await;
            // Whoever held the lock may have ended it.
            if self.has_half_a_change() {
                let nothing_more = ChangeMembers::AddVoterIds(BTreeSet::new());
                match timeout(PATIENCE, self.raft.change_membership(nothing_more, false)).await {
                    Ok(Ok(_)) => {
                        tracing::info!("a change of the membership that was left half done is ended")
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a change of the membership is not ended yet"),
                    Err(_) => tracing::debug!("a change of the membership is not ended yet"),
                }
            }
        }
    }

    fn has_half_a_change(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let half = metrics.membership_config.membership().get_joint_config().len() > 1;
        half && metrics.state == ServerState::Leader && !has_lost_its_quorum(&metrics)
    }

    /// Only to another voter: who can never lead is waited for, and nothing is written meanwhile.
    async fn transfer_here(&self, to: Option<u64>) -> Result<(), ProposeError> {
        let refused = |why: &str| Err(ProposeError::Refused(why.to_owned()));
        let metrics = self.raft.metrics().borrow_watched().clone();
        let me = self.peers.me;
        let to = match to {
            Some(to) if to == me && metrics.state == ServerState::Leader => return Ok(()),
            Some(to) if !metrics.membership_config.membership().voter_ids().any(|voter| voter == to) => {
                return refused("who has no vote cannot lead");
            }
            to => to.or_else(|| heir(&metrics, me)),
        };
        let Some(to) = to else { return refused("there is no other voter to lead") };
        let outcome = self.raft.trigger().transfer_leader(to).await;
        outcome.map_err(|error| ProposeError::Stopped(error.to_string()))
    }
}

/// Who is to lead next: of the other voters one that answers, and has most of the log.
fn heir(metrics: &RaftMetrics<TypeConfig>, me: u64) -> Option<u64> {
    let voters = metrics.membership_config.membership().voter_ids().filter(|id| *id != me);
    voters.max_by_key(|id| (answers(metrics, *id), matched(metrics, *id)))
}

/// What a member is known to have of the log, on the leader.
fn matched(metrics: &RaftMetrics<TypeConfig>, id: u64) -> Option<u64> {
    let matched = metrics.replication.as_ref()?.get(&id)?.as_ref()?;
    Some(matched.index)
}

/// Whether a member has answered lately, on the leader.
fn answers(metrics: &RaftMetrics<TypeConfig>, id: u64) -> bool {
    let heard = metrics.heartbeat.as_ref().and_then(|heard| heard.get(&id)).and_then(Option::as_ref);
    heard.is_some_and(|heard| heard.elapsed() < ANSWERS)
}

/// Whether a member has what was in the log, and answers. Who is none, or where this master
/// does not lead, is left to Raft to refuse.
fn may_vote(metrics: &RaftMetrics<TypeConfig>, id: u64, wanted: Option<u64>) -> bool {
    let membership = metrics.membership_config.membership();
    let votes = membership.voter_ids().any(|voter| voter == id);
    if metrics.replication.is_none() || votes || membership.get_node(&id).is_none() {
        return true;
    }
    matched(metrics, id) >= wanted && answers(metrics, id)
}

fn refused(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ProposeError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
            ProposeError::NoLeader("leadership just moved".to_owned())
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) | RaftError::Fatal(_) => {
            ProposeError::Unknown(format!("the membership may have changed: {error}"))
        }
        error => ProposeError::Refused(format!("the membership was not changed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use openraft::TokioInstant;
    use openraft::metrics::SerdeInstant;

    use super::*;
    use crate::types::{Membership, StoredMembership, log_id};

    /// What a leader knows of three voters: when each was heard, and what it has.
    fn metrics(known: [(u64, Duration, u64); 2]) -> RaftMetrics<TypeConfig> {
        let members = BTreeMap::from([1, 2, 3].map(|id| (id, Member::default())));
        let membership = Membership::new(vec![[1, 2, 3].into()], members).expect("all are members");
        let heard = |age: Duration| Some(SerdeInstant::new(TokioInstant::now() - age));
        let mut metrics = RaftMetrics::new_initial(1);
        metrics.membership_config = Arc::new(StoredMembership::new(Some(log_id(1, 1)), membership));
        metrics.replication = Some(known.map(|(id, _, index)| (id, Some(log_id(1, index)))).into());
        metrics.heartbeat = Some(known.map(|(id, age, _)| (id, heard(age))).into());
        metrics
    }

    #[test]
    fn who_answers_and_has_most_of_the_log_leads_next() {
        let (now, long_ago) = (Duration::ZERO, 2 * ANSWERS);
        assert_eq!(heir(&metrics([(2, long_ago, 9), (3, now, 7)]), 1), Some(3));
        assert_eq!(heir(&metrics([(2, now, 9), (3, now, 7)]), 1), Some(2));
        // Not known: whoever there is.
        assert!(heir(&metrics([(2, long_ago, 9), (3, long_ago, 9)]), 1).is_some());
    }

    #[test]
    fn who_is_behind_or_silent_may_not_vote_yet() {
        let (now, long_ago) = (Duration::ZERO, 2 * ANSWERS);
        let mut metrics = metrics([(2, now, 9), (3, long_ago, 9)]);
        let members = BTreeMap::from([1, 2, 3].map(|id| (id, Member::default())));
        let membership = Membership::new(vec![[1].into()], members).expect("all are members");
        metrics.membership_config = Arc::new(StoredMembership::new(Some(log_id(1, 1)), membership));
        let told = [(2, 9), (2, 10), (3, 9), (1, 10), (4, 10)]
            .map(|(id, wanted)| may_vote(&metrics, id, Some(wanted)));
        assert_eq!(told, [true, false, false, true, true], "a voter and a stranger are left to Raft");
    }
}
