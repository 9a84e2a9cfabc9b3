//! SPDY/3.1 frames, as far as port-forwarding speaks them (SPDY Protocol, draft 3.1, section 2).
//!
//! Pure: bytes in, frames out, and back. What a frame means to a connection is not known here. Frames that
//! port-forwarding has no use for are read over; one that is too large, or no SPDY, is an error and the connection's end.

mod headers;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(super) use headers::{Inflater, empty as empty_headers};

/// The largest frame that is taken: what clients send is a copy buffer at most.
const MOST_FRAME_BYTES: usize = 1 << 20;
/// What is sent in one data frame.
pub(super) const DATA_BYTES: usize = 64 << 10;
const HEADER_BYTES: usize = 8;
const VERSION: u16 = 3;
const FLAG_FIN: u8 = 1;
const CONTROL: u32 = 1 << 31;

/// What is spoken in port-forwarding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A stream is opened. Its headers are compressed.
    SynStream { stream: u32, headers: Bytes, fin: bool },
    /// Headers on an open stream: of no use here, but the compression goes through them.
    Headers { headers: Bytes },
    /// A stream is over at once, both ways.
    RstStream { stream: u32 },
    /// Its answer is itself.
    Ping { id: u32 },
    /// The client opens no more streams.
    GoAway,
    /// Bytes of a stream, and whether they are its last.
    Data { stream: u32, data: Bytes, fin: bool },
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes, of which none has more than {MOST_FRAME_BYTES}")]
    TooLarge(usize),
    #[error("a control frame of version {0}, not {VERSION}")]
    Version(u16),
    #[error("a control frame of type {kind} has {length} bytes, which is too short")]
    TooShort { kind: u16, length: usize },
}

/// Takes the next frame off the front; nothing while it is not whole.
pub(super) fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    loop {
        let Some(mut head) = buffer.get(..HEADER_BYTES) else { return Ok(None) };
        let (first, second) = (head.get_u32(), head.get_u32());
        let (flags, length) = ((second >> 24) as u8, (second & 0x00ff_ffff) as usize);
        if length > MOST_FRAME_BYTES {
            return Err(FrameError::TooLarge(length));
        }
        if buffer.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        buffer.advance(HEADER_BYTES);
        let body = buffer.split_to(length).freeze();
        let fin = flags & FLAG_FIN != 0;
        if first & CONTROL == 0 {
            return Ok(Some(Frame::Data { stream: first, data: body, fin }));
        }
        let version = (first >> 16) as u16 & 0x7fff;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if let Some(frame) = control(first as u16, body, fin)? {
            return Ok(Some(frame));
        }
    }
}

/// A control frame's meaning; nothing for what is read over (SYN_REPLY, SETTINGS, WINDOW_UPDATE, unknown types).
fn control(kind: u16, mut body: Bytes, fin: bool) -> Result<Option<Frame>, FrameError> {
    let least = match kind {
        1 => 10,
        3 => 8,
        6 | 8 => 4,
        7 => return Ok(Some(Frame::GoAway)),
        _ => return Ok(None),
    };
    if body.len() < least {
        return Err(FrameError::TooShort { kind, length: body.len() });
    }
    let id = body.get_u32();
    let stream = id & !CONTROL;
    Ok(Some(match kind {
        1 => {
            // The stream that it is associated to, its priority and its credential slot.
            body.advance(6);
            Frame::SynStream { stream, headers: body, fin }
        }
        3 => Frame::RstStream { stream },
        6 => Frame::Ping { id },
        _ => Frame::Headers { headers: body },
    }))
}

/// A stream is taken, with these compressed headers.
pub(super) fn syn_reply(stream: u32, headers: &[u8]) -> Bytes {
    let mut out = control_head(2, 4 + headers.len());
    out.put_u32(stream);
    out.put_slice(headers);
    out.freeze()
}

/// A stream is not taken, or is over at once.
pub(super) fn rst_stream(stream: u32, status: u32) -> Bytes {
    let mut out = control_head(3, 8);
    out.put_u32(stream);
    out.put_u32(status);
    out.freeze()
}

/// The answer to a ping.
pub(super) fn ping(id: u32) -> Bytes {
    let mut out = control_head(6, 4);
    out.put_u32(id);
    out.freeze()
}

/// Bytes of a stream, cut into frames; their last is marked where it is the stream's.
pub(super) fn data(stream: u32, data: &[u8], fin: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + HEADER_BYTES);
    let mut chunks = data.chunks(DATA_BYTES).peekable();
    if data.is_empty() {
        put_data_head(&mut out, stream, 0, fin);
    }
    while let Some(chunk) = chunks.next() {
        put_data_head(&mut out, stream, chunk.len(), fin && chunks.peek().is_none());
        out.put_slice(chunk);
    }
    out.freeze()
}

fn put_data_head(out: &mut BytesMut, stream: u32, length: usize, fin: bool) {
    out.put_u32(stream & !CONTROL);
    out.put_u32(u32::from(if fin { FLAG_FIN } else { 0 }) << 24 | length as u32);
}

fn control_head(kind: u16, length: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + length);
    out.put_u32(CONTROL | u32::from(VERSION) << 16 | u32::from(kind));
    out.put_u32(length as u32);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(frame: &Frame) -> Bytes {
        match frame {
            Frame::SynStream { stream, headers, fin } => {
                let mut out = control_head(1, 10 + headers.len());
                out[4] = u8::from(*fin);
                out.put_u32(*stream);
                out.put_slice(&[0; 6]);
                out.put_slice(headers);
                out.freeze()
            }
            Frame::Headers { headers } => {
                let mut out = control_head(8, 4 + headers.len());
                out.put_u32(1);
                out.put_slice(headers);
                out.freeze()
            }
            Frame::RstStream { stream } => rst_stream(*stream, 5),
            Frame::Ping { id } => ping(*id),
            Frame::GoAway => {
                let mut out = control_head(7, 8);
                out.put_u64(0);
                out.freeze()
            }
            Frame::Data { stream, data: bytes, fin } => data(*stream, bytes, *fin),
        }
    }

    fn frame() -> impl Strategy<Value = Frame> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let stream = || 0..CONTROL;
        prop_oneof![
            (stream(), bytes(), any::<bool>()).prop_map(|(stream, headers, fin)| Frame::SynStream {
                stream,
                headers,
                fin
            }),
            bytes().prop_map(|headers| Frame::Headers { headers }),
            stream().prop_map(|stream| Frame::RstStream { stream }),
            any::<u32>().prop_map(|id| Frame::Ping { id }),
            Just(Frame::GoAway),
            (stream(), bytes(), any::<bool>()).prop_map(|(stream, data, fin)| Frame::Data {
                stream,
                data,
                fin
            }),
        ]
    }

    fn decode_all(chunks: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = decode(&mut buffer)? {
                found.push(frame);
            }
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(frames in proptest::collection::vec(frame(), 0..8), step in 1usize..64) {
            let bytes: Vec<u8> = frames.iter().flat_map(encode).collect();
            let chunks: Vec<&[u8]> = bytes.chunks(step).collect();
            prop_assert_eq!(decode_all(&chunks), Ok(frames));
        }

        #[test]
        fn anything_at_all_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            // Frames or an error; never a panic, and never without an end.
            let _ = decode_all(&[&bytes]);
        }

        #[test]
        fn long_data_is_cut_and_stays_whole(length in 0usize..300_000, fin in any::<bool>()) {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let frames = decode_all(&[&data(7, &bytes, fin)]).expect("our own frames");
            let (mut whole, mut ends) = (Vec::new(), Vec::new());
            for frame in frames {
                let Frame::Data { stream: 7, data, fin } = frame else { panic!("{frame:?}") };
                prop_assert!(data.len() <= DATA_BYTES);
                whole.extend_from_slice(&data);
                ends.push(fin);
            }
            prop_assert_eq!(whole, bytes);
            let last = ends.pop();
            prop_assert_eq!((last, ends.contains(&true)), (Some(fin), false));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(decode_all(&[&[0, 0, 0, 1, 0, 255, 255, 255]]), Err(FrameError::TooLarge(0xff_ffff)));
        assert_eq!(decode_all(&[&[0x80, 2, 0, 1, 0, 0, 0, 0]]), Err(FrameError::Version(2)));
        let short = FrameError::TooShort { kind: 1, length: 0 };
        assert_eq!(decode_all(&[&[0x80, 3, 0, 1, 0, 0, 0, 0]]), Err(short));
    }

    #[test]
    fn what_has_no_use_here_is_read_over() {
        let window_update = [0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 255, 255];
        let settings = [0x80, 3, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0];
        let found = decode_all(&[&window_update, &settings, &ping(3)]);
        assert_eq!(found, Ok(vec![Frame::Ping { id: 3 }]));
    }
}
