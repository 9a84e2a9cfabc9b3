//! Where a chunked body ends. Only the grammar of RFC 9112, section 7.1, is followed, with
//! bounds for what nobody needs: a body that is anything else ends its connection.

/// The most digits of a chunk's size: more is no size that anybody sends.
const MOST_DIGITS: u8 = 15;
/// The longest trailer line, and the longest extension of a chunk.
const LONGEST_LINE: u16 = 4096;
/// The most trailer lines.
const MOST_TRAILERS: u8 = 32;

/// A chunked body as it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    size: u64,
    digits: u8,
    line: u16,
    trailers: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    /// At the beginning of a trailer, or of the empty line.
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

/// It is not chunked as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoChunks;

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { at: At::Size, size: 0, digits: 0, line: 0, trailers: 0 }
    }

    /// The body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Goes on with what came in; gives how many bytes belong to the body.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Result<usize, NoChunks> {
        let mut index = 0;
        while index < bytes.len() && self.at != At::Done {
            if self.at == At::Data {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len() - index);
                self.size -= left as u64;
                index += left;
                if self.size == 0 {
                    self.at = At::DataReturn;
                }
            } else {
                self.at = self.step(bytes[index])?;
                index += 1;
            }
        }
        Ok(index)
    }

    fn step(&mut self, byte: u8) -> Result<At, NoChunks> {
        Ok(match (self.at, byte) {
            (At::Size, byte) if byte.is_ascii_hexdigit() && self.digits < MOST_DIGITS => {
                self.digits += 1;
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size * 16 + u64::from(digit);
                At::Size
            }
            (At::Size, b';') if self.digits > 0 => At::Extension,
            (At::Size | At::Extension, b'\r') if self.digits > 0 => At::SizeEnd,
            (At::Extension, byte) => self.in_line(byte, At::Extension)?,
            (At::SizeEnd, b'\n') => {
                (self.digits, self.line) = (0, 0);
                if self.size == 0 { At::TrailerStart } else { At::Data }
            }
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => At::Size,
            (At::TrailerStart, b'\r') => At::LastEnd,
            (At::TrailerStart, byte) if byte != b' ' && byte != b'\t' && self.trailers < MOST_TRAILERS => {
                self.trailers += 1;
                self.in_line(byte, At::Trailer)?
            }
            (At::Trailer, b'\r') => At::TrailerEnd,
            (At::Trailer, byte) => self.in_line(byte, At::Trailer)?,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            (At::LastEnd, b'\n') => At::Done,
            _ => return Err(NoChunks),
        })
    }

    /// One more byte of a line whose text does not matter.
    fn in_line(&mut self, byte: u8, stay: At) -> Result<At, NoChunks> {
        self.line += 1;
        let allowed = self.line < LONGEST_LINE && (!byte.is_ascii_control() || byte == b'\t');
        if allowed { Ok(stay) } else { Err(NoChunks) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follow(text: &str) -> Result<(usize, bool), NoChunks> {
        let mut chunks = Chunks::new();
        chunks.follow(text.as_bytes()).map(|len| (len, chunks.is_done()))
    }

    #[test]
    fn bodies_end_where_they_say() {
        for body in
            ["0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "A;x=y\r\n0123456789\r\n00\r\nT: 1\r\nU: 2\r\n\r\n"]
        {
            assert_eq!(follow(body), Ok((body.len(), true)), "{body:?}");
            assert_eq!(follow(&format!("{body}GET /")), Ok((body.len(), true)), "{body:?}");
            assert_eq!(follow(&body[..body.len() - 1]), Ok((body.len() - 1, false)), "{body:?}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\na",
            "0x1\r\na",
            " 1\r\na",
            "1 \r\na",
            "1\na\r\n",
            "1\r\nab",
            "1\r\na\n",
            ";x\r\n",
            "1;\n",
            "1;x\u{1}\r\n",
            "0\r\n\n",
            "0\r\n X: y\r\n",
            "0\r\nX: y\n\r\n",
            "1111111111111111\r\n",
        ] {
            assert_eq!(follow(body), Err(NoChunks), "{body:?}");
        }
        assert_eq!(follow(&format!("1;{}\r\n", "x".repeat(5000))), Err(NoChunks));
        assert_eq!(follow(&format!("0\r\n{}", "X: y\r\n".repeat(50))), Err(NoChunks));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_body_arrives(
            parts in prop::collection::vec("[a-z]{1,40}", 0..6), cuts in prop::collection::vec(0_usize..200, 0..6)
        ) {
            let chunks: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
            let body = format!("{chunks}0\r\n\r\n");
            let bytes = format!("{body}GET / HTTP/1.1\r\n").into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let (mut scanner, mut taken) = (Chunks::new(), 0);
            for cut in cuts {
                taken += scanner.follow(&bytes[taken..cut.max(taken)]).expect("well formed");
            }
            prop_assert_eq!((taken, scanner.is_done()), (body.len(), true));
        }

        #[test]
        fn nonsense_ends_or_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut scanner = Chunks::new();
            if let Ok(taken) = scanner.follow(&bytes) {
                prop_assert!(taken == bytes.len() || scanner.is_done());
            }
        }
    }
}
