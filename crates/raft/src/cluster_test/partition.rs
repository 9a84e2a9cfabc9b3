//! Members that no message reaches and from which none comes. Every message is admitted
//! by its receiver, so that is where it is lost.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tonic::Status;
use xebec_rpc::raft::v1::Envelope;

static ISOLATED: Mutex<BTreeSet<(String, u64)>> = Mutex::new(BTreeSet::new());

/// Cuts a member off, until the guard is dropped.
pub(super) struct Isolation(String, u64);

impl Isolation {
    pub(super) fn of(cluster_id: String, raft_id: u64) -> Self {
        ISOLATED.lock().expect("no panics").insert((cluster_id.clone(), raft_id));
        Self(cluster_id, raft_id)
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        ISOLATED.lock().expect("no panics").remove(&(self.0.clone(), self.1));
    }
}

/// Whether a message gets through.
pub(crate) fn passes(envelope: &Envelope) -> Result<(), Status> {
    let isolated = ISOLATED.lock().expect("no panics");
    let cut = |raft_id| isolated.contains(&(envelope.cluster_id.clone(), raft_id));
    if cut(envelope.from) || cut(envelope.to) { Err(Status::unavailable("cut off")) } else { Ok(()) }
}
