//! What the store can do to a write: lose its answer, lose it, lag, depose its proposer.

use serde_json::json;
use xebec_api::error::Reason;
use xebec_state::{Key, Operation, Reply, Transaction};

use super::{admin, config_map, object, pod, target};
use crate::testing::{Fault, Fixture};
use crate::{Binding, DeleteOptions, Patch, RequestContext, stored};

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_not_repeated() {
    let Fixture { server, store, .. } = Fixture::new().await;
    store.inject(Fault::AnswerLost);
    let before = store.latest().revision();
    let created =
        server.create(&admin(), &target("configmaps", ""), config_map("a", "1")).await.expect("it is there");
    assert_eq!(store.latest().revision(), before + 1, "one write");
    assert_eq!(server.get(&admin(), &target("configmaps", "a")).await, Ok(created));

    store.inject(Fault::AnswerLost);
    let patch = Patch::Json(json!([{"op": "replace", "path": "/data/key", "value": "2"}]));
    let patched = server.patch(&admin(), &target("configmaps", "a"), &patch).await.expect("it is there");
    assert_eq!((patched.text(&["data", "key"]), store.latest().revision()), ("2", before + 2));

    store.inject(Fault::AnswerLost);
    server.delete(&admin(), &target("configmaps", "a"), &DeleteOptions::default()).await.expect("it is gone");
    assert_eq!(store.latest().revision(), before + 3);
}

#[tokio::test]
async fn a_lost_proposal_is_made_again() {
    let Fixture { server, store, .. } = Fixture::new().await;
    store.inject(Fault::ProposalLost);
    let created =
        server.create(&admin(), &target("configmaps", ""), config_map("a", "1")).await.expect("made again");
    assert_eq!(server.get(&admin(), &target("configmaps", "a")).await, Ok(created));
}

#[tokio::test]
async fn a_proposal_that_arrives_late_does_not_happen_twice() {
    let Fixture { server, store, .. } = Fixture::new().await;
    let before = store.latest().revision();
    store.inject(Fault::Delayed);
    let created =
        server.create(&admin(), &target("configmaps", ""), config_map("a", "1")).await.expect("it is there");
    assert_eq!(store.latest().revision(), before + 1, "the delayed one won, the repeated one was refused");
    assert_eq!(
        server.get(&admin(), &target("configmaps", "a")).await,
        Ok(created),
        "the answer is the one that won"
    );
}

#[tokio::test]
async fn without_a_leader_nothing_happens() {
    let Fixture { server, store, .. } = Fixture::new().await;
    store.inject(Fault::NoLeader);
    let error = server
        .create(&admin(), &target("configmaps", ""), config_map("a", "1"))
        .await
        .expect_err("no leader");
    assert_eq!(
        (error.reason, error.message.as_str()),
        (Reason::ServiceUnavailable, "no leader: a test says so; try again")
    );
}

#[tokio::test]
async fn a_proposal_that_may_still_happen_is_not_said_to_have_done_nothing() {
    let Fixture { server, store, .. } = Fixture::new().await;
    // The first is under way still when the leader is gone that was to take the second.
    store.inject(Fault::Delayed);
    store.inject(Fault::NoLeader);
    let made = server.create(&admin(), &target("configmaps", ""), config_map("a", "1")).await;
    assert_eq!(made.expect_err("nobody knows").reason, Reason::Timeout);
    assert!(store.latest().get(&Key::new("configmaps", "default", "a")).is_some(), "it did happen");
}

#[tokio::test]
async fn a_deposed_leaders_loop_changes_nothing() {
    let Fixture { server, store, .. } = Fixture::new().await;
    let context = RequestContext::system("deployment-controller", 1);
    server.create(&context, &target("configmaps", ""), config_map("a", "1")).await.expect("it leads");
    store.set_term(2);
    let error =
        server.create(&context, &target("configmaps", ""), config_map("b", "1")).await.expect_err("deposed");
    assert_eq!(error.message, "this master no longer leads (term 2 does now): nothing was changed");
    // What happened in its own term is not taken for a later one's.
    store.inject(Fault::ProposalLost);
    let context = RequestContext::system("deployment-controller", 2);
    let error = server.create(&context, &target("configmaps", ""), config_map("b", "1")).await;
    assert!(error.is_ok(), "a lost fenced proposal is made again in the same term");
}

#[tokio::test]
async fn a_master_that_is_behind_catches_up_before_it_refuses() {
    let Fixture { server, store, .. } = Fixture::new().await;
    let elsewhere = |operations| {
        let reply = store.propose_elsewhere(&Transaction { operations, ..Transaction::default() });
        assert!(matches!(reply, Reply::Applied { .. }));
    };
    let mut made = config_map("a", "1");
    for (path, value) in [("name", "a"), ("namespace", "default"), ("uid", "1")] {
        made.set(&["metadata", path], value);
    }
    made.set(&["apiVersion"], "v1");
    made.set(&["kind"], "ConfigMap");
    let key = Key::new("configmaps", "default", "a");
    elsewhere(vec![Operation::Put(key.clone(), stored::encode(&made))]);
    let got = server.get(&admin(), &target("configmaps", "a")).await.expect("reads are linearizable");
    made.set(&["data", "key"], "2");
    elsewhere(vec![Operation::Put(key.clone(), stored::encode(&made))]);
    let patch = Patch::Merge(json!({"data": {"other": "3"}}));
    let patched = server.patch(&admin(), &target("configmaps", "a"), &patch).await.expect("decided again");
    assert_eq!(patched.get(&["data"]), Some(&json!({"key": "2", "other": "3"})));
    let stale =
        server.update(&admin(), &target("configmaps", "a"), got).await.expect_err("changed twice since");
    assert_eq!(stale.reason, Reason::Conflict);
    elsewhere(vec![Operation::Delete(key)]);
    server.create(&admin(), &target("configmaps", ""), config_map("a", "4")).await.expect("the name is free");
}

#[tokio::test]
async fn pods_that_cannot_be_bound_do_not_hold_the_others_up() {
    let Fixture { server, store, .. } = Fixture::new().await;
    server
        .create(&admin(), &target("nodes", ""), object(json!({"metadata": {"name": "n1"}})))
        .await
        .expect("a node");
    let mut bindings = Vec::new();
    for name in ["a", "b", "c"] {
        let pod = server.create(&admin(), &target("pods", ""), pod(name)).await.expect("a pod");
        let (namespace, node) = ("default".to_owned(), "n1".to_owned());
        bindings.push(Binding { namespace, name: name.into(), uid: pod.uid().into(), node });
    }
    // Somebody else removes one, which this master has not seen.
    let gone = vec![Operation::Delete(Key::new("pods", "default", "b"))];
    store.propose_elsewhere(&Transaction { operations: gone, ..Transaction::default() });
    bindings.push(Binding { node: "nowhere".into(), ..bindings[0].clone() });
    let before = store.latest().revision();
    let outcomes = server.bind_many(&RequestContext::system("scheduler", 1), &bindings).await;
    let shown: Vec<_> = outcomes.iter().map(|o| o.as_ref().err().map(|e| e.message.as_str())).collect();
    assert_eq!(shown, [None, Some("pods \"b\" not found"), None, Some("nodes \"nowhere\" not found")]);
    assert_eq!(store.latest().revision(), before + 2);
    let bound = server.get(&admin(), &target("pods", "a")).await.expect("it is there");
    assert_eq!(bound.text(&["spec", "nodeName"]), "n1");
    let condition =
        json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T10:00:00Z"}]);
    assert_eq!(bound.get(&["status", "conditions"]), Some(&condition));
}
