//! Writes and reads through any member, and what a lagging or restarted one knows.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_takes_writes_and_reads_what_others_wrote() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    for (index, running) in all.iter().enumerate() {
        let name = format!("from-{index}");
        let reply = running.node.propose(&create(&name, 10)).await.expect("accepted");
        assert!(matches!(reply, Reply::Applied { .. }));
        assert!(running.node.state().get(&key(&name)).is_some(), "an answered write is in the own state");
        let again = running.node.propose(&create(&name, 10)).await.expect("answered");
        assert!(matches!(again, Reply::Refused(Refusal::Precondition { index: 0, .. })));
        for reader in &all {
            reader.node.barrier().await.expect("a read point");
            assert!(reader.node.state().get(&key(&name)).is_some());
        }
    }
    let hashes: Vec<u64> = all.iter().map(|running| running.node.state().hash()).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_catches_up_also_by_snapshot() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let away = all.remove((leader + 1) % 3);
    let (id, address) = (away.id, away.member.peer_address.clone());
    away.stop().await;
    let leader = leader_of(&all).await;
    // More than the log keeps, and larger than a chunk.
    all[leader].node.propose(&create("large", 300_000)).await.expect("accepted");
    for round in 0..130 {
        let writes = (0..50).map(|i| {
            let transaction = create(&format!("w-{round}-{i}"), 20);
            let node = &all[leader].node;
            async move { node.propose(&transaction).await.expect("accepted") }
        });
        futures::future::join_all(writes).await;
    }
    let listener = TcpListener::bind(&address).await.expect("its old port");
    let back = Running::start(dir.path(), id, listener, true).await.expect("starts again");
    let wanted = all[leader].node.state().revision();
    let seen = wanted - 100;
    let mut revisions = back.node.revisions();
    tokio::time::timeout(PATIENCE, revisions.wait_for(|revision| *revision >= wanted))
        .await
        .expect("catches up")
        .expect("runs");
    assert_eq!(back.node.state().hash(), all[leader].node.state().hash());
    // A watch that another member served until now goes on here.
    let events = |running: &Running| running.node.state().events_after("configmaps", seen).expect("kept");
    assert_eq!(events(&back).len(), 100);
    assert_eq!(events(&back), events(&all[leader]));
    for running in all.into_iter().chain([back]) {
        running.stop().await;
    }
    for member in 1..=3 {
        for database in ["log", "state"] {
            let blobs = dir.path().join(format!("m{member}/{database}/blobs"));
            let blobs = std::fs::read_dir(blobs).map_or(0, Iterator::count);
            assert_eq!(blobs, 0, "sled never syncs its blobs: none may be made");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_everything_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    alone.node.bootstrap(alone.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&alone)).await;
    for i in 0..20 {
        alone.node.propose(&create(&format!("w-{i}"), 100_000)).await.expect("accepted");
    }
    let before = alone.node.state();
    let address = alone.member.peer_address.clone();
    alone.stop().await;
    let listener = TcpListener::bind(&address).await.expect("its old port");
    let again = Running::start(dir.path(), 1, listener, true).await.expect("starts again");
    leader_of(std::slice::from_ref(&again)).await;
    let after = again.node.state();
    assert_eq!((after.revision(), after.hash()), (before.revision(), before.hash()));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_no_message_could_carry_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    let large = create("large", crate::TRANSACTION_BYTES);
    for running in &all {
        let refused = running.node.propose(&large).await.expect_err("refused").to_string();
        assert!(refused.ends_with("16777216 are allowed"), "{refused}");
    }
    let largest = create("largest", crate::TRANSACTION_BYTES - 200);
    all[0].node.propose(&largest).await.expect("just fits");
    for running in &all {
        running.node.barrier().await.expect("it got everywhere");
        assert!(running.node.state().get(&key("largest")).is_some());
    }
    for running in all {
        running.stop().await;
    }
}
