//! One header field, as far as it says how the body is framed.

use super::{Refusal, refuse};

/// Digits of the longest Content-Length: more do not fit into 63 bits.
const MOST_DIGITS: usize = 18;

/// What a field means for the framing.
pub(super) enum Field {
    Host,
    ContentLength(u64),
    Chunked,
    Upgrade,
    Other,
}

/// Reads `name: value`.
pub(super) fn parse(line: &[u8]) -> Result<Field, Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return refuse(400, "a header field is folded over two lines");
    }
    let colon = line.iter().position(|byte| *byte == b':');
    let Some((name, value)) = colon.map(|colon| (&line[..colon], &line[colon + 1..])) else {
        return refuse(400, "a header field has no colon");
    };
    if !is_token(name) {
        return refuse(400, "a header field's name has characters that it must not have");
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return refuse(400, "a header field's value has control characters");
    }
    classify(name, value.trim_ascii())
}

fn classify(name: &[u8], value: &[u8]) -> Result<Field, Refusal> {
    // Most fields are told from these by their length alone.
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    Ok(match name.len() {
        4 if is(b"host") => Field::Host,
        7 if is(b"upgrade") => Field::Upgrade,
        14 if is(b"content-length") => Field::ContentLength(length(value)?),
        17 if is(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") => Field::Chunked,
        17 if is(b"transfer-encoding") => return refuse(400, "a Transfer-Encoding that is not chunked"),
        _ => Field::Other,
    })
}

fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.len() <= MOST_DIGITS && value.iter().all(u8::is_ascii_digit);
    if !digits {
        return refuse(400, "a Content-Length that is no number");
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// A `token` of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    let is_token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_token_byte)
}
