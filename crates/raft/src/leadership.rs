//! Who leads, as this master knows it.

use openraft::async_runtime::WatchReceiver;
use openraft::{RaftMetrics, ServerState};
use tokio::sync::watch;

use crate::core::OurRaft;
use crate::types::{Member, TypeConfig};

/// Who leads, and whether it is this master.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Leadership {
    /// The leader's Raft id and addresses, while one is known.
    pub leader: Option<(u64, Member)>,
    /// The newest term this master has heard of.
    pub term: u64,
    /// The term in which this master leads and has applied its own first entry: from
    /// then on its state holds everything that earlier leaders committed, so its loops
    /// may start, and fence what they propose with this term.
    pub leading: Option<u64>,
}

impl Leadership {
    pub(crate) fn from_metrics(metrics: &RaftMetrics<TypeConfig>) -> Self {
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader.and_then(|id| Some((id, membership.get_node(&id)?.clone())));
        let leads = metrics.state == ServerState::Leader && metrics.running_state.is_ok();
        let applied_own = metrics.last_applied.is_some_and(|id| id.leader_id.term == metrics.current_term);
        let leading = (leads && applied_own).then_some(metrics.current_term);
        Self { leader, term: metrics.current_term, leading }
    }
}

/// Tells every change. Once Raft has ended nobody leads here, and the channel closes.
pub(crate) async fn watch(raft: OurRaft, sender: watch::Sender<Leadership>) {
    let mut metrics = raft.metrics();
    drop(raft);
    loop {
        let now = Leadership::from_metrics(&metrics.borrow_and_update());
        sender.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
        if metrics.changed().await.is_err() {
            sender.send_modify(|known| (known.leader, known.leading) = (None, None));
            return;
        }
    }
}
