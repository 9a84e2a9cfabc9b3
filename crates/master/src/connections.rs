//! The client port's connections: HTTP/2 and HTTP/1.1 as the TLS handshake chose, gRPC and
//! REST side by side on each, told apart by the content type. Connections may be upgraded
//! (WebSockets). Everything a client can draw out or pile up has a bound here: one that asks for
//! nothing is sent away, whatever signs of life it gives.

mod activity;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming as IncomingBody;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;
use tower::ServiceExt as _;

use crate::listen;
use activity::Activity;

/// Streams that one connection may have open: informers hold many.
pub(crate) const STREAMS: u32 = 4096;
/// Connections at once, where the host allows as many files; more wait until others end.
const CONNECTIONS: usize = 16_384;
/// Files that are left for the store, the other masters and handshakes: without them a crowd of
/// clients would cut this master off.
const RESERVED: u64 = 640;
/// Bytes of all headers of a request.
const HEADER_BYTES: u32 = 64 * 1024;
/// From a connection's handshake to its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(30);
/// How long a connection may have no request in work, once it has had one; as in kube-apiserver.
const IDLE: Duration = Duration::from_secs(90);
/// How long the headers of a request may take over HTTP/1.1.
const HEADER_TIME: Duration = Duration::from_secs(60);
/// Between two signs of life that an HTTP/2 client is asked for, and how long it has.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIME: Duration = Duration::from_secs(20);
/// What requests in work are given when the master stops, and what a client is given to take note that
/// its connection ends.
const FINISHING: Duration = Duration::from_secs(3);

/// What is served to clients.
#[derive(Clone)]
pub(crate) struct Faces {
    /// For `application/grpc`.
    pub(crate) grpc: Router,
    /// For everything else.
    pub(crate) rest: Router,
}

/// Serves connections until `stop`, then lets what is in work end, within a bound.
pub(crate) async fn serve(mut incoming: listen::Incoming, faces: Faces, stop: CancellationToken) {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let slots = Arc::new(Semaphore::new(most(files)));
    let (server, connections) = (Arc::new(server()), TaskTracker::new());
    loop {
        let slot = slots.clone().acquire_owned().await.expect("never closed");
        let stream = tokio::select! {
            stream = incoming.next() => stream,
            () = stop.cancelled() => break,
        };
        match stream {
            Some(Ok(stream)) => {
                let (server, faces, stop) = (server.clone(), faces.clone(), stop.clone());
                connections.spawn(async move {
                    serve_one(&server, stream, faces, stop).await;
                    drop(slot);
                });
            }
            Some(Err(error)) => tracing::debug!(%error, "a connection was not accepted"),
            None => break,
        }
    }
    connections.close();
    let _ = tokio::time::timeout(FINISHING, connections.wait()).await;
}

/// How many connections there may be at once in a process that may have so many files.
fn most(files: u64) -> usize {
    usize::try_from(files.saturating_sub(RESERVED)).unwrap_or(CONNECTIONS).clamp(16, CONNECTIONS)
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES as usize)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME);
    server
}

async fn serve_one(
    server: &auto::Builder<TokioExecutor>,
    stream: TlsStream<TcpStream>,
    faces: Faces,
    stop: CancellationToken,
) {
    // By what the handshake chose: waiting for a first byte to tell would have no bound.
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let server = if http2 { server.clone().http2_only() } else { server.clone().http1_only() };
    let info = stream.connect_info();
    let answer = move |mut request: Request<Body>| {
        request.extensions_mut().insert(info.clone());
        let face = if is_grpc(&request) { faces.grpc.clone() } else { faces.rest.clone() };
        face.oneshot(request)
    };
    converse(&server, stream, answer, stop).await;
}

/// Answers requests until the client goes, has asked for nothing for too long, or the master stops.
async fn converse<F>(
    server: &auto::Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answer: impl Fn(Request<Body>) -> F,
    stop: CancellationToken,
) where
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let used = activity.clone();
    let service = hyper::service::service_fn(move |request: Request<IncomingBody>| {
        let (in_work, answer) = (used.begin(), answer(request.map(Body::new)));
        async move { answer.await.map(|answer| answer.map(|body| in_work.until_sent(body))) }
    });
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        outcome = connection.as_mut() => Some(outcome),
        () = stop.cancelled() => None,
        () = activity.idle(FIRST_REQUEST, IDLE) => None,
    };
    let outcome = match ended {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = connection => outcome,
                () = finished(&stop) => Ok(()),
                // A request that came meanwhile is answered first.
                () = activity.idle(FINISHING, FINISHING) => Ok(()),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a client's connection ended");
    }
}

/// What is in work has had its time since the master began to stop.
async fn finished(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(FINISHING).await;
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let media_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    media_type.is_some_and(|media_type| media_type.starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http2;
    use tokio::io::{AsyncReadExt as _, DuplexStream};

    use super::*;

    async fn hello(request: Request<Body>) -> Result<Response, Infallible> {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Ok(Response::new(Body::from("hello")))
    }

    /// The client's end of a connection that is served, and when it is no more: in seconds.
    fn connect(http2: bool, stop: &CancellationToken) -> (DuplexStream, tokio::task::JoinHandle<u64>) {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (stop, began) = (stop.clone(), tokio::time::Instant::now());
        let served = tokio::spawn(async move {
            let server = if http2 { server().http2_only() } else { server().http1_only() };
            converse(&server, theirs, hello, stop).await;
            began.elapsed().as_secs()
        });
        (ours, served)
    }

    #[test]
    fn connections_leave_files_for_the_master_itself() {
        let limits = [100, 1024, 4096, 524_288, u64::MAX];
        assert_eq!(limits.map(most), [16, 384, 3456, 16_384, 16_384]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_sent_away() {
        let stop = CancellationToken::new();
        for http2 in [true, false] {
            let (mut client, served) = connect(http2, &stop);
            let seconds = served.await.expect("no panic");
            assert!((30..=33).contains(&seconds), "{seconds}");
            let mut said = Vec::new();
            client.read_to_end(&mut said).await.expect("the end");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_do_not_hold_a_connection_but_requests_do() {
        let stop = CancellationToken::new();
        let (stream, served) = connect(true, &stop);
        let (mut client, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("a handshake");
        // Answers pings.
        let alive = tokio::spawn(connection);
        let mut ask = async |path: &str| {
            let request = Request::get(format!("http://m{path}")).body(Body::empty()).expect("a request");
            let answer = client.send_request(request).await.expect("an answer");
            axum::body::to_bytes(Body::new(answer.into_body()), 64).await.expect("a body")
        };
        assert_eq!(ask("/").await, "hello");
        assert_eq!(ask("/slow").await, "hello");
        assert!(!served.is_finished());
        let seconds = served.await.expect("no panic");
        assert!((690..=783).contains(&seconds), "{seconds}");
        assert!(alive.await.expect("no panic").is_ok(), "told in good order");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_nobody_for_long() {
        let stop = CancellationToken::new();
        let (_client, served) = connect(true, &stop);
        stop.cancel();
        assert!(served.await.expect("no panic") <= 3);
    }
}
