//! HTTP/2 where it asks for something else than HTTP/1.

use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::lab::{Lab, table};
use crate::guard::IDLE_TIMEOUT;

/// A connection without TLS, and what moves its bytes.
async fn connect(lab: &Lab) -> (SendRequest<bytes::Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(lab.http).await.expect("it listens");
    let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    (send, tokio::spawn(connection))
}

#[tokio::test]
async fn a_head_that_nobody_serves_is_answered_without_a_body() {
    let lab = Lab::start(table(&[("empty.com", &[])]));
    let (mut send, connection) = connect(&lab).await;
    for (host, status) in [("nobody.com", 404), ("empty.com", 503)] {
        let request = http::Request::head(format!("http://{host}/")).body(()).expect("a request");
        send = send.ready().await.expect("it takes more");
        let response = send.send_request(request, true).expect("sent").0.await.expect("answered");
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("content-length"), "{response:?}");
        assert!(response.into_body().data().await.is_none(), "{host}: a HEAD has no body");
    }
    connection.abort();
}

/// Time moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_is_ended_though_it_answers_pings() {
    let lab = Lab::start(table(&[]));
    let (mut send, connection) = connect(&lab).await;
    let request = http::Request::get("http://nobody.com/").body(()).expect("a request");
    let answer = send.send_request(request, true).expect("sent").0.await.expect("answered");
    assert_eq!(answer.status(), 404);
    drop(answer);
    // In order or not: that it is ended counts.
    let _ = tokio::time::timeout(3 * IDLE_TIMEOUT, connection).await.expect("it is ended");
}
