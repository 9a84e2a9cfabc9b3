//! One client's connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access_log::{Asked, Record};
use crate::body::ResponseBody;
use crate::exchange::{Client, Exchange, Tunnel, text};
use crate::guard::{Guard, Shared};
use crate::head::{MOST_BYTES, Refusal};
use crate::streams::Streams;
use crate::transport::Transport;

/// What hyper may hold of a request: a head that the guard let pass.
const MOST_BUFFERED: usize = 2 * MOST_BYTES;
/// Requests of one HTTP/2 connection at once.
const MOST_STREAMS: u32 = 128;
/// A silent HTTP/2 client is asked whether it lives.
const PING: Duration = Duration::from_secs(30);
/// After a refusal, or an answer that did not wait for the request's end, so long and so much is
/// read on: what is not read when a socket is closed resets it, and that could overtake the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) exchange: Arc<Exchange>,
    /// Requests that run finish, and connections that wait for one end.
    pub(crate) finish: CancellationToken,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

/// Serves a connection to its end.
pub(crate) async fn serve(context: Context, transport: Transport, address: IpAddr) {
    let client = Client::new(address, transport.is_tls());
    let mut guard = Guard::new(transport);
    let finish = context.finish.clone();
    let http2 = tokio::select! {
        http2 = guard.is_http2() => http2,
        () = finish.cancelled_owned() => return,
    };
    // Each in its own place: a connection takes no more memory than its kind needs.
    if http2 {
        Box::pin(serve_http2(context, guard, client)).await;
    } else {
        Box::pin(serve_http1(context, guard, client)).await;
    }
}

/// Answers one request, and tells the guard what it has to know of it.
fn answer(
    exchange: &Arc<Exchange>,
    shared: &Arc<Shared>,
    tunnel: &Arc<Tunnel>,
    client: Client,
    request: Request<Incoming>,
) -> Answer {
    let (exchange, shared, tunnel) = (Arc::clone(exchange), Arc::clone(shared), Arc::clone(tunnel));
    // Before hyper reads on, so that what it reads next cannot break this off.
    let running = shared.run();
    Box::pin(async move {
        let http1 = request.version() != Version::HTTP_2;
        let response = exchange.answer(request, client, &tunnel).await;
        if http1 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            shared.refuse_upgrade();
        }
        Ok(response.map(|body| body.running(running)))
    })
}

async fn serve_http1(context: Context, guard: Guard, client: Client) {
    let exchange = Arc::clone(&context.exchange);
    let (shared, tunnel) = (Arc::clone(guard.shared()), Arc::new(Tunnel::default()));
    let service = {
        let (exchange, tunnel, client) = (Arc::clone(&context.exchange), Arc::clone(&tunnel), client.clone());
        service_fn(move |request| answer(&exchange, &shared, &tunnel, client.clone(), request))
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MOST_BUFFERED).header_read_timeout(None);
    let mut connection = builder.serve_connection(TokioIo::new(guard), service);
    let served = tokio::select! {
        _ = poll_fn(|task| connection.poll_without_shutdown(task)) => true,
        () = context.finish.cancelled_owned() => false,
    };
    if !served {
        Pin::new(&mut connection).graceful_shutdown();
        // A connection that breaks now is as good as one that ends.
        let _ = poll_fn(|task| connection.poll_without_shutdown(task)).await;
    }
    let parts = connection.into_parts();
    let mut guard = parts.io.into_inner();
    let upstream = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (upstream, guard.refusal()) {
        (Some(upstream), _) => {
            guard.open(&parts.read_buf);
            Box::pin(pass_on(guard, upstream)).await;
        }
        (None, Some(refusal)) => Box::pin(refuse(&exchange, guard, client, refusal)).await,
        // Somebody answered before the client had sent all.
        (None, None) if guard.has_more() => drop(timeout(LINGER, Box::pin(linger(&mut guard))).await),
        // It may be closed already.
        (None, None) => drop(guard.shutdown().await),
    }
}

async fn serve_http2(context: Context, guard: Guard, client: Client) {
    let (shared, tunnel) = (Arc::clone(guard.shared()), Arc::new(Tunnel::default()));
    let watched = Arc::clone(&shared);
    let service = {
        let exchange = Arc::clone(&context.exchange);
        service_fn(move |request| answer(&exchange, &shared, &tunnel, client.clone(), request))
    };
    let mut builder = http2::Builder::new(Streams);
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).max_concurrent_streams(MOST_STREAMS);
    builder.max_header_list_size(u32::try_from(MOST_BYTES).unwrap_or(u32::MAX));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(guard), service));
    let finish = context.finish.cancelled_owned();
    let leave = async {
        tokio::select! {
            () = finish => {}
            // It would answer pings for ever.
            () = watched.quiet() => {}
        }
    };
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = leave => {
            connection.as_mut().graceful_shutdown();
            // What was asked before the client heard of it is answered; who will not hear is cut.
            tokio::select! {
                outcome = connection.as_mut() => outcome,
                () = watched.quiet() => Ok(()),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP/2 connection broke");
    }
}

/// A WebSocket: bytes both ways until either side ends.
async fn pass_on(mut guard: Guard, upstream: OnUpgrade) {
    let Ok(upstream) = upstream.await else { return };
    let mut upstream = TokioIo::new(upstream);
    if let Err(error) = tokio::io::copy_bidirectional(&mut guard, &mut upstream).await {
        tracing::debug!(%error, "a WebSocket broke");
    }
}

/// Says why, and closes in a way that lets the client read it.
async fn refuse(exchange: &Exchange, mut guard: Guard, client: Client, refusal: Refusal) {
    let scheme = if client.tls { "https" } else { "http" };
    let nobody = Asked { client: client.text(), method: "-", scheme, host: "-", path: "", version: "-" };
    let mut record = Record::new(&exchange.log, &nobody);
    record.set_status(refusal.status);
    record.set_why(refusal.why);
    let last = async {
        guard.write_all(last_words(refusal).as_bytes()).await?;
        linger(&mut guard).await
    };
    // A client that is gone needs no answer.
    let _ = timeout(LINGER, last).await;
}

/// Ends our side, and reads on for a while.
async fn linger(guard: &mut Guard) -> io::Result<()> {
    guard.shutdown().await?;
    guard.open(&[]);
    let (mut left, mut space) = (LINGER_BYTES, [0; 4096]);
    while left > 0 {
        match guard.read(&mut space).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// The whole answer to what is no request.
fn last_words(refusal: Refusal) -> String {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = text(status, refusal.why);
    format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error"),
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_whole_response() {
        expect_test::expect![[r#"
            HTTP/1.1 431 Request Header Fields Too Large
            Content-Type: text/plain; charset=utf-8
            Content-Length: 58
            Connection: close

            431 Request Header Fields Too Large: the head is too long
        "#]]
        .assert_eq(&last_words(Refusal { status: 431, why: "the head is too long" }).replace("\r\n", "\n"));
    }
}
