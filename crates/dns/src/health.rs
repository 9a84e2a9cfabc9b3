//! What the node's agent asks: `/healthz`, whether the servers run, and `/readyz`, whether
//! they have a whole table to answer from. It answers before there is one, so that a server
//! that waits for the masters is not taken for one that hangs.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How the servers are.
#[derive(Default)]
pub(crate) struct Health {
    /// They answer.
    pub(crate) ready: AtomicBool,
    /// One of them has ended, though it should not.
    pub(crate) broken: AtomicBool,
}

impl Health {
    fn answer(good: bool) -> (StatusCode, &'static str) {
        if good { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "no") }
    }
}

/// Answers until `stop`.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn serve(
    address: SocketAddrV4,
    health: Arc<Health>,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let (alive, ready) = (Arc::clone(&health), health);
    let alive = move || std::future::ready(Health::answer(!alive.broken.load(Ordering::Relaxed)));
    let ready = move || std::future::ready(Health::answer(ready.ready.load(Ordering::Relaxed)));
    let router = Router::new().route("/healthz", get(alive)).route("/readyz", get(ready));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}
