//! One WebSocket's worth of streams: what its frames mean. It ends with the WebSocket, or with what is no SPDY.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use xebec_rpc::v1::port_forward_request::Message;

use super::super::socket::Incoming;
use super::super::spdy::{self, Frame, Inflater};
use super::connection::{self, Connection};
use crate::pod_streams::Ports;

/// Streams that one client may have open: two a connection.
const MOST_STREAMS: usize = 2000;
/// Pieces that may wait for one connection to a pod.
const WAITING: usize = 16;
/// `PROTOCOL_ERROR` and `REFUSED_STREAM` of RST_STREAM.
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 3;

/// What the streams of a session are.
enum Stream {
    /// The one for errors, of this request.
    Error { request: String },
    /// The one for bytes: they go on to the connection, which says at its end on another stream whether it failed.
    Data { sender: mpsc::Sender<Message>, errors: u32, connection: AbortHandle },
}

struct Session {
    ports: Ports,
    outgoing: mpsc::Sender<Bytes>,
    inflater: Inflater,
    replied: bool,
    streams: HashMap<u32, Stream>,
    connections: JoinSet<[u32; 2]>,
}

/// Serves a session to its end; what it connected ends with it.
pub(super) async fn run(ports: Ports, mut incoming: Incoming, outgoing: mpsc::Sender<Bytes>) {
    let mut session = Session {
        ports,
        outgoing,
        inflater: Inflater::new(),
        replied: false,
        streams: HashMap::new(),
        connections: JoinSet::new(),
    };
    let mut buffer = BytesMut::new();
    loop {
        let message = tokio::select! {
            message = incoming.next() => message,
            Some(ended) = session.connections.join_next() => {
                for stream in ended.into_iter().flatten() {
                    session.streams.remove(&stream);
                }
                continue;
            }
        };
        let Some(message) = message else { return };
        buffer.extend_from_slice(&message);
        if let Err(why) = session.take(&mut buffer).await {
            tracing::debug!(why, "a port-forward ended");
            return;
        }
    }
}

impl Session {
    async fn take(&mut self, buffer: &mut BytesMut) -> Result<(), String> {
        while let Some(frame) = spdy::decode(buffer).map_err(|error| error.to_string())? {
            self.on_frame(frame).await?;
        }
        Ok(())
    }

    async fn on_frame(&mut self, frame: Frame) -> Result<(), String> {
        match frame {
            Frame::SynStream { stream, headers, fin } => self.open(stream, &headers, fin).await,
            Frame::Headers { headers } => {
                self.inflater.headers(&headers).map(drop).map_err(|error| error.to_string())
            }
            Frame::Data { stream, data, fin } => {
                self.pass(stream, data, fin).await;
                Ok(())
            }
            Frame::RstStream { stream } => self.reset(stream).await,
            Frame::Ping { id } => self.send(spdy::ping(id)).await,
            Frame::GoAway => Ok(()),
        }
    }

    async fn send(&self, frame: Bytes) -> Result<(), String> {
        self.outgoing.send(frame).await.map_err(|_| "the client is gone".to_owned())
    }

    async fn open(&mut self, stream: u32, headers: &[u8], fin: bool) -> Result<(), String> {
        let headers = self.inflater.headers(headers).map_err(|error| error.to_string())?;
        if self.streams.len() >= MOST_STREAMS || self.streams.contains_key(&stream) {
            return self.send(spdy::rst_stream(stream, REFUSED_STREAM)).await;
        }
        let request = headers.get("requestid").to_owned();
        match (headers.get("streamtype"), headers.get("port").parse::<u16>()) {
            ("error", _) => {
                self.streams.insert(stream, Stream::Error { request });
            }
            ("data", Ok(port)) => match self.error_stream(&request) {
                Some(errors) => self.connect(stream, errors, port, fin),
                None => return self.send(spdy::rst_stream(stream, PROTOCOL_ERROR)).await,
            },
            _ => return self.send(spdy::rst_stream(stream, PROTOCOL_ERROR)).await,
        }
        let block = spdy::empty_headers(!std::mem::replace(&mut self.replied, true));
        self.send(spdy::syn_reply(stream, &block)).await
    }

    fn error_stream(&self, wanted: &str) -> Option<u32> {
        let of_request = |stream: &Stream| matches!(stream, Stream::Error { request } if request == wanted);
        self.streams.iter().find(|(_, stream)| of_request(stream)).map(|(id, _)| *id)
    }

    fn connect(&mut self, data: u32, errors: u32, port: u16, fin: bool) {
        let (sender, input) = mpsc::channel(WAITING);
        if fin {
            // The channel is empty.
            let _ = sender.try_send(Message::Closed(true));
        }
        let connection = Connection { data, errors, port, outgoing: self.outgoing.clone() };
        let connection = self.connections.spawn(connection::serve(connection, self.ports.clone(), input));
        self.streams.insert(data, Stream::Data { sender, errors, connection });
    }

    /// The client has done with a stream: with that of the bytes the whole connection ends, and a client waits to hear
    /// that it did not fail.
    async fn reset(&mut self, stream: u32) -> Result<(), String> {
        let Some(Stream::Data { errors, connection, .. }) = self.streams.remove(&stream) else {
            return Ok(());
        };
        connection.abort();
        match self.streams.remove(&errors) {
            Some(_) => self.send(spdy::data(errors, &[], true)).await,
            None => Ok(()),
        }
    }

    /// Bytes for a stream that is gone, or that takes none, are dropped.
    async fn pass(&mut self, stream: u32, data: Bytes, fin: bool) {
        let Some(Stream::Data { sender, .. }) = self.streams.get(&stream) else { return };
        let messages =
            [(!data.is_empty()).then_some(Message::Data(data)), fin.then_some(Message::Closed(true))];
        for message in messages.into_iter().flatten() {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    }
}
