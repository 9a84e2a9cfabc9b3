//! As many connections to endpoints as there may be.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::endpoint::Endpoint;
use super::lab::{Lab, table};

const FULL: &str =
    "503 Service Unavailable: the ingress has as many connections to endpoints as it may have\n";

#[tokio::test]
async fn a_request_without_a_connection_left_is_answered_503() {
    let a = Endpoint::Echo("a").run().await;
    let busy = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = busy.local_addr().expect("bound");
    let lab = Lab::start_with(table(&[("a.com", &[a.address]), ("busy.com", &[at])]), 2);
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = lab.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: busy.com\r\n\r\n").await;
        let (mut endpoint, _) = busy.accept().await.expect("the ingress");
        assert!(endpoint.read(&mut [0; 1024]).await.expect("a request") > 0);
        waiting.push((client, endpoint));
    }
    let refused = lab.get("a.com", "/").await;
    assert_eq!((refused.status, refused.body.as_str()), (503, FULL));
    let (mut client, mut endpoint) = waiting.remove(0);
    endpoint.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it takes an answer");
    assert_eq!(client.response().await.status, 204);
    assert_eq!(lab.get("a.com", "/").await.status, 200, "the one that waits now makes room");
    assert_eq!(endpoint.read(&mut [0; 1024]).await.expect("in order"), 0, "it is closed");
}

#[tokio::test]
async fn a_websocket_holds_its_connection() {
    let (a, ws) = (Endpoint::Echo("a").run().await, Endpoint::WebSocket.run().await);
    let lab = Lab::start_with(table(&[("a.com", &[a.address]), ("ws.com", &[ws.address])]), 1);
    let mut client = lab.connect().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: ws.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert_eq!(client.response().await.status, 101);
    client.send("echo").await;
    let mut echo = [0; 4];
    client.0.read_exact(&mut echo).await.expect("it stands");
    assert_eq!(lab.get("a.com", "/").await.body, FULL);
}
