//! Connections to endpoints that are kept for the next request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::lab::{Lab, table};

/// Time moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_connection_that_no_request_wants_is_closed_though_no_rule_changes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lab = Lab::start(table(&[("a.com", &[listener.local_addr().expect("bound")])]));
    let mut client = lab.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n").await;
    let (mut endpoint, _) = listener.accept().await.expect("the ingress");
    let mut space = [0; 1024];
    assert!(endpoint.read(&mut space).await.expect("a request") > 0);
    endpoint.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it takes an answer");
    assert_eq!(client.response().await.status, 204);
    let end = timeout(Duration::from_secs(120), endpoint.read(&mut space)).await;
    assert_eq!(end.expect("it is closed").expect("in order"), 0);
}
