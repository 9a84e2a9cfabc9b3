//! Masters that come and go.

use futures::FutureExt as _;
use openraft::async_runtime::WatchReceiver as _;

use super::partition::Isolation;
use super::*;
use crate::ProposeError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_can_be_removed_from_another_master() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let asked = (leader + 1) % 3;
    // It looks on from before, as a running master does, and applies its own removal.
    let learns = tokio::time::timeout(PATIENCE, all[leader].node.removed());
    let (removed, learned) = tokio::join!(all[asked].node.remove(all[leader].id), learns);
    removed.expect("removed");
    learned.expect("it learns of it");
    let removed = all.remove(leader);
    let next = leader_of(&all).await;
    all[next].node.propose(&create("after", 10)).await.expect("writes go on");
    let expected: Vec<u64> = all.iter().map(|running| running.id).collect();
    for running in &all {
        eventually("two members", || {
            running.node.members().iter().map(|member| member.raft_id).eq(expected.iter().copied())
        })
        .await;
    }
    // Nobody takes it for the leader.
    let late = Transaction { fence: Some(1), ..create("late", 10) };
    let outcome = removed.node.propose(&late).await;
    assert!(!matches!(outcome, Ok(Reply::Applied { .. })), "{outcome:?}");
    for running in all.into_iter().chain([removed]) {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_out_without_being_told_hears_it_from_the_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let follower = (leader + 1) % 3;
    all[leader].node.remove(all[follower].id).await.expect("removed");
    let mut removed = all.remove(follower);
    // The second time it has been away, and its own log says that it votes.
    for _ in 0..2 {
        let learned = tokio::time::timeout(PATIENCE, removed.node.removed()).await;
        learned.expect("it learns of it");
        let id = removed.id;
        removed.stop().await;
        removed = Running::start(dir.path(), id, bind().await, true).await.expect("starts");
    }
    for running in &all {
        assert!(running.node.removed().now_or_never().is_none(), "{} stays", running.id);
    }
    for running in all.into_iter().chain([removed]) {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_when_asked_anywhere() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let leader = leader_of(&all).await;
    let (asked, heir) = ((leader + 1) % 3, (leader + 2) % 3);
    // The heir must have everything, or it would refuse.
    all[heir].node.barrier().await.expect("a read point");
    all[asked].node.transfer(Some(all[heir].id)).await.expect("asked");
    eventually("the heir leads", || all[heir].node.leadership().borrow().leading.is_some()).await;
    eventually("the old one knows", || all[leader].node.leadership().borrow().leading.is_none()).await;
    let names: Vec<String> = all[asked].node.members().into_iter().map(|member| member.member.name).collect();
    assert_eq!(names, ["m1", "m2", "m3"]);
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_a_second_cluster_or_removes_the_last_voter() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    alone.node.bootstrap(alone.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&alone)).await;
    let again = alone.node.bootstrap(alone.member.clone()).await.expect_err("refused").to_string();
    assert!(again.starts_with("no new cluster can be made here: "), "{again}");
    let last = alone.node.remove(1).await.expect_err("refused").to_string();
    assert!(last.starts_with("the membership was not changed: "), "{last}");
    let nobody = alone.node.transfer(None).await.expect_err("refused").to_string();
    assert_eq!(nobody, "there is no other voter to lead");
    let unknown = alone.node.promote(77).await.expect_err("refused");
    assert!(matches!(unknown, ProposeError::Refused(_)), "{unknown}");
    alone.node.propose(&create("still", 10)).await.expect("nothing changed");
    alone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_gets_no_vote() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    alone.node.bootstrap(alone.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&alone)).await;
    // Nothing listens on the first port of loopback.
    let silent = Member {
        name: "m2".to_owned(),
        client_address: String::new(),
        peer_address: "127.0.0.1:1".to_owned(),
    };
    alone.node.add_learner(2, silent).await.expect("a learner");
    let refused = alone.node.promote(2).await.expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "the member 2 gets no vote: it does not answer, or has not caught up with the log"
    );
    // It can never lead either: waiting for it would end all writes.
    let refused = alone.node.transfer(Some(2)).await.expect_err("refused");
    assert_eq!(refused.to_string(), "who has no vote cannot lead");
    alone.node.transfer(Some(1)).await.expect("it leads already");
    alone.node.propose(&create("still", 10)).await.expect("one is a majority of one");
    alone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_left_half_done_is_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let leader = leader_of(&all).await;
    let (stays, goes) = ((leader + 1) % 3, (leader + 2) % 3);
    let configs = || {
        let metrics = all[leader].node.core.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().get_joint_config().len()
    };
    // Without this one there is no majority of those that stay, and who asked waits no longer.
    let isolation = Isolation::of(cluster_id(dir.path()), all[stays].id);
    tokio::select! {
        outcome = all[leader].node.remove(all[goes].id) => panic!("{outcome:?}"),
        () = eventually("it is begun", || configs() == 2) => {}
    }
    drop(isolation);
    eventually("it is ended", || configs() == 1).await;
    let mut expected = [all[leader].id, all[stays].id];
    expected.sort_unstable();
    assert!(all[leader].node.members().iter().map(|member| member.raft_id).eq(expected));
    for running in all {
        running.stop().await;
    }
}
