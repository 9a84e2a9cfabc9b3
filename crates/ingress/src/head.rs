//! Request heads, read strictly before anybody acts on them. Whatever two parsers could
//! understand differently is refused: that is how requests are smuggled past a proxy.
//!
//! The scanner looks at every byte once, however the head arrives. It keeps nothing of the
//! head but how the body after it is framed.

mod field;

use field::Field;

/// The longest head, request line included.
pub(crate) const MOST_BYTES: usize = 32 * 1024;
/// The longest request line.
const LONGEST_LINE: usize = 8 * 1024;
/// The most header fields.
const MOST_FIELDS: usize = 100;
/// What a client that speaks HTTP/2 at once begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// How far a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// More bytes are needed.
    Partial,
    /// A whole head.
    Request(Head),
    /// The beginning of HTTP/2.
    Http2,
    /// It is answered with this status, and the connection is closed.
    Refused(Refusal),
}

/// A whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its bytes, the empty line included.
    pub(crate) len: usize,
    /// What follows it.
    pub(crate) body: Body,
    /// The client asks for another protocol on this connection.
    pub(crate) upgrade: bool,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// It says itself where it ends.
    Chunked,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// For the log.
    pub(crate) why: &'static str,
}

/// A head as it comes in.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Up to here no line end was found.
    seen: usize,
    fields: usize,
    http_1_0: bool,
    host: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Scanner {
    /// Goes on with all bytes that there are so far.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Scan {
        match self.go_on(bytes) {
            Ok(scan) => scan,
            Err(refusal) => Scan::Refused(refusal),
        }
    }

    fn go_on(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        while let Some(end) = bytes[self.seen..].iter().position(|byte| *byte == b'\n') {
            let end = self.seen + end;
            let Some(line) = bytes[self.line..end].strip_suffix(b"\r") else {
                return refuse(400, "a line ends without a carriage return");
            };
            let first = self.line == 0;
            (self.line, self.seen) = (end + 1, end + 1);
            if self.line > MOST_BYTES {
                return refuse(431, "the head is too long");
            }
            match line {
                PREFACE if first => return Ok(Scan::Http2),
                line if first => self.request_line(line)?,
                [] => return self.complete(),
                line => self.field(line)?,
            }
        }
        self.seen = bytes.len();
        match bytes.len() {
            len if self.line == 0 && len > LONGEST_LINE => refuse(414, "the request line is too long"),
            len if len > MOST_BYTES => refuse(431, "the head is too long"),
            _ => Ok(Scan::Partial),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.len() > LONGEST_LINE {
            return refuse(414, "the request line is too long");
        }
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return refuse(400, "the request line is not three words");
        };
        if !field::is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return refuse(400, "the request line has characters that it must not have");
        }
        self.http_1_0 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return refuse(400, "the version is neither HTTP/1.1 nor HTTP/1.0"),
        };
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > MOST_FIELDS {
            return refuse(431, "too many header fields");
        }
        match field::parse(line)? {
            Field::Host if self.host => return refuse(400, "more than one Host"),
            Field::Host => self.host = true,
            Field::ContentLength(_) if self.length.is_some() => {
                return refuse(400, "more than one Content-Length");
            }
            Field::ContentLength(length) => self.length = Some(length),
            Field::Chunked if self.chunked => return refuse(400, "more than one Transfer-Encoding"),
            Field::Chunked => self.chunked = true,
            Field::Upgrade => self.upgrade = true,
            Field::Other => {}
        }
        Ok(())
    }

    fn complete(&self) -> Result<Scan, Refusal> {
        if self.chunked && self.length.is_some() {
            return refuse(400, "both Content-Length and Transfer-Encoding");
        }
        if self.chunked && self.http_1_0 {
            return refuse(400, "Transfer-Encoding in HTTP/1.0");
        }
        if !self.host && !self.http_1_0 {
            return refuse(400, "no Host");
        }
        let body = if self.chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) };
        Ok(Scan::Request(Head { len: self.line, body, upgrade: self.upgrade }))
    }
}

fn refuse<T>(status: u16, why: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, why })
}

#[cfg(test)]
mod tests;
