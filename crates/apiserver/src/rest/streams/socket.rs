//! WebSockets: the upgrade, and both directions of one that is open.

use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use xebec_api::error::ApiError;

use super::bad;

/// The largest message that is taken; clients send a copy buffer at most.
const MOST_MESSAGE_BYTES: usize = 1 << 20;
/// Messages that may wait in either direction.
pub(super) const WAITING: usize = 16;
/// What a client that is told the end may take to say the same.
const CLOSING: Duration = Duration::from_secs(2);

/// A request that may become a WebSocket of one of these subprotocols.
///
/// # Errors
/// It asks for none, or for none of them.
pub(super) async fn upgrade(
    request: Request<Body>,
    protocols: &[&'static str],
) -> Result<WebSocketUpgrade, ApiError> {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|_| bad("Upgrade request required: ask for a WebSocket"))?;
    let upgrade = upgrade
        .max_message_size(MOST_MESSAGE_BYTES)
        .max_frame_size(MOST_MESSAGE_BYTES)
        .protocols(protocols.iter().copied());
    if upgrade.selected_protocol().is_none() {
        return Err(bad(format!("Sec-WebSocket-Protocol: must be one of {}", protocols.join(", "))));
    }
    Ok(upgrade)
}

/// Answers with the upgrade, and serves the socket in a task of the connection.
pub(super) fn open<F>(
    upgrade: WebSocketUpgrade,
    serve: impl FnOnce(Incoming, mpsc::Sender<Bytes>) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    upgrade.on_upgrade(move |socket: WebSocket| async move {
        let (sink, incoming) = socket.split();
        let (sender, outgoing) = mpsc::channel(WAITING);
        let writing = tokio::spawn(write(sink, outgoing));
        serve(Incoming(incoming), sender).await;
        // Ends once what was sent is written; a client that does not read is not waited for.
        let abort = writing.abort_handle();
        if tokio::time::timeout(CLOSING, writing).await.is_err() {
            abort.abort();
        }
    })
}

/// Writes what is sent, then the end.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut outgoing: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = outgoing.recv().await {
        if sink.send(Message::Binary(bytes)).await.is_err() {
            return;
        }
    }
    // Without a code, clients take the end for a failure. One that is gone needs not be told.
    let end = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    let _ = sink.send(Message::Close(Some(end))).await;
}

/// What a client sends.
pub(super) struct Incoming(SplitStream<WebSocket>);

impl Incoming {
    /// The next message; nothing at the end. Pings are answered on the way.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Binary(bytes) => return Some(bytes),
                Message::Text(text) => return Some(text.into()),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return None,
            }
        }
    }
}
