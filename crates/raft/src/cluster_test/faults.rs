//! Leaders that die or are cut off, foreign masters, and folders that are not whole.

use openraft::async_runtime::WatchReceiver as _;

use super::partition::Isolation;
use super::*;
use crate::ProposeError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_the_leader_and_its_fence_does_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let term = all[leader].node.leadership().borrow().leading.expect("leads");
    let fenced = Transaction { fence: Some(term), ..create("fenced", 10) };
    assert!(matches!(all[leader].node.propose(&fenced).await.expect("its term"), Reply::Applied { .. }));
    all.remove(leader).stop().await;
    let next = leader_of(&all).await;
    all[next].node.propose(&create("after", 10)).await.expect("writes go on");
    let state = all[next].node.state();
    assert!(state.get(&key("fenced")).is_some() && state.get(&key("after")).is_some());
    let late = Transaction { fence: Some(term), ..create("late", 10) };
    let refused = all[next].node.propose(&late).await.expect("answered");
    assert!(matches!(refused, Reply::Refused(Refusal::Fenced { .. })), "{refused:?}");
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_damaged_log_is_refused_with_the_way_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let lost = Running::start(dir.path(), 1, bind().await, true).await.err().expect("refused").to_string();
    assert!(lost.contains("has an identity but no log"), "{lost}");
    assert!(lost.contains("xctl token create --master"), "{lost}");

    let whole = Running::start(dir.path(), 2, bind().await, false).await.expect("starts");
    whole.node.bootstrap(whole.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&whole)).await;
    whole.stop().await;
    let log = dir.path().join("m2/log/db");
    let length = std::fs::metadata(&log).expect("there").len();
    std::fs::write(&log, vec![0; length as usize]).expect("wiped");
    let wiped = Running::start(dir.path(), 2, bind().await, true).await.err().expect("refused").to_string();
    assert!(wiped.contains("to rejoin"), "{wiped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_another_cluster_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", alone.member.peer_address));
    let channel = channel.expect("an address").connect().await.expect("connects");
    let mut client = xebec_rpc::raft::v1::raft_client::RaftClient::new(channel);
    let ours = cluster_id(dir.path());
    for (cluster_id, to, why) in [
        ("other", 1, "this master belongs to another cluster"),
        (&*ours, 9, "this address now belongs to another master"),
    ] {
        let envelope = xebec_rpc::raft::v1::Envelope { cluster_id: cluster_id.into(), from: 7, to };
        let vote = xebec_rpc::raft::v1::Vote { term: 99, node_id: 7, committed: true };
        let request = xebec_rpc::raft::v1::VoteRequest {
            envelope: Some(envelope),
            vote: Some(vote),
            ..Default::default()
        };
        let refused = client.vote(request).await.expect_err("refused");
        assert_eq!((refused.code(), refused.message()), (tonic::Code::FailedPrecondition, why));
    }
    assert_eq!(alone.node.leadership().borrow().term, 0, "a refused message changes nothing");
    alone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_commits_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let leader = leader_of(&all).await;
    let term = all[leader].node.leadership().borrow().leading.expect("leads");
    let isolation = Isolation::of(cluster_id(dir.path()), all[leader].id);
    // Its own loops, and its clients, find out that nothing is certain.
    let fenced = Transaction { fence: Some(term), ..create("fenced", 10) };
    let lonely = all[leader].node.propose(&fenced);
    let others: Vec<&Running> = all.iter().filter(|running| running.id != all[leader].id).collect();
    let ahead = async {
        let leads = |running: &&&Running| running.node.leadership().borrow().leading.is_some();
        eventually("another one leads", || others.iter().any(|running| leads(&running))).await;
        others[0].node.propose(&create("ahead", 10)).await.expect("two are a quorum");
    };
    let (outcome, ()) = tokio::join!(lonely, ahead);
    assert!(matches!(outcome, Err(ProposeError::Unknown(_) | ProposeError::NotLeading)), "{outcome:?}");
    let read = all[leader].node.barrier().await;
    assert!(matches!(read, Err(ProposeError::NoLeader(_))), "{read:?}");
    let known = all[leader].node.leadership().borrow().clone();
    assert_eq!((known.leader, known.leading), (None, None), "it has stopped to claim that it leads");
    let refused = all[leader].node.propose(&create("refused", 10)).await;
    assert!(matches!(refused, Err(ProposeError::NoLeader(_))), "nothing happened: {refused:?}");
    drop(isolation);
    // It gives way, and what only it had is gone.
    let mut leadership = all[leader].node.leadership();
    leadership.wait_for(|known| known.leader.is_some()).await.expect("it runs");
    all[leader].node.barrier().await.expect("a read point again");
    let state = all[leader].node.state();
    assert!(state.get(&key("ahead")).is_some() && state.get(&key("fenced")).is_none());
    let late = all[leader].node.propose(&Transaction { fence: Some(term), ..create("late", 10) }).await;
    assert!(
        matches!(late, Err(ProposeError::NotLeading) | Ok(Reply::Refused(Refusal::Fenced { .. }))),
        "{late:?}"
    );
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_cut_off_names_no_leader() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let leader = leader_of(&all).await;
    let follower = &all[(leader + 1) % 3];
    let known = || follower.node.leadership().borrow().leader.clone();
    eventually("it knows the leader", || known().is_some()).await;
    let isolation = Isolation::of(cluster_id(dir.path()), follower.id);
    eventually("it knows none any more", || known().is_none()).await;
    let why = follower.node.barrier().await.expect_err("there is no majority").to_string();
    assert_eq!(why, "no leader can be reached: no majority of the masters answers");
    drop(isolation);
    eventually("it knows the leader again", || known().is_some()).await;
    follower.node.propose(&create("again", 10)).await.expect("passed on");
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_through_a_change_of_leader() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let killed = all.remove(leader);
    let write = async |writer: usize| {
        let mut answered = Vec::new();
        for number in 0..40 {
            let name = format!("w-{writer}-{number}");
            match all[writer % 2].node.propose(&create(&name, 50)).await {
                Ok(_) => answered.push(name),
                // It was under way when the leader died.
                Err(ProposeError::Unknown(_)) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
        answered
    };
    let (answered, ()) = tokio::join!(futures::future::join_all((0..8).map(write)), killed.stop());
    let answered: Vec<String> = answered.into_iter().flatten().collect();
    assert!(answered.len() > 8 * 30, "{}", answered.len());
    for reader in &all {
        reader.node.barrier().await.expect("a read point");
        let state = reader.node.state();
        let lost: Vec<&String> = answered.iter().filter(|name| state.get(&key(name)).is_none()).collect();
        assert_eq!(lost, Vec::<&String>::new());
    }
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stopped_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    alone.node.bootstrap(alone.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&alone)).await;
    let mut leadership = alone.node.leadership();
    alone.node.stop().await;
    let why = tokio::time::timeout(PATIENCE, alone.node.stopped()).await.expect("ends");
    assert!(!why.is_empty());
    // What `wait_for` lends keeps the sender waiting for as long as it lives.
    leadership.wait_for(|leadership| leadership.leading.is_none()).await.map(drop).expect("it leads no more");
    let refused = alone.node.propose(&create("late", 10)).await;
    assert!(matches!(refused, Err(ProposeError::Stopped(_))), "{refused:?}");
    alone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_leader_had_under_way_when_it_ended_may_have_happened() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let leader = leader_of(&all).await;
    let node = &all[leader].node;
    let in_the_log = || node.core.raft.metrics().borrow_watched().last_log_index;
    let before = in_the_log();
    let isolation = Isolation::of(cluster_id(dir.path()), all[leader].id);
    let transaction = create("under-way", 10);
    let ends = async {
        eventually("it is in the leader's log", || in_the_log() > before).await;
        node.stop().await;
    };
    let (outcome, ()) = tokio::join!(node.propose(&transaction), ends);
    assert!(matches!(outcome, Err(ProposeError::Unknown(_))), "{outcome:?}");
    // From now on nothing happens here.
    let late = node.propose(&transaction).await;
    assert!(matches!(late, Err(ProposeError::Stopped(_))), "{late:?}");
    drop(isolation);
    for running in all {
        running.stop().await;
    }
}
