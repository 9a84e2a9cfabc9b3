//! The client port's connections: HTTP/2 and HTTP/1.1 as the TLS handshake chose, gRPC and
//! REST side by side on each, told apart by the content type. Connections may be upgraded
//! (WebSockets). Everything a client can draw out or pile up has a bound here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming as IncomingBody;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;
use tower::ServiceExt as _;

use crate::listen;

/// Streams that one connection may have open: informers hold many.
pub(crate) const STREAMS: u32 = 4096;
/// Connections at once; more wait until others end.
const CONNECTIONS: usize = 16_384;
/// Bytes of all headers of a request.
const HEADER_BYTES: u32 = 64 * 1024;
/// How long the headers of a request may take over HTTP/1.1, which is also how long a
/// connection may idle.
const HEADER_TIME: Duration = Duration::from_secs(60);
/// Between two signs of life that an HTTP/2 client is asked for, and how long it has.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIME: Duration = Duration::from_secs(20);
/// What requests in work are given when the master stops.
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
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
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
    let service = hyper::service::service_fn(move |mut request: Request<IncomingBody>| {
        request.extensions_mut().insert(info.clone());
        let face = if is_grpc(&request) { faces.grpc.clone() } else { faces.rest.clone() };
        face.oneshot(request.map(Body::new))
    });
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(FINISHING, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a client's connection ended");
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let media_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    media_type.is_some_and(|media_type| media_type.starts_with(b"application/grpc"))
}
