//! Watches over REST: lines, their forms, and how they end.

use serde_json::{Value, json};

use super::{Ask, Rest, TABLE};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn make(rest: &Rest, name: &str) -> Value {
    rest.send("POST", MAPS, &json!({"metadata": {"name": name}, "data": {"a": "b"}})).await.json()
}

#[tokio::test(start_paused = true)]
async fn events_are_lines_until_the_time_is_up() {
    let rest = Rest::new().await;
    let first = make(&rest, "a").await;
    let before = first["metadata"]["resourceVersion"].as_str().expect("a version");
    let second = make(&rest, "b").await;
    rest.ask(Ask::new("DELETE", &format!("{MAPS}/a"))).await;
    let path = format!("{MAPS}?watch=true&resourceVersion={before}&timeoutSeconds=1");
    let seen = rest.lines(Ask::new("GET", &path), 9).await;
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], json!({"type": "ADDED", "object": second}));
    assert_eq!((&seen[1]["type"], &seen[1]["object"]["metadata"]["name"]), (&json!("DELETED"), &json!("a")));

    let table = rest.lines(Ask::new("GET", &path).header("accept", TABLE), 9).await;
    let columns = |line: &Value| line["object"]["columnDefinitions"].as_array().map(Vec::len);
    assert_eq!((columns(&table[0]), columns(&table[1])), (Some(3), Some(0)), "the columns once");
    assert_eq!(table[1]["object"]["rows"][0]["cells"], json!(["a", "1", "0s"]));

    let old = rest.lines(Ask::new("GET", "/api/v1/watch/namespaces/default/configmaps?timeoutSeconds=1"), 9);
    let old = old.await;
    assert_eq!((old.len(), &old[0]["object"]["metadata"]["name"]), (1, &json!("b")));
}

#[tokio::test(start_paused = true)]
async fn no_time_is_too_long_to_be_asked_for() {
    let rest = Rest::new().await;
    make(&rest, "a").await;
    let path = format!("{MAPS}?watch=true&timeoutSeconds={}", u64::MAX);
    assert_eq!(rest.lines(Ask::new("GET", &path), 9).await.len(), 1, "it ends after an hour");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_may_leave_out_what_is_there() {
    let rest = Rest::new().await;
    make(&rest, "a").await;
    let from_now = format!(
        "{MAPS}?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    );
    assert_eq!(rest.lines(Ask::new("GET", &from_now), 9).await, Vec::<Value>::new());
    for wrong in ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "timeoutSeconds=x"] {
        let answer = rest.get(&format!("{MAPS}?watch=true&{wrong}")).await;
        assert_eq!(answer.code, 422, "{wrong}: {}", answer.text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_too_old_is_told_in_the_stream() {
    let rest = Rest::new().await;
    // More than the ring of events holds.
    let large = "x".repeat(900_000);
    for number in 0..8 {
        rest.send("POST", MAPS, &json!({"metadata": {"name": format!("n{number}")}, "data": {"a": large}}))
            .await;
    }
    let seen = rest.lines(Ask::new("GET", &format!("{MAPS}?watch=true&resourceVersion=1")), 9).await;
    assert_eq!(seen.len(), 1);
    let status = &seen[0]["object"];
    assert_eq!(
        (&seen[0]["type"], &status["kind"], &status["code"]),
        (&json!("ERROR"), &json!("Status"), &json!(410))
    );
    assert_eq!(status["reason"], "Expired");
    let future = rest.get(&format!("{MAPS}?watch=true&resourceVersion=99999999")).await;
    assert_eq!(future.code, 504, "{}", future.text());
    assert_eq!(rest.get(&format!("{MAPS}?watch=true&resourceVersion=x")).await.code, 400);
}
