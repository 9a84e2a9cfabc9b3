//! What is refused before an endpoint sees it, on raw sockets.

use super::endpoint::Endpoint;
use super::lab::{Lab, table};

/// Sends bytes that hold an attack and a request behind it; gives the only answer, and
/// shows that the connection was closed after it.
async fn only_answer(lab: &Lab, bytes: &str) -> String {
    let all = lab.raw(bytes).await;
    assert_eq!(
        all.matches("HTTP/1.1 ").count(),
        1,
        "{bytes:?} is answered once, and the connection closed: {all}"
    );
    all.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn smuggled_requests_are_refused_and_nothing_behind_them_is_read() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let behind = "GET /smuggled HTTP/1.1\r\nHost: a.com\r\n\r\n";
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\r\n\tfolded",
        "Content-Length: 6\r\nContent-Length: 7",
        "Content-Length: 6, 7",
        "Content-Length: +6",
        "Content-Length : 6",
        "X: y\nContent-Length: 6",
        "X: y\rContent-Length: 6",
        "X: \0",
    ] {
        let attack = format!("POST / HTTP/1.1\r\nHost: a.com\r\n{fields}\r\n\r\n0\r\n\r\nX{behind}");
        assert_eq!(only_answer(&lab, &attack).await, "HTTP/1.1 400 Bad Request", "{fields:?}");
    }
    for attack in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.com\r\nHost: b.com\r\n\r\n",
        "GET /\r\n",
        "hello\r\n",
    ] {
        assert_eq!(
            only_answer(&lab, &format!("{attack}{behind}")).await,
            "HTTP/1.1 400 Bad Request",
            "{attack:?}"
        );
    }
    lab.server.stop().await;
    assert!(!lab.log.text().contains("smuggled"), "{}", lab.log.text());
}

#[tokio::test]
async fn what_is_no_host_reaches_nobody() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address]), ("", &[a.address])]));
    for head in [
        "GET / HTTP/1.1\r\nHost: a.com@b.com",
        "GET / HTTP/1.1\r\nHost: a.com/b",
        "GET / HTTP/1.1\r\nHost: a.com b.com",
        "GET / HTTP/1.1\r\nHost: a.com\u{e9}",
        "GET http://b@a.com/ HTTP/1.1\r\nHost: a.com",
    ] {
        let answer = only_answer(&lab, &format!("{head}\r\n\r\n")).await;
        assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{head:?}");
    }
}

#[tokio::test]
async fn nobody_is_made_a_tunnel() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut client = lab.connect().await;
    client.send("CONNECT a.com:80 HTTP/1.1\r\nHost: a.com:80\r\n\r\n").await;
    assert_eq!(client.response().await.body, "501 Not Implemented: an ingress makes no tunnels\n");
    assert_eq!(client.get("a.com", "/").await.status, 200, "what comes after it is a request");
}

#[tokio::test]
async fn what_was_asked_before_is_answered_first() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let good = "GET /good HTTP/1.1\r\nHost: a.com\r\n\r\n";
    let all = lab.raw(&format!("{good}{good}GET /bad HTTP/1.1\r\nHost : a.com\r\n\r\n{good}")).await;
    let statuses: Vec<&str> = all.match_indices("HTTP/1.1 ").map(|(at, _)| &all[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{all}");
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let behind = "GET /smuggled HTTP/1.1\r\nHost: a.com\r\n\r\n";
    for chunks in [
        "zz\r\n",
        "-1\r\nabc\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
    ] {
        let attack =
            format!("POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{behind}");
        assert_eq!(only_answer(&lab, &attack).await, "HTTP/1.1 400 Bad Request", "{chunks:?}");
    }
}

#[tokio::test]
async fn long_heads_are_refused_by_what_is_too_long() {
    let lab = Lab::start(table(&[]));
    let line = "a".repeat(9_000);
    assert_eq!(
        only_answer(&lab, &format!("GET /{line} HTTP/1.1\r\nHost: a.com\r\n\r\n")).await,
        "HTTP/1.1 414 URI Too Long"
    );
    let field = "a".repeat(40_000);
    let wanted = "HTTP/1.1 431 Request Header Fields Too Large";
    assert_eq!(
        only_answer(&lab, &format!("GET / HTTP/1.1\r\nHost: a.com\r\nX: {field}\r\n\r\n")).await,
        wanted
    );
    let fields = "X: y\r\n".repeat(200);
    assert_eq!(only_answer(&lab, &format!("GET / HTTP/1.1\r\nHost: a.com\r\n{fields}\r\n")).await, wanted);
}

/// Time moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn slow_heads_are_given_up() {
    let lab = Lab::start(table(&[]));
    assert_eq!(only_answer(&lab, "GET / HTTP/1.1\r\nHost: a").await, "HTTP/1.1 408 Request Timeout");
    assert_eq!(lab.raw("").await, "", "who says nothing is told nothing");
    let mut client = lab.connect().await;
    assert_eq!(client.get("a.com", "/").await.status, 404);
    client.send("GET / HT").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 408"), "also on a kept connection");
}
