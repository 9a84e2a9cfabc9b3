//! The loops that only the leader runs: controllers, the scheduler, node lifecycle.

use std::sync::Arc;

use crate::master::Shared;

/// Starts the loops when this master leads, and stops them when it does not.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut leadership = shared.node.leadership();
    loop {
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { return },
            () = shared.stop.cancelled() => return,
        }
    }
}
