//! A cache over masters that come and go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use super::*;
use crate::fake::{Fake, client_of};
use crate::{Cache, Change, Selection};

async fn next(changes: &mut Receiver<Change>) -> String {
    let change =
        timeout(Duration::from_secs(5), changes.recv()).await.expect("a change").expect("not lagging");
    match change {
        Change::Applied(object) => format!("+{}={}", object.name(), object.text(&["data", "key"])),
        Change::Deleted(object) => format!("-{}", object.name()),
    }
}

#[tokio::test]
async fn it_follows_and_resumes_over_another_master() {
    let mut first = Fake::start().await;
    let second = Fake::on(Arc::clone(&first.store)).await;
    let store = Arc::clone(&first.store);
    store.put(config_map("a", "1"));
    let (cache, mut changes) = Cache::start(client_of(&[&first, &second]), Selection::all(config_maps()));
    assert!(cache.synced().await);
    assert_eq!(next(&mut changes).await, "+a=1");
    store.put(config_map("a", "2"));
    assert_eq!(next(&mut changes).await, "+a=2");
    first.stop().await;
    store.put(config_map("b", "1"));
    let _ = store.remove("configmaps", "default", "a");
    assert_eq!(next(&mut changes).await, "+b=1");
    assert_eq!(next(&mut changes).await, "-a");
    assert!(cache.get("default", "a").is_none());
    assert_eq!(cache.list().iter().map(|o| o.name().to_owned()).collect::<Vec<_>>(), ["b"]);
    // Resumed at its revision: the second master was never asked for a list.
    assert_eq!(second.take_calls(), ["watch configmaps /"]);
    cache.stop().await;
}

#[tokio::test]
async fn it_leaves_a_master_that_says_it_is_cut_off() {
    let first = Fake::start().await;
    let second = Fake::on(Arc::clone(&first.store)).await;
    let store = Arc::clone(&first.store);
    store.put(config_map("a", "1"));
    let (cache, mut changes) = Cache::start(client_of(&[&first, &second]), Selection::all(config_maps()));
    assert_eq!(next(&mut changes).await, "+a=1");
    first.cut_off();
    store.put(config_map("b", "1"));
    assert_eq!(next(&mut changes).await, "+b=1");
    assert_eq!(second.take_calls(), ["watch configmaps /"]);
    cache.stop().await;
}

#[tokio::test]
async fn what_was_compacted_is_listed_again() {
    let mut first = Fake::start().await;
    let second = Fake::on(Arc::clone(&first.store)).await;
    let store = Arc::clone(&first.store);
    store.put(config_map("a", "1"));
    let (cache, mut changes) = Cache::start(client_of(&[&first, &second]), Selection::all(config_maps()));
    assert_eq!(next(&mut changes).await, "+a=1");
    first.stop().await;
    let _ = store.remove("configmaps", "default", "a");
    store.put(config_map("b", "1"));
    store.compact();
    assert_eq!(next(&mut changes).await, "-a");
    assert_eq!(next(&mut changes).await, "+b=1");
    assert_eq!(cache.list().len(), 1);
}
