//! One agent's connection to the shim: frames in, frames out, never blocking.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use super::frame::{Decoder, Frame, Kind, encode};
use super::protocol::{Failure, Response};

/// Above this, nothing more is read for the connection until it has drained.
pub(super) const OUTPUT_BYTES: usize = 1 << 20;

pub(super) struct Connection {
    pub(super) stream: UnixStream,
    decoder: Decoder,
    out: Vec<u8>,
    /// It is sent the containers after every change.
    pub(super) watching: bool,
    /// The command whose connection it is.
    pub(super) exec: Option<u64>,
    /// It is closed once what is left has been written.
    pub(super) closing: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            decoder: Decoder::default(),
            out: Vec::new(),
            watching: false,
            exec: None,
            closing: false,
        })
    }

    /// Reads what is there. False at its end.
    pub(super) fn fill(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.decoder.push(&buffer[..read]);
                true
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    pub(super) fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        self.decoder.next()
    }

    pub(super) fn send(&mut self, kind: Kind, payload: &[u8]) {
        encode(kind, payload, &mut self.out);
    }

    pub(super) fn respond(&mut self, response: &Response) {
        let bytes = serde_json::to_vec(response).expect("a response has only string keys");
        self.send(Kind::Json, &bytes);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.respond(&Response::Failed(failure));
    }

    pub(super) fn pending(&self) -> usize {
        self.out.len()
    }

    /// Writes what it can. False when the other end is gone.
    pub(super) fn flush(&mut self) -> bool {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => {
                    self.out.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
