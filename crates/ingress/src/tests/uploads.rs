//! Bodies that nobody takes.

use tokio::io::AsyncReadExt as _;

use super::lab::{Lab, table};

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
