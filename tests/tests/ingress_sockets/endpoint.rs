//! A server of WebSockets that sends back what it gets, and says what it was asked.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// A text that is answered by a ping.
pub(crate) const PING_ME: &str = "ping me";
/// A text that is answered by a close frame.
pub(crate) const LEAVE: &str = "leave";
/// The address of the bridge in the namespace of this process.
const HERE: &str = "10.99.0.1:0";
/// What is said and not read waits; it is a few lines.
const MOST_SAID: usize = 256;

/// See the module. It ends with its runtime.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    said: Receiver<String>,
}

impl Endpoint {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(HERE).await?;
        let address = listener.local_addr()?;
        let (says, said) = channel(MOST_SAID);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is seen by the client.
                tokio::spawn(serve(stream, says.clone()));
            }
        });
        Ok(Self { address, said })
    }

    /// What it said last; nothing of before is kept.
    pub(crate) fn last_said(&mut self) -> String {
        let mut last = String::new();
        while let Ok(line) = self.said.try_recv() {
            last = line;
        }
        last
    }

    pub(crate) async fn next_said(&mut self) -> Result<String> {
        self.said.recv().await.context("the endpoint is gone")
    }
}

async fn serve(stream: TcpStream, says: Sender<String>) -> Result<()> {
    let admit = |request: &Request, response: Response| admit(request, response, &says);
    let mut socket = accept_hdr_async(stream, admit).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) if text.as_str() == PING_ME => {
                socket.send(Message::Ping("from the endpoint".into())).await?;
            }
            Message::Text(text) if text.as_str() == LEAVE => {
                let frame = CloseFrame { code: 1013_u16.into(), reason: "come back later".into() };
                socket.close(Some(frame)).await?;
            }
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            Message::Pong(bytes) => {
                let text = format!("pong {}", String::from_utf8_lossy(&bytes));
                socket.send(Message::text(text)).await?;
            }
            Message::Close(Some(frame)) => {
                says.send(format!("left {} {}", u16::from(frame.code), frame.reason)).await?;
            }
            Message::Close(None) => says.send("left without a word".to_owned()).await?,
            // The library answers pings.
            Message::Ping(_) | Message::Frame(_) => {}
        }
    }
    Ok(())
}

/// Lets everybody in but to `/live/private`.
fn admit(
    request: &Request,
    mut response: Response,
    says: &Sender<String>,
) -> std::result::Result<Response, ErrorResponse> {
    let field = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
    let (host, scheme) = (field("host"), field("x-forwarded-proto"));
    let protocol = field("sec-websocket-protocol");
    says.try_send(format!("asked {} of {host} by {scheme} for {protocol}", request.uri())).expect("room");
    if request.uri().path() == "/live/private" {
        let body = "not for you\n".to_owned();
        let refused = http::Response::builder().status(403).header("content-length", body.len());
        return Err(refused.body(Some(body)).expect("a response"));
    }
    let protocol = http::HeaderValue::from_str(protocol).expect("it was one");
    response.headers_mut().insert("sec-websocket-protocol", protocol);
    Ok(response)
}
