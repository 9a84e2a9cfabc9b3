//! The frames between an agent and a shim: a length (four bytes, big-endian, of what follows), a kind, a payload.

use std::io;

/// The largest payload.
pub(crate) const MAX_FRAME_BYTES: usize = 8 << 20;

const HEADER_BYTES: usize = 5;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A document of the protocol.
    Json = 0,
    /// Bytes for a command's stdin.
    Stdin = 1,
    /// Bytes of a command's stdout.
    Stdout = 2,
    /// Bytes of a command's stderr.
    Stderr = 3,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
}

/// Appends a frame to `out`.
pub(crate) fn encode(kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    assert!(payload.len() <= MAX_FRAME_BYTES, "the writer bounds its frames");
    out.extend_from_slice(&(payload.len() as u32 + 1).to_be_bytes());
    out.push(kind as u8);
    out.extend_from_slice(payload);
}

/// Takes frames out of a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame>> {
        if self.buffer.len() < HEADER_BYTES {
            return Ok(None);
        }
        let length = u32::from_be_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]]);
        let length = length as usize;
        if length == 0 || length > MAX_FRAME_BYTES + 1 {
            return Err(io::Error::other(format!("a frame of {length} bytes")));
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        let kind = match self.buffer[4] {
            0 => Kind::Json,
            1 => Kind::Stdin,
            2 => Kind::Stdout,
            3 => Kind::Stderr,
            other => return Err(io::Error::other(format!("a frame of the unknown kind {other}"))),
        };
        let payload = self.buffer[HEADER_BYTES..4 + length].to_vec();
        self.buffer.drain(..4 + length);
        Ok(Some(Frame { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let frames = [(Kind::Json, b"{}".to_vec()), (Kind::Stdout, vec![]), (Kind::Stderr, vec![7; 300])];
        let mut bytes = Vec::new();
        for (kind, payload) in &frames {
            encode(*kind, payload, &mut bytes);
        }
        for step in [1, 2, 3, 7, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for chunk in bytes.chunks(step) {
                decoder.push(chunk);
                while let Some(frame) = decoder.next().expect("valid") {
                    found.push((frame.kind, frame.payload));
                }
            }
            assert_eq!(found, frames);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [[0, 0, 0, 0, 0], [255, 255, 255, 255, 0], [0, 0, 0, 1, 9]] {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            assert!(decoder.next().is_err());
        }
    }
}
