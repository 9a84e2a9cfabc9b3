//! Who leads, as this master knows it.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::{Instant as _, RaftMetrics, ServerState};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::core::OurRaft;
use crate::network::Peers;
use crate::types::{Member, TypeConfig};

/// A leader that no majority answers for this long leads nobody any more: the others have
/// elected another by then, if they can.
const QUORUM_LOST: Duration = Duration::from_secs(2);
/// An election takes less, also where votes are split or the machine is busy.
const LEADERLESS: Duration = Duration::from_secs(2);
/// How often a leader looks whether it still is one; nothing tells it of silence.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    /// Since when this master has known no leader.
    pub leaderless_since: Option<Instant>,
}

impl Leadership {
    /// From what openraft says, and since when this master has asked for votes in vain.
    fn from_metrics(metrics: &RaftMetrics<TypeConfig>, unled_since: Option<Instant>) -> Self {
        if has_lost_its_quorum(metrics) {
            return Self { term: metrics.current_term, ..Self::default() };
        }
        let unled_since = unled_since.filter(|since| since.elapsed() > LEADERLESS);
        if metrics.state != ServerState::Leader && unled_since.is_some() {
            return Self { term: metrics.current_term, leaderless_since: unled_since, ..Self::default() };
        }
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader.and_then(|id| Some((id, membership.get_node(&id)?.clone())));
        let leads = metrics.state == ServerState::Leader && metrics.running_state.is_ok();
        let applied_own = metrics.last_applied.is_some_and(|id| id.leader_id.term == metrics.current_term);
        let leading = (leads && applied_own).then_some(metrics.current_term);
        Self { leader, term: metrics.current_term, leading, leaderless_since: None }
    }

    /// What this master knows now, after what it knew before.
    fn followed_by(&self, mut now: Self) -> Self {
        if now.leader.is_none() {
            let since = now.leaderless_since.or(self.leaderless_since);
            now.leaderless_since = since.or_else(|| Some(Instant::now()));
        }
        now
    }

    /// Whether nobody has led for longer than an election takes: then there is no majority
    /// to elect anybody, and who waits for a leader is told so instead.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.leaderless_since.is_some_and(|since| since.elapsed() > LEADERLESS)
    }
}

/// Whether this is a leader that no majority has answered for a while. What it proposes
/// now would stay undecided, and be overwritten by the next leader's.
pub(crate) fn has_lost_its_quorum(metrics: &RaftMetrics<TypeConfig>) -> bool {
    let alone = metrics.membership_config.membership().voter_ids().count() < 2;
    metrics.state == ServerState::Leader
        && !alone
        && metrics.last_quorum_acked.as_ref().is_some_and(|acked| acked.elapsed() > QUORUM_LOST)
}

/// Tells every change. Once Raft has ended nobody leads here, and the channel closes.
pub(crate) async fn watch(raft: OurRaft, peers: Peers, sender: watch::Sender<Leadership>) {
    let mut metrics = raft.metrics();
    drop(raft);
    loop {
        let now = {
            let metrics = metrics.borrow_and_update();
            if metrics.state == ServerState::Leader {
                peers.is_led();
            }
            Leadership::from_metrics(&metrics, peers.unled_since())
        };
        sender.send_if_modified(|known| {
            let now = known.followed_by(now);
            let changed = *known != now;
            *known = now;
            changed
        });
        match tokio::time::timeout(LOOK_EVERY, metrics.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => {
                sender.send_modify(|known| (known.leader, known.leading) = (None, None));
                return;
            }
        }
    }
}
