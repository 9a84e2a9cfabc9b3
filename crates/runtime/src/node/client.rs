//! Speaks with one shim over its socket.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::RuntimeError;
use crate::shim::frame::{Decoder, Frame, Kind, encode};
use crate::shim::protocol::{Envelope, Request, Response, SOCKET};

/// How long a shim may take to answer. A start is the longest: it may wait for a slow disk.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a shim is.
pub(super) struct ShimClient {
    pod_uid: String,
    dir: PathBuf,
}

/// A connection to it.
pub(super) struct Channel {
    sender: Sender,
    receiver: Receiver,
}

/// What goes to the shim.
pub(super) struct Sender {
    pod_uid: String,
    stream: OwnedWriteHalf,
}

/// What comes from it.
pub(super) struct Receiver {
    pod_uid: String,
    stream: OwnedReadHalf,
    decoder: Decoder,
}

impl ShimClient {
    pub(super) fn new(pod_uid: &str, dir: &Path) -> ShimClient {
        ShimClient { pod_uid: pod_uid.to_owned(), dir: dir.to_owned() }
    }

    pub(super) async fn connect(&self) -> Result<Channel, RuntimeError> {
        let fail = |error: io::Error| RuntimeError::Shim {
            pod_uid: self.pod_uid.clone(),
            message: format!("connecting: {error}"),
        };
        // Through the folder's descriptor: the path may be longer than a socket's address can be.
        let dir = File::open(&self.dir).map_err(fail)?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd());
        let stream = UnixStream::connect(path).await.map_err(fail)?;
        let (reader, writer) = stream.into_split();
        let pod_uid = self.pod_uid.clone();
        let sender = Sender { pod_uid: pod_uid.clone(), stream: writer };
        Ok(Channel { sender, receiver: Receiver { pod_uid, stream: reader, decoder: Decoder::default() } })
    }
}

impl Channel {
    /// Sends a request and waits for its answer. A refusal is an error.
    pub(super) async fn call(&mut self, request: &Request) -> Result<Response, RuntimeError> {
        self.sender.send(request).await?;
        let frame = match tokio::time::timeout(ANSWER_TIMEOUT, self.receive()).await {
            Ok(received) => received?,
            Err(_) => return Err(self.receiver.error("no answer in time")),
        };
        match frame {
            Some(frame) => self.answer(&frame),
            None => Err(self.receiver.error("it closed the connection")),
        }
    }

    /// See [`Receiver::receive`].
    pub(super) async fn receive(&mut self) -> Result<Option<Frame>, RuntimeError> {
        self.receiver.receive().await
    }

    /// See [`Receiver::answer`].
    pub(super) fn answer(&self, frame: &Frame) -> Result<Response, RuntimeError> {
        self.receiver.answer(frame)
    }

    /// Both directions, each on its own; the connection ends with both.
    pub(super) fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    pub(super) fn unexpected(&self, response: &Response) -> RuntimeError {
        self.receiver.error(&format!("an answer to something else: {response:?}"))
    }
}

impl Sender {
    /// Sends a request, in words that every shim understands which knows it.
    pub(super) async fn send(&mut self, request: &Request) -> Result<(), RuntimeError> {
        let envelope = Envelope { version: request.since(), request: request.clone() };
        let bytes = serde_json::to_vec(&envelope).expect("a request has only string keys");
        self.send_frame(Kind::Json, &bytes).await
    }

    pub(super) async fn send_frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), RuntimeError> {
        let mut bytes = Vec::new();
        encode(kind, payload, &mut bytes);
        let written = self.stream.write_all(&bytes).await;
        written.map_err(|error| shim_error(&self.pod_uid, &format!("writing: {error}")))
    }
}

impl Receiver {
    /// The next frame; nothing at the end. Dropping the future loses nothing.
    pub(super) async fn receive(&mut self) -> Result<Option<Frame>, RuntimeError> {
        loop {
            let next = self.decoder.next().map_err(|error| self.error(&error.to_string()))?;
            if next.is_some() {
                return Ok(next);
            }
            let mut buffer = vec![0; 64 << 10];
            match self.stream.read(&mut buffer).await {
                Ok(0) => return Ok(None),
                Ok(read) => self.decoder.push(&buffer[..read]),
                Err(error) => return Err(self.error(&format!("reading: {error}"))),
            }
        }
    }

    /// Reads a frame as an answer.
    pub(super) fn answer(&self, frame: &Frame) -> Result<Response, RuntimeError> {
        match serde_json::from_slice(&frame.payload) {
            Ok(Response::Failed(failure)) => Err(failure.into_error(&self.pod_uid)),
            Ok(response) => Ok(response),
            Err(error) => Err(self.error(&format!("an answer that is none: {error}"))),
        }
    }

    fn error(&self, message: &str) -> RuntimeError {
        shim_error(&self.pod_uid, message)
    }
}

fn shim_error(pod_uid: &str, message: &str) -> RuntimeError {
    RuntimeError::Shim { pod_uid: pod_uid.to_owned(), message: message.to_owned() }
}
