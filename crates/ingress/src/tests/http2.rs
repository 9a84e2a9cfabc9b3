//! HTTP/2 where it asks for something else than HTTP/1.

use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::endpoint::Endpoint;
use super::lab::{Lab, table};
use crate::guard::IDLE_TIMEOUT;
use crate::streams::STREAM_TIMEOUT;

type Connection = (SendRequest<bytes::Bytes>, JoinHandle<Result<(), h2::Error>>);

/// A connection without TLS, and what moves its bytes.
async fn connect(lab: &Lab) -> Connection {
    connect_as(lab, &h2::client::Builder::new()).await
}

async fn connect_as(lab: &Lab, builder: &h2::client::Builder) -> Connection {
    let stream = TcpStream::connect(lab.http).await.expect("it listens");
    let (send, connection) = builder.handshake(stream).await.expect("HTTP/2");
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

/// Time moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn an_answer_of_which_nothing_is_taken_is_given_up_and_the_connection_goes_on() {
    let a = Endpoint::Echo("a").run().await;
    let lab = Lab::start(table(&[("a.com", &[a.address])]));
    let mut no_room = h2::client::Builder::new();
    no_room.initial_window_size(0);
    let (mut send, connection) = connect_as(&lab, &no_room).await;
    let request = http::Request::get("http://a.com/").body(()).expect("a request");
    let answer = send.send_request(request, true).expect("sent").0.await.expect("answered");
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let end = tokio::time::timeout(3 * STREAM_TIMEOUT, body.data()).await.expect("it is given up");
    let error = end.expect("no end in order").expect_err("nothing was taken");
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
    send = send.ready().await.expect("it takes more");
    let request = http::Request::head("http://nobody.com/").body(()).expect("a request");
    let answer = send.send_request(request, true).expect("sent").0.await.expect("answered");
    assert_eq!(answer.status(), 404);
    drop((send, body));
    connection.abort();
    lab.server.stop().await;
    let log = lab.log.text();
    let first = log.lines().next().expect("a line");
    assert!(first.ends_with(&format!("{} the client took nothing of it", a.address)), "{first}");
}
