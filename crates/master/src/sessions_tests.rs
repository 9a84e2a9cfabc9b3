//! Sessions and tunnels, both ends in this process.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// The next order's tunnel id.
async fn ordered(orders: &mut Orders) -> String {
    let order = orders.recv().await.expect("an order").expect("no error");
    match order.message {
        Some(v1::session_down::Message::OpenTunnel(open)) => open.tunnel_id,
        other => panic!("not an order for a tunnel: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_session_takes_the_older_ones_place() {
    let sessions = Sessions::default();
    let mut first = sessions.open("n1", 1);
    tokio::time::advance(Duration::from_secs(3)).await;
    let _second = sessions.open("n1", 2);
    assert!(first.recv().await.is_none(), "the older stream ends");
    sessions.close("n1", 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    // The older one's heartbeats count no more.
    sessions.heard("n1", 1);
    let age = |sessions: &Sessions| sessions.ages().get("n1").map(Duration::as_secs);
    assert_eq!(age(&sessions), Some(2));
    sessions.heard("n1", 2);
    assert_eq!(age(&sessions), Some(0));
    sessions.close("n1", 2);
    assert_eq!(age(&sessions), None);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_session_is_not_here_and_a_dead_one_is_not_waited_for_long() {
    let sessions = Sessions::default();
    assert!(sessions.dial("n1").await.is_none());
    let mut orders = sessions.open("n1", 1);
    let (outcome, id) = tokio::join!(sessions.dial("n1"), ordered(&mut orders));
    let why = outcome.expect("its session is here").expect_err("nobody opened the tunnel");
    assert_eq!(why, "node n1 did not answer within 5s");
    assert!(sessions.opening().is_empty(), "{id} is forgotten");
    drop(orders);
    assert!(sessions.dial("n1").await.is_none(), "it was silent for too long");
    sessions.heard("n1", 1);
    let why = sessions.dial("n1").await.expect("here").expect_err("its stream is gone");
    assert_eq!(why, "the session of node n1 just ended");
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_is_forgotten_with_its_caller_and_a_full_queue_is_not_waited_for_long() {
    let sessions = Sessions::default();
    let orders = sessions.open("n1", 1);
    assert!(sessions.dial("n1").now_or_never().is_none(), "it waits");
    assert!(sessions.opening().is_empty(), "nobody waits any more");
    // The agent takes no orders.
    while orders.len() < ORDERS {
        sessions.announce(&["a:1".to_owned()]);
    }
    let why = sessions.dial("n1").await.expect("its session is here").expect_err("not taken");
    assert_eq!(why, "node n1 did not answer within 5s");
}

#[tokio::test]
async fn bytes_go_both_ways_and_each_end_sees_the_other_one_close() {
    let (ours, theirs) = tokio::io::duplex(TUNNEL_BYTES);
    let (into, frames) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, Status>>(4);
    let mut outgoing = pump(ours, ReceiverStream::new(frames).boxed());
    let (mut reader, mut writer) = tokio::io::split(theirs);
    into.send(Ok("to the master".into())).await.expect("taken");
    let mut text = [0; 13];
    reader.read_exact(&mut text).await.expect("bytes");
    assert_eq!(&text, b"to the master");
    writer.write_all(b"to the node").await.expect("taken");
    assert_eq!(outgoing.next().await.expect("bytes"), "to the node");
    // More than the pipe holds: nothing is lost while the reader is slow.
    let large = vec![7; 3 * TUNNEL_BYTES];
    let (_, read) =
        tokio::join!(async { into.send(Ok(large.clone().into())).await.expect("taken") }, async {
            let mut read = vec![0; large.len()];
            reader.read_exact(&mut read).await.expect("bytes");
            read
        });
    assert_eq!(read, large);
    drop(into);
    assert_eq!(reader.read(&mut [0; 1]).await.expect("the end"), 0, "the node hung up");
    writer.shutdown().await.expect("closes");
    drop((reader, writer));
    assert!(outgoing.next().await.is_none(), "the master hung up");
}

#[tokio::test]
async fn every_agent_is_told_of_the_masters_and_a_full_queue_blocks_nobody() {
    let sessions = Sessions::default();
    let _slow = sessions.open("n1", 1);
    let mut quick = sessions.open("n2", 2);
    for _ in 0..2 * ORDERS {
        sessions.announce(&["a:1".to_owned()]);
        let order = quick.recv().await.expect("told").expect("no error");
        let Some(v1::session_down::Message::Masters(masters)) = order.message else { panic!("masters") };
        assert_eq!(masters.client_addresses, ["a:1"]);
    }
}
