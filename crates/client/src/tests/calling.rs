//! One request over several masters.

use std::time::Duration;

use super::*;
use crate::fake::{Fake, Fault, client_of};
use crate::{DeleteParams, ListParams, Patch, Settings};

fn impatient() -> Settings {
    Settings {
        deadline: Duration::from_millis(900),
        try_timeout: Duration::from_millis(200),
        ..Settings::default()
    }
}

#[tokio::test]
async fn an_object_lives_its_life() {
    let fake = Fake::start().await;
    let client = client_of(&[&fake]);
    let rows = config_maps();
    let made = client.create(rows, &config_map("a", "1")).await.expect("created");
    assert_eq!(made.resource_version(), "1");
    let mut changed = made.clone();
    changed.set(&["data", "key"], "2");
    client.update(rows, &changed).await.expect("updated");
    let error = client.update(rows, &changed).await.expect_err("made from an old version");
    assert_eq!(error.reason, Reason::Conflict);
    let patch = Patch::Merge(json!({"data": {"key": null, "more": "3"}}));
    let patched = client.patch(rows, "default", "a", &patch).await.expect("patched");
    assert_eq!(patched.get(&["data"]), Some(&json!({"more": "3"})));
    client.delete(rows, "default", "a", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(client.find(rows, "default", "a").await, Ok(None));
    let error = client.get(rows, "default", "a").await.expect_err("gone");
    assert_eq!(error, ApiError::not_found("", "configmaps", "a"));
}

#[tokio::test]
async fn a_list_follows_its_pages() {
    let fake = Fake::start().await;
    for number in 0..1100 {
        fake.store.put(config_map(&format!("m{number:04}"), ""));
    }
    let list = client_of(&[&fake]).list(config_maps(), "", &ListParams::default()).await.expect("listed");
    assert_eq!((list.items.len(), list.resource_version.as_str()), (1100, "1100"));
    assert_eq!(fake.take_calls(), ["list configmaps /"; 3]);
}

#[tokio::test]
async fn a_master_that_is_away_is_passed_over_for_good() {
    let mut first = Fake::start().await;
    let second = Fake::on(std::sync::Arc::clone(&first.store)).await;
    let client = client_of(&[&first, &second]);
    client.create(config_maps(), &config_map("a", "1")).await.expect("created by the first");
    first.stop().await;
    client.get(config_maps(), "default", "a").await.expect("answered by the second");
    client.create(config_maps(), &config_map("b", "1")).await.expect("created by the second");
    assert_eq!(first.take_calls(), ["create configmaps default/a"]);
    assert_eq!(second.take_calls(), ["get configmaps default/a", "create configmaps default/b"]);
}

#[tokio::test]
async fn a_master_that_says_no_is_asked_again() {
    let first = Fake::start().await;
    let second = Fake::on(std::sync::Arc::clone(&first.store)).await;
    let client = client_of(&[&first, &second]);
    for name in ["a", "b"] {
        assert_eq!(client.find(config_maps(), "default", name).await, Ok(None));
    }
    assert_eq!(first.take_calls(), ["get configmaps default/a", "get configmaps default/b"]);
    assert_eq!(second.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_create_is_sent_again_only_where_nothing_happened() {
    let first = Fake::start().await;
    let second = Fake::on(std::sync::Arc::clone(&first.store)).await;
    let client = client_of(&[&first, &second]);
    first.fail_next(Fault::Refuse(no_leader()));
    client.create(config_maps(), &config_map("a", "1")).await.expect("created by the second");
    second.fail_next(Fault::DoThenFail(ApiError::new(Reason::Timeout, "no quorum in time")));
    let error = client.create(config_maps(), &config_map("b", "1")).await.expect_err("nobody knows");
    assert_eq!(error.reason, Reason::Timeout);
    let message = format!(
        "{}: no quorum in time: it is not known whether the request took effect, look before trying again",
        second.server()
    );
    assert_eq!(error.message, message);
    assert_eq!(first.take_calls(), ["create configmaps default/a"]);
}

#[tokio::test]
async fn what_says_what_is_to_be_is_sent_again() {
    let first = Fake::start().await;
    let second = Fake::on(std::sync::Arc::clone(&first.store)).await;
    first.store.put(config_map("a", "1"));
    let client = client_of(&[&first, &second]).with_settings(impatient());
    first.fail_next(Fault::Hang);
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    let patched = client.patch(config_maps(), "default", "a", &patch).await.expect("by the second");
    assert_eq!(patched.text(&["data", "key"]), "2");
}

#[tokio::test]
async fn the_deadline_ends_it_with_every_masters_words() {
    let mut first = Fake::start().await;
    let second = Fake::start().await;
    let client = client_of(&[&first, &second]).with_settings(impatient());
    first.stop().await;
    for _ in 0..20 {
        second.fail_next(Fault::Refuse(no_leader()));
    }
    let error = client.get(config_maps(), "default", "a").await.expect_err("no leader");
    assert_eq!(error.reason, Reason::ServiceUnavailable);
    let words =
        error.message.replace(&first.server().to_string(), "A").replace(&second.server().to_string(), "B");
    assert_eq!(words, "no master answers: A: Connection refused (os error 111); B: no leader");
}
