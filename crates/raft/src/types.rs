//! openraft's type parameters, and between its types and ours: what goes on disk and
//! on the wire is always our own prost types, since openraft's still change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std::LeaderId;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, RaftTypeConfig};
use xebec_rpc::raft::v1;
use xebec_state::Reply;

openraft::declare_raft_types!(
    /// Our instance of openraft: ids and terms are u64, one leader a term.
    pub(crate) TypeConfig:
        D = Command,
        R = Option<ReplyShown>,
        NodeId = u64,
        Node = Member,
        Term = u64,
        LeaderId = LeaderId<u64, u64>,
);

pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;

/// Where a master is reached.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Member {
    /// The master's name, such as `m1`.
    pub name: String,
    /// host:port of its client API.
    pub client_address: String,
    /// host:port of its peers' port.
    pub peer_address: String,
}

/// An encoded transaction. It stays encoded until it is applied.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) Bytes);

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction of {} bytes", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A reply; a wrapper because openraft wants to print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyShown(pub(crate) Reply);

impl fmt::Display for ReplyShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A message or a record that lacks a part.
#[derive(Debug, thiserror::Error)]
#[error("a damaged Raft message: no {0}")]
pub(crate) struct Missing(pub(crate) &'static str);

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    // The id in a committed leader's place is of no account: one leader a term.
    LogId { leader_id: LeaderId { term, voted_for: 0 }.to_committed(), index }
}

pub(crate) fn log_id_to_wire(id: &LogId) -> v1::LogId {
    v1::LogId { term: id.leader_id.term, node_id: 0, index: id.index }
}

pub(crate) fn log_id_from_wire(id: &v1::LogId) -> LogId {
    log_id(id.term, id.index)
}

pub(crate) fn vote_to_wire(vote: &Vote) -> v1::Vote {
    v1::Vote { term: vote.leader_id.term, node_id: vote.leader_id.voted_for, committed: vote.committed }
}

pub(crate) fn vote_from_wire(vote: Option<&v1::Vote>) -> Result<Vote, Missing> {
    let vote = vote.ok_or(Missing("vote"))?;
    let leader_id = LeaderId { term: vote.term, voted_for: vote.node_id };
    Ok(Vote { leader_id, committed: vote.committed })
}

pub(crate) fn member_to_wire(member: &Member) -> v1::Member {
    v1::Member {
        name: member.name.clone(),
        client_address: member.client_address.clone(),
        peer_address: member.peer_address.clone(),
    }
}

pub(crate) fn member_from_wire(member: v1::Member) -> Member {
    Member { name: member.name, client_address: member.client_address, peer_address: member.peer_address }
}

pub(crate) fn membership_to_wire(membership: &Membership) -> v1::Membership {
    v1::Membership {
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| v1::membership::Config { voters: voters.iter().copied().collect() })
            .collect(),
        members: membership.nodes().map(|(id, member)| (*id, member_to_wire(member))).collect(),
    }
}

pub(crate) fn membership_from_wire(wire: v1::Membership) -> Result<Membership, Missing> {
    let configs: Vec<BTreeSet<u64>> =
        wire.configs.into_iter().map(|config| config.voters.into_iter().collect()).collect();
    let members: BTreeMap<u64, Member> =
        wire.members.into_iter().map(|(id, member)| (id, member_from_wire(member))).collect();
    if configs.is_empty() && members.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configs, members).map_err(|_| Missing("member of a voter"))
}

pub(crate) fn entry_to_wire(entry: &Entry) -> v1::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => v1::entry::Payload::Blank(true),
        EntryPayload::Normal(command) => v1::entry::Payload::Transaction(command.0.clone()),
        EntryPayload::Membership(membership) => {
            v1::entry::Payload::Membership(membership_to_wire(membership))
        }
    };
    v1::Entry { log_id: Some(log_id_to_wire(&entry.log_id)), payload: Some(payload) }
}

pub(crate) fn entry_from_wire(wire: v1::Entry) -> Result<Entry, Missing> {
    let log_id = log_id_from_wire(&wire.log_id.ok_or(Missing("log id"))?);
    let payload = match wire.payload.ok_or(Missing("payload"))? {
        v1::entry::Payload::Blank(_) => EntryPayload::Blank,
        v1::entry::Payload::Transaction(bytes) => EntryPayload::Normal(Command(bytes)),
        v1::entry::Payload::Membership(wire) => EntryPayload::Membership(membership_from_wire(wire)?),
    };
    Ok(Entry { log_id, payload })
}

/// Bytes that an entry holds, for budgets.
pub(crate) fn entry_bytes(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(command) => command.0.len() + 32,
        EntryPayload::Blank | EntryPayload::Membership(_) => 256,
    }
}

const _: fn() = || {
    fn is_config<C: RaftTypeConfig>() {}
    is_config::<TypeConfig>();
};

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Member {
        Member {
            name: name.to_owned(),
            client_address: format!("{name}:6443"),
            peer_address: format!("{name}:6444"),
        }
    }

    fn entries() -> Vec<Entry> {
        let members: BTreeMap<u64, Member> = (1..=4).map(|id| (id, member(&format!("m{id}")))).collect();
        let joint = Membership::new(vec![[1, 2].into(), [1, 2, 3].into()], members).expect("all are members");
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Command(Bytes::from_static(b"any"))),
            EntryPayload::Normal(Command(Bytes::new())),
            EntryPayload::Membership(joint),
        ];
        let numbered = (0_u64..).zip(payloads);
        numbered.map(|(index, payload)| Entry { log_id: log_id(7, index), payload }).collect()
    }

    #[test]
    fn entries_survive_the_wire() {
        for entry in entries() {
            assert_eq!(entry_from_wire(entry_to_wire(&entry)).expect("whole"), entry);
        }
    }

    #[test]
    fn votes_survive_the_wire() {
        for committed in [false, true] {
            let vote = Vote { leader_id: LeaderId { term: 9, voted_for: 4 }, committed };
            assert_eq!(vote_from_wire(Some(&vote_to_wire(&vote))).expect("whole"), vote);
        }
    }

    #[test]
    fn an_empty_membership_survives_the_wire() {
        let none = Membership::default();
        assert_eq!(membership_from_wire(membership_to_wire(&none)).expect("whole"), none);
    }

    #[test]
    fn what_is_missing_is_named() {
        let voter = v1::membership::Config { voters: vec![1] };
        let lonely = v1::Membership { configs: vec![voter], ..Default::default() };
        let id = Some(v1::LogId::default());
        let refusals = [
            vote_from_wire(None).expect_err("refused"),
            membership_from_wire(lonely).expect_err("refused"),
            entry_from_wire(v1::Entry::default()).expect_err("refused"),
            entry_from_wire(v1::Entry { log_id: id, payload: None }).expect_err("refused"),
        ];
        expect_test::expect![[r#"
            a damaged Raft message: no vote
            a damaged Raft message: no member of a voter
            a damaged Raft message: no log id
            a damaged Raft message: no payload"#]]
        .assert_eq(&refusals.map(|refusal| refusal.to_string()).join("\n"));
    }
}
