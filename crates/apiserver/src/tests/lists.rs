//! Pages of one revision under writes, and watches that go on where something ended.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use xebec_api::error::Reason;
use xebec_state::{Key, Operation, Transaction};

use super::{admin, api, config_map, events, target};
use crate::testing::Fixture;
use crate::{ApiServer, DeleteOptions, ListOptions, Settings, Target, WatchKind, WatchOptions};

#[tokio::test]
async fn all_pages_show_one_revision_while_everything_changes() {
    let api = api().await;
    for number in 0..25 {
        api.create("configmaps", config_map(&format!("c{number:02}"), "old")).await;
    }
    let collection = target("configmaps", "");
    let mut options = ListOptions { limit: 10, ..ListOptions::default() };
    let (mut names, mut remaining, mut revision) = (Vec::new(), Vec::new(), None);
    loop {
        let page = api.0.list(&admin(), &collection, &options).await.expect("a page");
        assert_eq!(*revision.get_or_insert(page.revision), page.revision);
        names
            .extend(page.items.iter().map(|item| format!("{}={}", item.name(), item.text(&["data", "key"]))));
        remaining.push(page.remaining);
        // Between the pages: one goes, one changes, one comes.
        let turn = remaining.len();
        let gone = target("configmaps", &format!("c{:02}", 20 + turn));
        api.0.delete(&admin(), &gone, &DeleteOptions::default()).await.expect("deleted");
        api.patch(&target("configmaps", "c19"), json!({"data": {"key": turn.to_string()}})).await;
        api.create("configmaps", config_map(&format!("c15-{turn}"), "new")).await;
        if page.continue_token.is_empty() {
            break;
        }
        options.continue_token = page.continue_token;
    }
    let wanted: Vec<String> = (0..25).map(|number| format!("c{number:02}=old")).collect();
    assert_eq!((names, remaining), (wanted, vec![15, 5, 0]));
}

#[tokio::test]
async fn pages_are_full_under_a_selector() {
    let api = api().await;
    for number in 0..9 {
        let value = if number % 3 == 0 { "x" } else { "y" };
        api.create("configmaps", config_map(&format!("c{number}"), value)).await;
    }
    let options = ListOptions { limit: 2, label_selector: "app=x".into(), ..ListOptions::default() };
    let first = api.0.list(&admin(), &target("configmaps", ""), &options).await.expect("a page");
    let names: Vec<_> = first.items.iter().map(xebec_api::object::Object::name).collect();
    assert_eq!(names, ["c0", "c3"]);
    let options = ListOptions { continue_token: first.continue_token, ..options };
    let second = api.0.list(&admin(), &target("configmaps", ""), &options).await.expect("a page");
    assert_eq!((second.items[0].name(), second.items.len(), second.continue_token.as_str()), ("c6", 1, ""));
    let wrong = ListOptions { field_selector: "spec.x=1".into(), ..ListOptions::default() };
    let error = api.0.list(&admin(), &target("configmaps", ""), &wrong).await.expect_err("no such field");
    assert_eq!(error.reason, Reason::BadRequest);
}

/// Three objects, of which a first page shows two; then a fourth comes, and one changes.
async fn a_first_page(fixture: &Fixture) -> ListOptions {
    let (server, collection) = (&fixture.server, target("configmaps", ""));
    for name in ["a", "b", "c"] {
        server.create(&admin(), &collection, config_map(name, "1")).await.expect("created");
    }
    let options = ListOptions { limit: 2, ..ListOptions::default() };
    let first = server.list(&admin(), &collection, &options).await.expect("a page");
    server.create(&admin(), &collection, config_map("d", "1")).await.expect("created");
    server.update(&admin(), &target("configmaps", "c"), config_map("c", "2")).await.expect("updated");
    ListOptions { continue_token: first.continue_token, ..options }
}

#[tokio::test]
async fn another_master_goes_on_with_the_same_revision() {
    let fixture = Fixture::new().await;
    let options = a_first_page(&fixture).await;
    let other = ApiServer::new(fixture.store.clone(), Settings::default());
    let rest = other.list(&admin(), &target("configmaps", ""), &options).await.expect("a page");
    let seen: Vec<_> = rest.items.iter().map(|item| (item.name(), item.text(&["data", "key"]))).collect();
    assert_eq!((seen, rest.continue_token.as_str()), (vec![("c", "1")], ""));
}

#[tokio::test]
async fn a_continue_that_is_too_old_says_how_to_go_on() {
    let fixture = Fixture::new().await;
    let (server, collection) = (&fixture.server, target("configmaps", ""));
    let options = a_first_page(&fixture).await;
    // Neither kept nor to be found by undoing: more has changed since than is remembered.
    fixture.clock.advance(301);
    for number in 0..6 {
        let mut large = config_map(&format!("z{number}"), "1");
        large.set(&["data", "large"], "x".repeat(900_000));
        server.create(&admin(), &collection, large).await.expect("created");
    }
    let error = server.list(&admin(), &collection, &options).await.expect_err("it is too old");
    assert_eq!(error.reason, Reason::Expired);
    let next = error.details["continue"].as_str().expect("a token to go on").to_owned();
    let options = ListOptions { continue_token: next, ..options };
    let rest = server.list(&admin(), &collection, &options).await.expect("the rest, as it is now");
    let names: Vec<_> = rest.items.iter().map(xebec_api::object::Object::name).collect();
    assert_eq!(names, ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_resumes_without_missing_or_repeating() {
    let api = api().await;
    let collection = target("configmaps", "");
    let start = api.0.state().revision();
    for number in 0..10 {
        let name = format!("c{}", number % 4);
        let body = config_map(&name, &number.to_string());
        if api.0.create(&admin(), &collection, body).await.is_err() {
            let gone = target("configmaps", &name);
            api.0.delete(&admin(), &gone, &DeleteOptions::default()).await.expect("deleted");
        }
        let other = Target::collection(collection.row, "kube-system");
        api.0.create(&admin(), &other, config_map(&format!("other{number}"), "1")).await.expect("created");
    }
    let all = events(&api, &collection, "", start).await;
    assert_eq!(all.len(), 10);
    for after in start..api.0.state().revision() {
        let seen = events(&api, &collection, "", after).await;
        assert!(all.ends_with(&seen), "after {after}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_revision_what_is_there_comes_first() {
    let api = api().await;
    api.create("configmaps", config_map("a", "1")).await;
    let options = WatchOptions { bookmarks: true, ..WatchOptions::default() };
    let mut stream = api.0.watch(&admin(), &target("configmaps", ""), &options).await.expect("a watch");
    let mut next = async || stream.next().await.expect("an event").expect("no error");
    let first = next().await;
    assert_eq!((first.kind, first.object.name()), (WatchKind::Added, "a"));
    let end = next().await;
    assert_eq!(
        (end.kind, end.object.annotation("k8s.io/initial-events-end")),
        (WatchKind::Bookmark, Some("true"))
    );
    assert_eq!(end.object.resource_version(), api.0.state().revision().to_string());
    // Others' writes move the bookmark on.
    api.create("secrets", super::object(json!({"metadata": {"name": "s"}}))).await;
    let quiet = next().await;
    assert_eq!((quiet.kind, quiet.revision), (WatchKind::Bookmark, api.0.state().revision()));
    api.patch(&target("configmaps", "a"), json!({"data": {"key": "2"}})).await;
    assert_eq!(next().await.kind, WatchKind::Modified);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_is_cut_off_ends_its_watches() {
    let Fixture { server, store, .. } = Fixture::new().await;
    for bookmarks in [true, false] {
        let options = WatchOptions { bookmarks, resource_version: "0".into(), ..WatchOptions::default() };
        let options = WatchOptions { initial_events: Some(false), ..options };
        let mut stream = server.watch(&admin(), &target("configmaps", ""), &options).await.expect("a watch");
        // It is behind, and finds out by the proof that is due: the event comes before the bookmark.
        let name = format!("elsewhere-{bookmarks}");
        let value = config_map(&name, "1").to_json();
        let put = Operation::Put(Key::new("configmaps", "default", &name), value.into());
        store.propose_elsewhere(&Transaction { operations: vec![put], ..Transaction::default() });
        let added = stream.next().await.expect("an event").expect("no error");
        assert_eq!((added.kind, added.object.name()), (WatchKind::Added, name.as_str()));
        store.cut_off(true);
        let mut last = stream.next().await.expect("not silent");
        if bookmarks {
            assert_eq!(last.expect("no error").kind, WatchKind::Bookmark);
            last = stream.next().await.expect("not silent");
        }
        let ended = last.expect_err("it hears of nothing any more");
        assert_eq!(
            (ended.reason, ended.message.as_str()),
            (
                Reason::ServiceUnavailable,
                "this master cannot tell any more what changes: no leader: a test says so"
            )
        );
        assert!(stream.next().await.is_none(), "the end");
        store.cut_off(false);
    }
}

#[tokio::test(start_paused = true)]
async fn revisions_out_of_reach_have_their_answers() {
    let api = api().await;
    let collection = target("configmaps", "");
    let start = api.0.state().revision();
    for number in 0..10 {
        // More than the ring keeps.
        let mut large = config_map(&format!("c{number}"), "1");
        large.set(&["data", "key"], "x".repeat(900_000));
        api.create("configmaps", large).await;
    }
    let old = WatchOptions { resource_version: start.to_string(), ..WatchOptions::default() };
    let error = api.0.watch(&admin(), &collection, &old).await.err().expect("too old");
    assert_eq!(error.reason, Reason::Expired);
    let future = WatchOptions { resource_version: "9999".into(), ..WatchOptions::default() };
    let error = api.0.watch(&admin(), &collection, &future).await.err().expect("not reached");
    let current = api.0.state().revision();
    assert_eq!(
        (error.reason, error.message),
        (Reason::Timeout, format!("Too large resource version: 9999, current: {current}"))
    );
    let nonsense = WatchOptions { resource_version: "x".into(), ..WatchOptions::default() };
    let error = api.0.watch(&admin(), &collection, &nonsense).await.err().expect("no number");
    assert_eq!(error.reason, Reason::BadRequest);
}

/// It never had to wait, and so never looked at the clock.
#[tokio::test(start_paused = true)]
async fn a_busy_watch_ends_when_its_time_is_up() {
    let api = api().await;
    let second = Duration::from_secs(1);
    for (timeout, step) in [(second, second / 10), (Duration::MAX, 360 * second)] {
        let options = WatchOptions { timeout: Some(timeout), ..WatchOptions::default() };
        let collection = target("secrets", "");
        let mut stream = api.0.watch(&admin(), &collection, &options).await.expect("a watch");
        let mut seen = 0;
        loop {
            let secret = super::object(json!({"metadata": {"generateName": "s-"}}));
            let made = api.create("secrets", secret).await;
            api.0
                .delete(&admin(), &target("secrets", made.name()), &DeleteOptions::default())
                .await
                .expect("gone");
            tokio::time::advance(step).await;
            if stream.next().await.is_none() {
                break;
            }
            seen += 1;
            assert!(seen < 20, "{timeout:?}");
        }
        assert!(seen > 5, "{timeout:?}: {seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_every_watch() {
    let api = api().await;
    let stream = api.0.watch(&admin(), &target("pods", ""), &WatchOptions::default()).await.expect("a watch");
    api.0.settings().shutdown.cancel();
    assert_eq!(stream.count().await, 0);
}
