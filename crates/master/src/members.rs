//! Which members answer, as the master that is asked sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use xebec_raft::MemberStatus;

/// How long a member may take to accept a connection.
const ANSWER: Duration = Duration::from_millis(300);

/// The ids of the members whose peers' port answers.
pub(crate) async fn answering(members: &[MemberStatus], me: &str) -> BTreeSet<u64> {
    let answers = members.iter().map(|member| async move {
        let connect = TcpStream::connect(&member.member.peer_address);
        let answers =
            member.member.name == me || matches!(tokio::time::timeout(ANSWER, connect).await, Ok(Ok(_)));
        answers.then_some(member.raft_id)
    });
    join_all(answers).await.into_iter().flatten().collect()
}
