//! One agent's connection to the shim: frames in, frames out, never blocking.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::frame::{Decoder, Frame, Kind, encode};
use super::protocol::{Failure, Response};

/// Above this, nothing more is read for the connection until it has drained.
const OUTPUT_BYTES: usize = 1 << 20;
/// How long whoever is attached may hold a container's output up before it is let go.
const STALL: Duration = Duration::from_secs(10);

/// A container's streams, as joined by one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attached {
    /// The container's.
    pub(super) serial: u64,
    /// What comes is for the container's stdin.
    pub(super) stdin: bool,
}

pub(super) struct Connection {
    pub(super) stream: UnixStream,
    decoder: Decoder,
    out: Vec<u8>,
    /// It is sent the containers after every change.
    pub(super) watching: bool,
    /// The command whose connection it is.
    pub(super) exec: Option<u64>,
    /// The container whose streams it joined.
    pub(super) attached: Option<Attached>,
    /// When the other end last took something, or had nothing to take.
    moved_at: Instant,
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
            attached: None,
            moved_at: Instant::now(),
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
        if self.out.is_empty() {
            self.moved_at = Instant::now();
        }
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

    /// Nothing more is read for it until it has drained.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() > OUTPUT_BYTES
    }

    /// It is full, and nobody reads at the other end.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_full() && self.moved_at.elapsed() > STALL
    }

    /// The command or the container behind it has ended: it says so, and is closed.
    pub(super) fn exit(&mut self, code: i32) {
        self.respond(&Response::Exit(code));
        self.closing = true;
        (self.exec, self.attached) = (None, None);
    }

    /// Writes what it can. False when the other end is gone.
    pub(super) fn flush(&mut self) -> bool {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(written) => {
                    self.out.drain(..written);
                    self.moved_at = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
