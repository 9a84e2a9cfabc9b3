//! SPDY's header blocks: names and values, compressed as one zlib stream over all blocks of a direction, with a
//! dictionary that both ends know (SPDY Protocol, draft 3.1, section 2.6.10).
//!
//! The client's stream refers to the dictionary. An inflater that takes no dictionary is given it as the first block of
//! the stream, which comes to the same: the window that is referred to holds it. Our own stream refers to nothing, and
//! is not made smaller: what we answer is a few bytes.

use flate2::{Decompress, FlushDecompress};

/// What a block may inflate to.
const MOST_BYTES: usize = 64 << 10;
/// Each is preceded by its length in the dictionary.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
    keep-alive origin";
const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 \
    Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept \
    Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=\
    utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// Why a block of headers cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum HeaderError {
    #[error("headers that are not compressed with SPDY's dictionary")]
    Dictionary,
    #[error("headers that cannot be inflated")]
    Inflate,
    #[error("headers of more than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("headers that end before their last value")]
    CutShort,
}

/// Names, in lower case, and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header, `""` where there is none.
    pub(in super::super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }
}

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in WORDS.split_whitespace() {
        let word = word.replace('_', " ");
        bytes.extend_from_slice(&(word.len() as u32).to_be_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes.extend_from_slice(TEXT.as_bytes());
    bytes
}

/// The dictionary's checksum, by which a stream names it.
const DICTIONARY_ID: [u8; 4] = 0xe3c6_a7c2_u32.to_be_bytes();

/// Reads one direction's blocks, in their order.
pub(in super::super) struct Inflater {
    inflate: Decompress,
    begun: bool,
}

impl Inflater {
    pub(in super::super) fn new() -> Self {
        Self { inflate: Decompress::new(false), begun: false }
    }

    /// The headers of the next block.
    pub(in super::super) fn headers(&mut self, mut block: &[u8]) -> Result<Headers, HeaderError> {
        if !self.begun {
            // zlib's two bytes, of which the second says that a dictionary follows.
            let (head, rest) = block.split_at_checked(6).ok_or(HeaderError::Dictionary)?;
            if head[0] & 0x0f != 8 || head[1] & 0x20 == 0 || head[2..] != DICTIONARY_ID {
                return Err(HeaderError::Dictionary);
            }
            let dictionary = dictionary();
            self.inflate(&stored(&dictionary))?;
            (self.begun, block) = (true, rest);
        }
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let mut out = Vec::with_capacity(4096);
        loop {
            let (before, length) = (self.inflate.total_in(), out.len());
            let status = self.inflate.decompress_vec(block, &mut out, FlushDecompress::Sync);
            let read = (self.inflate.total_in() - before) as usize;
            block = &block[read..];
            match status {
                Err(_) => return Err(HeaderError::Inflate),
                Ok(_) if out.len() > MOST_BYTES => return Err(HeaderError::TooLarge),
                Ok(_) if out.len() == out.capacity() => out.reserve(4096),
                Ok(_) if block.is_empty() || (read == 0 && out.len() == length) => return Ok(out),
                Ok(_) => {}
            }
        }
    }
}

/// A block of deflate that holds these bytes as they are, and is not the last.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("the dictionary and our answers are short");
    let mut out = vec![0];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(bytes);
    out
}

/// A block without headers: the first one of a direction begins its zlib stream.
pub(in super::super) fn empty(first: bool) -> Vec<u8> {
    let mut out = if first { vec![0x78, 0x01] } else { Vec::new() };
    out.extend_from_slice(&stored(&0_u32.to_be_bytes()));
    // An empty block, as a flush writes it: readers of Go's give out what is before it, and wait for no more.
    out.extend_from_slice(&stored(&[]));
    out
}

fn parse(mut bytes: &[u8]) -> Result<Headers, HeaderError> {
    let count = number(&mut bytes)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text(&mut bytes)?, text(&mut bytes)?));
    }
    Ok(Headers(headers))
}

fn number(bytes: &mut &[u8]) -> Result<usize, HeaderError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(HeaderError::CutShort)?;
    *bytes = rest;
    Ok(u32::from_be_bytes(*number) as usize)
}

fn text(bytes: &mut &[u8]) -> Result<String, HeaderError> {
    let length = number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(HeaderError::CutShort)?;
    *bytes = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dictionary_is_the_one_that_streams_name() {
        let dictionary = dictionary();
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in &dictionary {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!((dictionary.len(), (b << 16 | a).to_be_bytes()), (1423, DICTIONARY_ID));
    }

    #[test]
    fn two_blocks_of_one_stream_are_read() {
        let mut inflater = Inflater::new();
        let first = inflater.headers(&hex(FIRST)).expect("headers");
        assert_eq!(
            [first.get("streamtype"), first.get("port"), first.get("requestid")],
            ["error", "80", "0"]
        );
        let second = inflater.headers(&hex(SECOND)).expect("headers");
        assert_eq!([second.get("streamtype"), second.get("port"), second.get("date")], ["data", "80", ""]);
    }

    #[test]
    fn what_we_answer_is_a_zlib_stream() {
        let stream = [empty(true), empty(false)].concat();
        let (mut inflate, mut out) = (Decompress::new(true), Vec::with_capacity(100));
        inflate.decompress_vec(&stream, &mut out, FlushDecompress::Sync).expect("a zlib stream");
        assert_eq!(out, [0; 8]);
        // kubectl loses the connection without.
        assert!(empty(true).ends_with(&[0, 0, 0, 255, 255]) && empty(false).ends_with(&[0, 0, 0, 255, 255]));
    }

    proptest! {
        #[test]
        fn anything_at_all_is_answered(blocks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..200), 1..5)) {
            let mut inflater = Inflater::new();
            let begin: [&[u8]; 2] = [&[0x78, 0xbb], &DICTIONARY_ID];
            for (index, block) in blocks.iter().enumerate() {
                let block = if index == 0 { [&begin.concat(), block.as_slice()].concat() } else { block.clone() };
                if inflater.headers(&block).is_err() {
                    break;
                }
            }
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.bytes().map(|byte| (byte as char).to_digit(16).expect("hex") as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// What zlib makes of `streamtype: error`, `port: 80`, `requestid: 0`, and of `streamtype: data`, `port: 80`.
    const FIRST: &str = "78f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc64610024398b209198094adc8c0600000000ffff";
    const SECOND: &str = "0289636805954289a83a01000000ffff";
}
