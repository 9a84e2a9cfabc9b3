//! Requests that are served, and what is said when the endpoint fails.

use std::net::SocketAddr;

use super::endpoint::Endpoint;
use super::lab::{Lab, table};

/// A port that nobody listens on.
async fn nobody() -> SocketAddr {
    Endpoint::HangUp.run().await.address
}

#[tokio::test]
async fn hosts_lead_to_their_endpoints_over_one_kept_connection() {
    let (a, b) = (Endpoint::Echo("a").run().await, Endpoint::Echo("b").run().await);
    let lab = Lab::start(table(&[("a.com", &[a.address]), ("b.com", &[b.address])]));
    let mut client = lab.connect().await;
    for (host, name) in [("a.com", "a"), ("b.com", "b"), ("A.com:80", "a")] {
        let response = client.get(host, "/x?y=1").await;
        assert!(
            response.status == 200 && response.body.starts_with(&format!("{name}\nget /x?y=1 http/1.1")),
            "{response:?}"
        );
    }
    assert_eq!(client.get("c.com", "/").await.body, "404 Not Found: no rule for this host and path\n");
    client.send("HEAD / HTTP/1.1\r\nHost: c.com\r\n\r\n").await;
    client.send("GET / HTTP/1.1\r\nHost: a.com\r\nConnection: close\r\n\r\n").await;
    let rest = client.rest().await;
    assert!(
        rest.starts_with("HTTP/1.1 404") && rest.contains("\r\n\r\nHTTP/1.1 200"),
        "a HEAD has no body: {rest}"
    );
    lab.server.stop().await;
    let log = lab.log.text();
    assert_eq!(log.lines().count(), 6, "{log}");
    let first = log.lines().next().expect("a line");
    assert!(first.starts_with("127.0.0.1 \"GET http://a.com/x?y=1 HTTP/1.1\" 200 "), "{first}");
    assert!(first.ends_with(&a.address.to_string()), "{first}");
}

#[tokio::test]
async fn bodies_arrive_and_pipelined_requests_wait_their_turn() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut client = lab.connect().await;
    let post = "POST /1 HTTP/1.1\r\nHost: a.com\r\nContent-Length: 5\r\n\r\nhello";
    let get = "GET /2 HTTP/1.1\r\nHost: a.com\r\n\r\n";
    let chunked = "POST /3 HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    client.send(&format!("{post}{get}{chunked}")).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let body = client.response().await.body;
        let (first, last) = (
            body.lines().nth(1).unwrap_or_default().to_owned(),
            body.lines().last().unwrap_or_default().to_owned(),
        );
        answers.push((first, last));
    }
    let of = |index: usize| (answers[index].0.as_str(), answers[index].1.as_str());
    assert_eq!(of(0), ("post /1 http/1.1", "hello"));
    assert_eq!(of(1).0, "get /2 http/1.1");
    assert_eq!(of(2), ("post /3 http/1.1", "abcde"));
}

/// A search, mostly.
#[tokio::test]
async fn a_get_keeps_its_body_however_that_is_framed() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut client = lab.connect().await;
    for framed in [
        "Content-Length: 5\r\n\r\nabcde",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    ] {
        client.send(&format!("GET / HTTP/1.1\r\nHost: a.com\r\n{framed}")).await;
        let body = client.response().await.body;
        assert_eq!(body.lines().last(), Some("abcde"), "{framed:?}");
    }
}

#[tokio::test]
async fn endpoints_are_told_who_asked_and_lies_are_replaced() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut client = lab.connect().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: a.com:8080\r\nX-Forwarded-For: 1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n\
             X-Forwarded-Proto: https\r\nForwarded: for=1.1.1.1\r\nConnection: X-Secret\r\nX-Secret: 1\r\n\r\n",
        )
        .await;
    let body = client.response().await.body;
    let mut fields: Vec<&str> = body.lines().filter(|line| line.contains(": ")).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "host: a.com:8080",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: a.com:8080",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1"
        ]
    );
}

#[tokio::test]
async fn what_fails_is_told_by_status() {
    let (silent, garbage, hang_up) =
        (Endpoint::Silent.run().await, Endpoint::Garbage.run().await, Endpoint::HangUp.run().await);
    let nobody = nobody().await;
    let lab = Lab::start(table(&[
        ("empty.com", &[]),
        ("silent.com", &[silent.address]),
        ("garbage.com", &[garbage.address]),
        ("hang-up.com", &[hang_up.address]),
        ("nobody.com", &[nobody]),
    ]));
    let status = async |host: &str| lab.get(host, "/").await.body;
    assert_eq!(status("empty.com").await, "503 Service Unavailable: the service has no ready endpoints\n");
    assert_eq!(status("silent.com").await, "504 Gateway Timeout: the endpoint did not answer in time\n");
    assert_eq!(
        status("garbage.com").await,
        "502 Bad Gateway: the endpoint broke off, or its answer is no HTTP\n"
    );
    assert_eq!(
        status("hang-up.com").await,
        "502 Bad Gateway: the endpoint broke off, or its answer is no HTTP\n"
    );
    assert_eq!(status("nobody.com").await, "502 Bad Gateway: the endpoint takes no connection\n");
}

#[tokio::test]
async fn a_length_beside_chunks_cuts_nothing_off() {
    let both =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let both = Endpoint::Says(both).run().await;
    let lab = Lab::start(table(&[("a.com", &[both.address])]));
    let all = lab.raw("GET / HTTP/1.1\r\nHost: a.com\r\nConnection: close\r\n\r\n").await.to_lowercase();
    assert!(!all.contains("content-length") && all.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{all}");
}

#[tokio::test]
async fn a_failed_connect_is_tried_on_another_endpoint_and_traffic_spreads() {
    let (a, b, nobody) = (Endpoint::Echo("a").run().await, Endpoint::Echo("b").run().await, nobody().await);
    let lab = Lab::start(table(&[("a.com", &[nobody, a.address, b.address])]));
    let mut seen = std::collections::BTreeMap::new();
    let mut client = lab.connect().await;
    for turn in 0..60 {
        let method = if turn % 2 == 0 { "GET" } else { "POST" };
        client.send(&format!("{method} / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 2\r\n\r\nok")).await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        *seen.entry(response.body.lines().next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    assert!(seen.len() == 2 && seen.values().all(|count| *count > 10), "{seen:?}");
}

#[tokio::test]
async fn a_websocket_goes_through_both_ways() {
    let socket = Endpoint::WebSocket.run().await;
    let lab = Lab::start(table(&[("a.com", &[socket.address])]));
    let mut client = lab.connect().await;
    client
        .send(
            "GET /live HTTP/1.1\r\nHost: a.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert_eq!(client.response().await.status, 101);
    for frame in ["\u{1}one", "two"] {
        client.send(frame).await;
        let mut back = vec![0; frame.len()];
        tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut back).await.expect("it comes back");
        assert_eq!(back, frame.as_bytes());
    }
}

#[tokio::test]
async fn a_new_table_is_used_by_the_next_request_of_a_connection() {
    let (a, b) = (Endpoint::Echo("a").run().await, Endpoint::Echo("b").run().await);
    let mut lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut client = lab.connect().await;
    assert!(client.get("a.com", "/").await.body.starts_with("a\n"));
    lab.server.set(table(&[("a.com", &[b.address])]), |_| None);
    assert!(client.get("a.com", "/").await.body.starts_with("b\n"));
    lab.server.set(table(&[]), |_| None);
    assert_eq!(client.get("a.com", "/").await.status, 404);
}
