//! Bodies that nobody takes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::endpoint::Endpoint;
use super::lab::{Lab, table};

#[tokio::test]
async fn an_endpoint_that_takes_no_body_is_given_up() {
    let deaf = Endpoint::Deaf.run().await;
    let lab = Lab::start(table(&[("a.com", &[deaf.address])]));
    let (mut from, mut to) = lab.connect().await.0.into_split();
    let sending = tokio::spawn(async move {
        let mut next = "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 1000000000000\r\n\r\n".to_owned();
        while to.write_all(next.as_bytes()).await.is_ok() {
            next = "x".repeat(1 << 16);
        }
    });
    let mut answer = [0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(20), from.read(&mut answer)).await;
    let read = read.expect("it is answered").expect("it is open");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    sending.abort();
}

#[tokio::test]
async fn an_answer_before_a_body_is_not_overtaken_by_a_reset() {
    let lab = Lab::start(table(&[("a.com", &[])]));
    let mut client = lab.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 100000\r\n\r\n").await;
    assert_eq!(client.response().await.status, 503);
    // A socket that was closed would take the first of them, and be broken for the next.
    for _ in 0..10 {
        client.send(&"x".repeat(10_000)).await;
    }
    let mut rest = Vec::new();
    client.0.read_to_end(&mut rest).await.expect("it is closed in order");
    assert!(rest.is_empty(), "{rest:?}");
}
