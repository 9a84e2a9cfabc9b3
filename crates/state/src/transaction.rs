//! What Raft replicates: preconditions, operations and a fence; and its answer.
//! Also their encoding, which is protobuf with a format number in front.

use bytes::Bytes;
use prost::Message;

use crate::Key;

/// The newest format this binary reads and writes. A newer one halts the replica.
pub(crate) const FORMAT: u32 = 1;

/// All of its operations happen, or none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Checked first, in order, against the state before the transaction.
    pub preconditions: Vec<Precondition>,
    /// Performed in order; each bumps the revision by one.
    pub operations: Vec<Operation>,
    /// Set by the leader's own loops: the term in which the proposer led. Refused
    /// when the entry carries another one.
    pub fence: Option<u64>,
    /// Set now and then by the leader: what the state's hash was at a revision.
    /// A replica at that revision with another hash halts.
    pub expect_hash: Option<HashAt>,
}

/// The hash that a state had at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashAt {
    /// The revision.
    pub revision: u64,
    /// The hash, see [`crate::State::hash`].
    pub hash: u64,
}

/// What must hold, or nothing of the transaction happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no such object.
    Absent(Key),
    /// The object is there and was last changed at this revision.
    AtRevision(Key, u64),
    /// The object is there, at whatever revision (a namespace to create into).
    Exists(Key),
}

/// One mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creates or replaces: canonical JSON without `metadata.resourceVersion`.
    Put(Key, Bytes),
    /// Removes; nothing happens and no revision is spent when it is not there.
    Delete(Key),
}

/// The answer of `apply`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The revision of each operation, in order (for a delete that found nothing,
    /// the revision before it).
    Applied {
        /// One per operation.
        revisions: Vec<u64>,
    },
    /// Nothing happened.
    Refused(Refusal),
}

/// Why nothing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The precondition at `index` did not hold; `found` is the object's revision.
    Precondition {
        /// Into [`Transaction::preconditions`].
        index: usize,
        /// `None` when there is no such object.
        found: Option<u64>,
    },
    /// The proposer's term is over.
    Fenced {
        /// The term of the entry.
        term: u64,
    },
}

/// Bytes that are no transaction or reply, or are of a newer format.
#[derive(Debug, thiserror::Error)]
pub enum Decode {
    /// Not what this crate wrote.
    #[error("a damaged {what}: {source}")]
    Damaged {
        /// `transaction` or `reply`.
        what: &'static str,
        /// Where it stopped making sense.
        source: prost::DecodeError,
    },
    /// Parts that contradict each other.
    #[error("a damaged {what}: {why}")]
    Malformed {
        /// `transaction` or `reply`.
        what: &'static str,
        /// The contradiction.
        why: &'static str,
    },
    /// Written by a newer binary.
    #[error("format {found} is newer than this binary's {FORMAT}: upgrade this master")]
    Newer {
        /// The format found.
        found: u32,
    },
}

impl Transaction {
    /// The bytes that go into the log.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        wire::Transaction::from(self).encode_to_vec().into()
    }

    /// Reads [`Transaction::encode`]'s bytes.
    ///
    /// # Errors
    /// [`Decode`].
    pub fn decode(bytes: Bytes) -> Result<Self, Decode> {
        let wire = wire::Transaction::decode(bytes)
            .map_err(|source| Decode::Damaged { what: "transaction", source })?;
        if wire.format > FORMAT {
            return Err(Decode::Newer { found: wire.format });
        }
        wire.try_into()
    }
}

impl Reply {
    /// The bytes that a leader answers a follower with.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        wire::Reply::from(self).encode_to_vec().into()
    }

    /// Reads [`Reply::encode`]'s bytes.
    ///
    /// # Errors
    /// [`Decode`].
    pub fn decode(bytes: Bytes) -> Result<Self, Decode> {
        let wire = wire::Reply::decode(bytes).map_err(|source| Decode::Damaged { what: "reply", source })?;
        Ok(wire.into())
    }
}

/// The protobuf twins. Field numbers are for ever.
mod wire {
    use super::{Bytes, Decode, FORMAT, HashAt, Refusal};
    use crate::Key;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Transaction {
        #[prost(uint32, tag = "1")]
        pub(super) format: u32,
        #[prost(message, repeated, tag = "2")]
        pub(super) preconditions: Vec<Precondition>,
        #[prost(message, repeated, tag = "3")]
        pub(super) operations: Vec<Operation>,
        #[prost(uint64, optional, tag = "4")]
        pub(super) fence: Option<u64>,
        #[prost(message, optional, tag = "5")]
        pub(super) expect_hash: Option<Hash>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Hash {
        #[prost(uint64, tag = "1")]
        pub(super) revision: u64,
        #[prost(fixed64, tag = "2")]
        pub(super) hash: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ObjectKey {
        #[prost(string, tag = "1")]
        resource: String,
        #[prost(string, tag = "2")]
        namespace: String,
        #[prost(string, tag = "3")]
        name: String,
    }

    /// `must_exist` with a revision is `AtRevision`, without one `Exists`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Precondition {
        #[prost(message, optional, tag = "1")]
        key: Option<ObjectKey>,
        #[prost(bool, tag = "2")]
        must_exist: bool,
        #[prost(uint64, optional, tag = "3")]
        revision: Option<u64>,
    }

    /// A put has a value, a delete has none.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Operation {
        #[prost(message, optional, tag = "1")]
        key: Option<ObjectKey>,
        #[prost(bytes = "bytes", optional, tag = "2")]
        value: Option<Bytes>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Reply {
        #[prost(uint64, repeated, tag = "1")]
        revisions: Vec<u64>,
        /// 1 + the index of the precondition that did not hold.
        #[prost(uint64, optional, tag = "2")]
        refused_precondition: Option<u64>,
        #[prost(uint64, optional, tag = "3")]
        found: Option<u64>,
        #[prost(uint64, optional, tag = "4")]
        fenced_by: Option<u64>,
    }

    impl From<&Key> for ObjectKey {
        fn from(key: &Key) -> Self {
            Self {
                resource: key.resource.to_string(),
                namespace: key.namespace.to_string(),
                name: key.name.to_string(),
            }
        }
    }

    fn key(key: Option<ObjectKey>) -> Result<Key, Decode> {
        let key = key.ok_or(Decode::Malformed { what: "transaction", why: "no key" })?;
        Ok(Key::new(&key.resource, &key.namespace, &key.name))
    }

    impl From<&super::Transaction> for Transaction {
        fn from(from: &super::Transaction) -> Self {
            Self {
                format: FORMAT,
                preconditions: from.preconditions.iter().map(Into::into).collect(),
                operations: from.operations.iter().map(Into::into).collect(),
                fence: from.fence,
                expect_hash: from.expect_hash.map(|h| Hash { revision: h.revision, hash: h.hash }),
            }
        }
    }

    impl TryFrom<Transaction> for super::Transaction {
        type Error = Decode;

        fn try_from(from: Transaction) -> Result<Self, Decode> {
            Ok(Self {
                preconditions: from
                    .preconditions
                    .into_iter()
                    .map(TryInto::try_into)
                    .collect::<Result<_, _>>()?,
                operations: from.operations.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                fence: from.fence,
                expect_hash: from.expect_hash.map(|h| HashAt { revision: h.revision, hash: h.hash }),
            })
        }
    }

    impl From<&super::Precondition> for Precondition {
        fn from(from: &super::Precondition) -> Self {
            let (key, must_exist, revision) = match from {
                super::Precondition::Absent(key) => (key, false, None),
                super::Precondition::Exists(key) => (key, true, None),
                super::Precondition::AtRevision(key, revision) => (key, true, Some(*revision)),
            };
            Self { key: Some(key.into()), must_exist, revision }
        }
    }

    impl TryFrom<Precondition> for super::Precondition {
        type Error = Decode;

        fn try_from(from: Precondition) -> Result<Self, Decode> {
            let key = key(from.key)?;
            match (from.must_exist, from.revision) {
                (false, None) => Ok(Self::Absent(key)),
                (true, None) => Ok(Self::Exists(key)),
                (true, Some(revision)) => Ok(Self::AtRevision(key, revision)),
                (false, Some(_)) => {
                    Err(Decode::Malformed { what: "transaction", why: "absent at a revision" })
                }
            }
        }
    }

    impl From<&super::Operation> for Operation {
        fn from(from: &super::Operation) -> Self {
            match from {
                super::Operation::Put(key, value) => {
                    Self { key: Some(key.into()), value: Some(value.clone()) }
                }
                super::Operation::Delete(key) => Self { key: Some(key.into()), value: None },
            }
        }
    }

    impl TryFrom<Operation> for super::Operation {
        type Error = Decode;

        fn try_from(from: Operation) -> Result<Self, Decode> {
            let key = key(from.key)?;
            Ok(match from.value {
                Some(value) => Self::Put(key, value),
                None => Self::Delete(key),
            })
        }
    }

    impl From<&super::Reply> for Reply {
        fn from(from: &super::Reply) -> Self {
            let mut reply = Self::default();
            match from {
                super::Reply::Applied { revisions } => reply.revisions.clone_from(revisions),
                super::Reply::Refused(Refusal::Precondition { index, found }) => {
                    reply.refused_precondition = Some(*index as u64 + 1);
                    reply.found = *found;
                }
                super::Reply::Refused(Refusal::Fenced { term }) => reply.fenced_by = Some(*term),
            }
            reply
        }
    }

    impl From<Reply> for super::Reply {
        fn from(from: Reply) -> Self {
            match (from.refused_precondition, from.fenced_by) {
                (Some(index), _) => Self::Refused(Refusal::Precondition {
                    index: usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX),
                    found: from.found,
                }),
                (None, Some(term)) => Self::Refused(Refusal::Fenced { term }),
                (None, None) => Self::Applied { revisions: from.revisions },
            }
        }
    }
}
