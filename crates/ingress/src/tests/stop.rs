//! How the server ends. Time moves by itself while everybody waits.

use std::time::Duration;

use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::lab::{Lab, table};

#[tokio::test]
async fn requests_that_run_finish_and_are_told_that_they_are_the_last() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let (mut busy, mut idle) = (lab.connect().await, lab.connect().await);
    assert_eq!(idle.get("a.com", "/").await.status, 200);
    busy.send("POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 2\r\n\r\no").await;
    let address = lab.http;
    let stopping = tokio::spawn(lab.server.stop());
    tokio::task::yield_now().await;
    // New ones are still taken for a moment.
    let mut late =
        super::lab::Client(tokio::net::TcpStream::connect(address).await.expect("it still listens"));
    let response = late.get("a.com", "/").await;
    assert!(response.status == 200 && response.head.contains("connection: close"), "{response:?}");
    busy.send("k").await;
    assert!(busy.response().await.body.ends_with("ok"));
    assert_eq!(idle.rest().await, "", "one that waits is closed without a word");
    stopping.await.expect("it ends");
    tokio::net::TcpStream::connect(address).await.expect_err("nobody listens");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut_within_the_pods_grace() {
    let silent = Endpoint::WebSocket.run().await;
    let lab = Lab::start(table(&[("a.com", &[silent.address])]));
    let mut client = lab.connect().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: a.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert_eq!(client.response().await.status, 101);
    let started = Instant::now();
    lab.server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(client.rest().await, "");
}
