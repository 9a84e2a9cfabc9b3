//! openraft's state machine: applies entries to the state in memory, publishes it once
//! a batch, and only then answers whoever proposed them. So an answered write is in
//! every later `state()` of this process.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::watch;
use xebec_state::{Key, Operation, Reply, State, Transaction};

use crate::state_store::{Applied, StateStore};
use crate::types::{Command, Entry, LogId, ReplyShown, SnapshotMeta, StoredMembership, TypeConfig};

/// Where readers find what was applied.
pub(crate) struct Published {
    pub(crate) state: ArcSwap<State>,
    pub(crate) revision: watch::Sender<u64>,
    /// The newest applied entry.
    pub(crate) applied: watch::Sender<Option<LogId>>,
    /// The newest applied membership: unlike openraft's own it is decided for good.
    pub(crate) membership: watch::Sender<StoredMembership>,
}

impl Published {
    pub(crate) fn new(applied: &Applied) -> Arc<Self> {
        Arc::new(Self {
            state: ArcSwap::from_pointee(applied.state.clone()),
            revision: watch::Sender::new(applied.state.revision()),
            applied: watch::Sender::new(applied.last),
            membership: watch::Sender::new(applied.membership.clone()),
        })
    }

    fn publish(&self, applied: &Applied) {
        self.state.store(Arc::new(applied.state.clone()));
        self.revision.send_if_modified(|revision| {
            let changed = *revision != applied.state.revision();
            *revision = applied.state.revision();
            changed
        });
        self.applied.send_replace(applied.last);
        self.membership.send_if_modified(|known| {
            let changed = known.log_id() != applied.membership.log_id();
            if changed {
                *known = applied.membership.clone();
            }
            changed
        });
    }
}

/// The state machine of one master.
pub(crate) struct StateMachine {
    applied: Applied,
    published: Arc<Published>,
    store: Arc<StateStore>,
}

impl StateMachine {
    pub(crate) fn new(applied: Applied, store: StateStore, published: Arc<Published>) -> Self {
        Self { applied, published, store: Arc::new(store) }
    }

    fn apply_entry(&mut self, entry: &Entry, dirty: &mut BTreeSet<Key>) -> io::Result<Option<Reply>> {
        let reply = match &entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Membership(membership) => {
                self.applied.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                None
            }
            EntryPayload::Normal(command) => Some(self.apply_command(command, entry.log_id, dirty)?),
        };
        // Only now: an entry that halted this replica must halt it again after a restart.
        self.applied.last = Some(entry.log_id);
        Ok(reply)
    }

    /// An entry that this binary cannot read must stop it: skipping would let replicas
    /// drift apart.
    fn apply_command(
        &mut self,
        command: &Command,
        id: LogId,
        dirty: &mut BTreeSet<Key>,
    ) -> io::Result<Reply> {
        let halt = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("entry {id}: {why}"));
        let transaction = Transaction::decode(command.0.clone()).map_err(|error| halt(error.to_string()))?;
        let term = id.leader_id.term;
        let reply = self.applied.state.apply(&transaction, term).map_err(|error| halt(error.to_string()))?;
        if matches!(reply, Reply::Applied { .. }) {
            dirty.extend(transaction.operations.into_iter().map(|operation| match operation {
                Operation::Put(key, _) | Operation::Delete(key) => key,
            }));
        }
        Ok(reply)
    }
}

/// A snapshot is a clone of the state, which is O(1); it becomes bytes on the wire.
pub(crate) type SnapshotState = State;

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotState;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied.last, self.applied.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let (mut answers, mut dirty, mut outcome) = (Vec::new(), BTreeSet::new(), Ok(()));
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            match self.apply_entry(&entry, &mut dirty) {
                Ok(reply) => answers.extend(responder.map(|responder| (responder, reply))),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.published.publish(&self.applied);
        self.store.write_behind(self.applied.clone(), dirty);
        for (responder, reply) in answers {
            responder.send(reply.map(ReplyShown));
        }
        outcome
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { applied: self.applied.clone(), store: self.store.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: State) -> Result<(), io::Error> {
        self.applied =
            Applied { state: snapshot, last: meta.last_log_id, membership: meta.last_membership.clone() };
        self.published.publish(&self.applied);
        self.store.replace(self.applied.clone());
        // The log may be purged up to here once this returns.
        wait_written(self.store.clone()).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<openraft::type_config::alias::SnapshotOf<TypeConfig, State>>, io::Error> {
        if self.applied.last.is_none() {
            return Ok(None);
        }
        Ok(Some(snapshot(&self.applied)))
    }
}

/// Builds a snapshot once the state is on the disk, since the log may be purged up to
/// it afterwards.
pub(crate) struct Builder {
    applied: Applied,
    store: Arc<StateStore>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = State;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::type_config::alias::SnapshotOf<TypeConfig, State>, io::Error> {
        wait_written(self.store.clone()).await?;
        Ok(snapshot(&self.applied))
    }
}

async fn wait_written(store: Arc<StateStore>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || store.wait_written()).await.map_err(io::Error::other)?
}

fn snapshot(applied: &Applied) -> openraft::type_config::alias::SnapshotOf<TypeConfig, State> {
    let meta = SnapshotMeta { last_log_id: applied.last, last_membership: applied.membership.clone() };
    Snapshot { meta, snapshot: applied.state.clone() }
}
